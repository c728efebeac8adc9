"""The routes of Veo on Google Cloud. The dialect decides about the answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_veo.emulator.dialects.vertex import Vertex, count_videos
from airflow_provider_veo.emulator.google_cloud import GoogleCloud
from airflow_provider_veo.emulator.messages import RefusedError
from airflow_provider_veo.emulator.site import Site, make_response

_MODEL = "/{version}/projects/{project}/locations/{location}/publishers/google/models/{model}"


class OperationsRoutes:
    """The calls that order a video, and that ask for it.

    Args:
        site: The jobs, and the files of their videos.
        dialect: Dialect of the answers.
        cloud: Tokens and buckets.
    """

    def __init__(self, site: Site, dialect: Vertex, cloud: GoogleCloud) -> None:
        self._site = site
        self._dialect = dialect
        self._cloud = cloud
        self.routes = [
            Route(f"{_MODEL}:predictLongRunning", self._create, methods=["POST"]),
            Route(f"{_MODEL}:fetchPredictOperation", self._status, methods=["POST"]),
        ]

    async def _create(self, request: Request) -> Response:
        self._cloud.authorize(request)
        model = _read_model(request)
        accepted = self._dialect.accept(model, await self._site.read_order(request))
        job = self._site.jobs.order(self._dialect.new_id(model), accepted)
        return make_response(self._dialect.created(job))

    async def _status(self, request: Request) -> Response:
        self._cloud.authorize(request)
        name = (await self._site.read_object(request)).get("operationName")
        job = self._site.jobs.get(str(name))
        if job is None or not job.id.startswith(f"{_read_model(request)}/"):
            raise RefusedError(self._dialect.unknown_operation())
        self._site.jobs.counters.polls += 1
        now = self._site.jobs.clock()
        videos = []
        if job.status(now) == "completed":
            found = await self._cloud.describe_videos(job, count_videos(job), ("gcsUri", "bytesBase64Encoded"))
            videos = [video | {"mimeType": "video/mp4"} for video in found]
        return make_response(self._dialect.status(job, now, videos))


def _read_model(request: Request) -> str:
    """Return the whole name of the model in the path of a request."""
    return request.url.path.split("/", 2)[2].rpartition(":")[0]
