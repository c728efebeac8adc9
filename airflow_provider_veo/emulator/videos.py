"""The routes of OpenAI's Videos API, and of the chat call that makes videos. The dialect decides about the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from airflow_provider_veo.emulator.chat import CHAT_PROGRESS, ChatStream, read_chat_order
from airflow_provider_veo.emulator.dialects.base import VideosDialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import RefusedError, Reply
from airflow_provider_veo.emulator.site import Site, make_response, make_scene, make_scene_of_order


class VideosRoutes:
    """The calls of one server of this API.

    Args:
        site: The jobs, and the files of their videos.
        dialect: Dialect of the answers.
    """

    def __init__(self, site: Site, dialect: VideosDialect) -> None:
        self._site = site
        self._jobs = site.jobs
        self._dialect = dialect
        self.routes = [
            Route(dialect.models_path, self._models),
            Route("/v1/videos", self._list),
            Route("/v1/videos", self._create, methods=["POST"]),
            Route("/v1/videos/{video_id}", self._status),
            Route("/v1/videos/{video_id}", self._delete, methods=["DELETE"]),
            Route("/v1/videos/{video_id}/content", self._content),
        ]
        if dialect.has_chat:
            self.routes.append(Route("/v1/chat/completions", self._chat, methods=["POST"]))

    async def _models(self, request: Request) -> Response:
        self._authorize(request)
        return JSONResponse({"object": "list", "data": self._dialect.models()})

    async def _create(self, request: Request) -> Response:
        self._authorize(request)
        accepted = self._dialect.accept(await self._site.read_order(request))
        job_id = self._dialect.new_id(accepted.model)
        key = request.headers.get("idempotency-key", "")
        return make_response(self._dialect.created(self._jobs.order(job_id, accepted, key)))

    async def _list(self, request: Request) -> Response:
        self._authorize(request)
        if not self._dialect.can_list:
            raise RefusedError(self._dialect.no_route(request.method, request.url.path))
        asked = request.query_params
        jobs = [job for job in self._jobs.all() if not job.forgotten]
        jobs = jobs[::-1] if asked.get("order") == "asc" else jobs
        limit = int(asked["limit"]) if asked.get("limit", "").isdecimal() else self._dialect.page_length
        return make_response(self._dialect.listing(jobs, self._jobs.clock(), asked.get("after"), limit))

    async def _status(self, request: Request) -> Response:
        self._authorize(request)
        job = self._job(request, self._dialect.unknown_video())
        self._jobs.counters.polls += 1
        url = self._site.make_url(request, make_scene(job))
        return make_response(self._dialect.status(job, self._jobs.clock(), url))

    async def _delete(self, request: Request) -> Response:
        self._authorize(request)
        if not (self._dialect.can_delete or self._jobs.settings.can_cancel):
            raise RefusedError(self._dialect.no_route(request.method, request.url.path))
        job = self._job(request, self._dialect.unknown_video())
        if self._dialect.can_delete:
            self._jobs.forget(job, stop=self._dialect.delete_stops or self._jobs.settings.can_cancel)
            return make_response(self._dialect.deleted(job))
        self._jobs.cancel(job)
        return make_response(self._dialect.status(self._jobs.get(job.id) or job, self._jobs.clock(), ""))

    async def _content(self, request: Request) -> Response:
        self._authorize(request)
        job = self._job(request, self._dialect.unknown_content())
        url = self._site.make_url(request, make_scene(job))
        instead = self._dialect.instead_of_content(job, self._jobs.clock(), url, request.query_params)
        if instead:
            return make_response(instead)
        headers = self._dialect.content_headers(job)
        return await self._site.send_file(make_scene(job), headers, takes_ranges=self._dialect.takes_ranges)

    async def _chat(self, request: Request) -> Response:
        self._authorize(request)
        order = read_chat_order(await self._site.read_object(request), self._dialect)
        model = order.accepted.model
        scenes = [make_scene_of_order(order.accepted, f"{model.id} {number}") for number in range(1, order.count + 1)]
        urls = [self._site.make_url(request, scene) for scene in scenes]
        counters = self._jobs.counters
        counters.chat_requests += 1
        counters.chat_videos += order.count
        counters.chat_usd += (
            order.count * model.price_usd
        )  # at once: the gateway charges for HTTP 200, even if the call fails
        stream = ChatStream(order.accepted.prompt, model, int(self._jobs.clock()))
        if order.stream:
            return StreamingResponse(self._chat_chunks(stream, urls), media_type="text/event-stream")
        texts = [text async for text in self._chat_texts(stream, urls)]
        return JSONResponse(stream.completion(texts))

    async def _chat_texts(self, stream: ChatStream, urls: list[str]) -> AsyncIterator[str]:
        yield stream.opening()
        yield stream.waiting()
        for percent in CHAT_PROGRESS:
            await asyncio.sleep(self._jobs.settings.generation_seconds / len(CHAT_PROGRESS))
            yield stream.progress(percent)
        for index, url in enumerate(urls, 1):
            yield stream.finished(index, url)

    async def _chat_chunks(self, stream: ChatStream, urls: list[str]) -> AsyncIterator[bytes]:
        yield stream.role()
        texts = []
        async for text in self._chat_texts(stream, urls):
            texts.append(text)
            yield stream.chunk(text)
        for chunk in stream.end(texts):
            yield chunk

    def _authorize(self, request: Request) -> None:
        sent = request.headers.get("authorization", "")
        if not self._dialect.takes_key(sent, self._jobs.settings.api_key):
            raise RefusedError(self._dialect.wrong_key(sent))

    def _job(self, request: Request, unknown: Reply) -> Job:
        job = self._jobs.get(request.path_params["video_id"])
        if job is None:
            raise RefusedError(unknown)
        return job
