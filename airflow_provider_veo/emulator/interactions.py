"""The routes of Google's Interactions API and its Files API. The dialect decides about the answers."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_veo.emulator.dialects.gemini import Gemini
from airflow_provider_veo.emulator.google_cloud import GoogleCloud
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import RefusedError
from airflow_provider_veo.emulator.site import Site, make_response, make_scene

_ROOTS = ("/v1", "/v1beta")
_CLOUD = "/v1beta1/projects/{project}/locations/global"  # the only location that has Omni


class InteractionsRoutes:
    """The calls about interactions, with an API key or with a token of Google Cloud, and the calls about files.

    Args:
        site: The jobs, and the files of their videos.
        dialect: Dialect of the answers.
        cloud: Tokens and buckets.
    """

    def __init__(self, site: Site, dialect: Gemini, cloud: GoogleCloud) -> None:
        self._site = site
        self._jobs = site.jobs
        self._dialect = dialect
        self._cloud = cloud
        self.routes = [route for root in (*_ROOTS, _CLOUD) for route in self._make_routes(root)]
        for root in _ROOTS:
            self.routes.append(Route(f"{root}/files/{{name}}:download", self._download))
            self.routes.append(Route(f"{root}/files/{{name}}", self._file))

    def _make_routes(self, root: str) -> list[Route]:
        one = f"{root}/interactions/{{interaction_id}}"
        return [
            Route(f"{root}/interactions", self._create, methods=["POST"]),
            Route(one, self._status),
            Route(one, self._delete, methods=["DELETE"]),
            Route(f"{one}/cancel", self._cancel, methods=["POST"]),
        ]

    async def _create(self, request: Request) -> Response:
        self._authorize(request)
        order = await self._site.read_order(request)
        accepted = self._dialect.accept(order, is_cloud=_is_cloud(request))
        earlier = order.fields.get("previous_interaction_id")
        if earlier is not None and self._jobs.get(str(earlier)) is None:
            raise RefusedError(self._dialect.unknown_interaction())
        job = self._jobs.order(self._dialect.new_id(), accepted)
        if not order.fields.get("background"):
            await asyncio.sleep(job.generation_seconds)
        return await self._answer(request, job)

    async def _status(self, request: Request) -> Response:
        self._authorize(request)
        job = self._job(request)
        self._jobs.counters.polls += 1
        return await self._answer(request, job)

    async def _cancel(self, request: Request) -> Response:
        self._authorize(request)
        job = self._job(request)
        if job.status(self._jobs.clock()) not in ("queued", "processing"):
            raise RefusedError(self._dialect.not_cancellable())
        self._jobs.cancel(job)
        return await self._answer(request, self._job(request))

    async def _delete(self, request: Request) -> Response:
        self._authorize(request)
        self._jobs.forget(self._job(request), stop=False)
        return JSONResponse({})

    async def _answer(self, request: Request, job: Job) -> Response:
        now = self._jobs.clock()
        video = None
        if self._dialect.find_file(job, now):
            video = {"uri": self._dialect.make_file_url(job, str(request.base_url))}
        elif job.status(now) == "completed":
            (video,) = await self._cloud.describe_videos(job, 1, ("uri", "data"))
        return make_response(self._dialect.interaction(job, now, video))

    async def _file(self, request: Request) -> Response:
        job, now = self._job_of_file(request), self._jobs.clock()
        content = (await self._site.render_file(make_scene(job))).read_bytes()
        url = self._dialect.make_file_url(job, str(request.base_url))
        return make_response(self._dialect.file(job, now, url, content))

    async def _download(self, request: Request) -> Response:
        job = self._job_of_file(request)
        if not self._dialect.is_stored(job, self._jobs.clock()):
            raise RefusedError(self._dialect.file_not_ready(request.path_params["name"]))
        return await self._site.send_file(make_scene(job))

    def _authorize(self, request: Request) -> None:
        if _is_cloud(request):
            self._cloud.authorize(request)
        elif request.headers.get("x-goog-api-key") != self._jobs.settings.api_key:
            raise RefusedError(self._dialect.wrong_key())

    def _job(self, request: Request) -> Job:
        job = self._jobs.get(request.path_params["interaction_id"])
        if job is None:
            raise RefusedError(self._dialect.unknown_interaction())
        return job

    def _job_of_file(self, request: Request) -> Job:
        self._authorize(request)
        name, now = request.path_params["name"], self._jobs.clock()
        for job in self._jobs.all():
            if self._dialect.find_file(job, now) == name:
                return job
        raise RefusedError(self._dialect.unknown_file(name))


def _is_cloud(request: Request) -> bool:
    return "project" in request.path_params
