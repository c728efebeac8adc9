"""The routes of the emulator. The dialect decides about the answers."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_veo.emulator.chat import CHAT_PROGRESS, ChatStream, read_chat_order
from airflow_provider_veo.emulator.clips import Clips
from airflow_provider_veo.emulator.dialects import DIALECTS
from airflow_provider_veo.emulator.faults import Faults, FaultyApp
from airflow_provider_veo.emulator.jobs import Job, Jobs
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, RefusedError, Reply
from airflow_provider_veo.emulator.page import make_page
from airflow_provider_veo.emulator.pictures import read_upload
from airflow_provider_veo.emulator.render import Scene


class RequestLog:
    """An ASGI application that logs each request: method, path and query."""

    def __init__(self, app: ASGIApp, lines: deque[str]) -> None:
        self._app = app
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._lines.append(f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}")
        await self._app(scope, receive, send)


class Emulator:
    """The server: an ASGI application over `Jobs`.

    Args:
        jobs: All jobs. Tests read and control them here.
        faults: Rules that decide which answers go wrong.
    """

    def __init__(self, jobs: Jobs, faults: Faults) -> None:
        self.jobs = jobs
        self._dialect = DIALECTS[jobs.settings.dialect](jobs.settings)
        self._clips = Clips()
        self._assets: dict[str, Scene] = {}
        routes = [
            Route("/", self._page),
            Route("/counters", self._counters),
            Route("/v1/models", self._models),
            Route("/v1/videos", self._list),
            Route("/v1/videos", self._create, methods=["POST"]),
            Route("/v1/videos/{video_id}", self._status),
            Route("/v1/videos/{video_id}", self._delete, methods=["DELETE"]),
            Route("/v1/videos/{video_id}/content", self._content),
            Route("/assets/flow/{name}.mp4", self._asset),
        ]
        if self._dialect.has_chat:
            routes.append(Route("/v1/chat/completions", self._chat, methods=["POST"]))
        app = Starlette(routes=routes, exception_handlers={RefusedError: self._refused})
        self.app = RequestLog(FaultyApp(app, faults, self._dialect, self._order_of), jobs.requests)

    def _order_of(self, scope: Scope) -> str:
        """Return the idempotency key of the order that a request makes or is about."""
        key = dict(scope["headers"]).get(b"idempotency-key", b"").decode("latin-1")
        job = self.jobs.get(scope["path"].removeprefix("/v1/videos/").partition("/")[0])
        return key or (job.key if job else "")

    async def _refused(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        self.jobs.counters.refused += 1
        return _json(error.reply)

    async def _page(self, _request: Request) -> Response:
        return HTMLResponse(make_page(self.jobs))

    async def _counters(self, _request: Request) -> Response:
        return JSONResponse(self.jobs.report())

    async def _models(self, request: Request) -> Response:
        self._authorize(request)
        return JSONResponse({"object": "list", "data": self._dialect.models()})

    async def _create(self, request: Request) -> Response:
        self._authorize(request)
        accepted = self._dialect.accept(await self._order(request))
        job_id = self._dialect.new_id(accepted.model)
        key = request.headers.get("idempotency-key", "")
        return _json(self._dialect.created(self.jobs.order(job_id, accepted, key)))

    async def _list(self, request: Request) -> Response:
        self._authorize(request)
        if not self._dialect.can_list:
            raise RefusedError(self._dialect.no_route(request.method, request.url.path))
        asked = request.query_params
        jobs = [job for job in self.jobs.all() if not job.forgotten]
        jobs = jobs[::-1] if asked.get("order") == "asc" else jobs
        limit = int(asked["limit"]) if asked.get("limit", "").isdecimal() else self._dialect.page_length
        return _json(self._dialect.listing(jobs, self.jobs.clock(), asked.get("after"), limit))

    async def _status(self, request: Request) -> Response:
        self._authorize(request)
        job = self._job(request, self._dialect.unknown_video())
        self.jobs.counters.polls += 1
        return _json(self._dialect.status(job, self.jobs.clock(), self._url(request, _scene_of_job(job))))

    async def _delete(self, request: Request) -> Response:
        self._authorize(request)
        if not (self._dialect.can_delete or self.jobs.settings.can_cancel):
            raise RefusedError(self._dialect.no_route(request.method, request.url.path))
        job = self._job(request, self._dialect.unknown_video())
        if self._dialect.can_delete:
            self.jobs.forget(job, stop=self._dialect.delete_stops or self.jobs.settings.can_cancel)
            return _json(self._dialect.deleted(job))
        self.jobs.cancel(job)
        return _json(self._dialect.status(self.jobs.get(job.id) or job, self.jobs.clock(), ""))

    async def _content(self, request: Request) -> Response:
        self._authorize(request)
        job = self._job(request, self._dialect.unknown_content())
        url = self._url(request, _scene_of_job(job))
        instead = self._dialect.instead_of_content(job, self.jobs.clock(), url, request.query_params.get("variant"))
        if instead:
            return _json(instead)
        return await self._video(_scene_of_job(job), self._dialect.content_headers(job))

    async def _asset(self, request: Request) -> Response:
        scene = self._assets.get(request.path_params["name"])
        return await self._video(scene, {}) if scene else Response("Not Found", 404)

    async def _video(self, scene: Scene, headers: Mapping[str, str]) -> Response:
        path = await self._clips.render_file(scene)
        self.jobs.counters.content_requests += 1
        self.jobs.counters.content_bytes += path.stat().st_size
        if self._dialect.takes_ranges:
            return FileResponse(path, media_type="video/mp4", headers=headers)
        return Response(path.read_bytes(), media_type="video/mp4", headers=headers)

    async def _chat(self, request: Request) -> Response:
        self._authorize(request)
        order = read_chat_order(self._json_object(await request.body()), self._dialect)
        model = order.accepted.model
        scenes = [_scene_of(order.accepted, f"{model.id} {number}") for number in range(1, order.count + 1)]
        urls = [self._url(request, scene) for scene in scenes]
        counters = self.jobs.counters
        counters.chat_requests += 1
        counters.chat_videos += order.count
        counters.chat_usd += (
            order.count * model.price_usd
        )  # at once: the gateway charges for HTTP 200, even if the call fails
        stream = ChatStream(order.accepted.prompt, model, int(self.jobs.clock()))
        if order.stream:
            return StreamingResponse(self._chat_chunks(stream, urls), media_type="text/event-stream")
        texts = [text async for text in self._chat_texts(stream, urls)]
        return JSONResponse(stream.completion(texts))

    async def _chat_texts(self, stream: ChatStream, urls: list[str]) -> AsyncIterator[str]:
        yield stream.opening()
        yield stream.waiting()
        for percent in CHAT_PROGRESS:
            await asyncio.sleep(self.jobs.settings.generation_seconds / len(CHAT_PROGRESS))
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
        if not self._dialect.takes_key(sent, self.jobs.settings.api_key):
            raise RefusedError(self._dialect.wrong_key(sent))

    async def _order(self, request: Request) -> OrderRequest:
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return OrderRequest(self._json_object(await request.body()))
        async with request.form() as form:
            files = [await item.read() for item in form.getlist("input_reference") if isinstance(item, UploadFile)]
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
        try:
            pictures = [await asyncio.to_thread(read_upload, file) for file in files]
        except ValueError as error:
            raise RefusedError(self._dialect.bad_picture(error)) from None
        return OrderRequest(fields, tuple(pictures), is_form=True)

    def _json_object(self, body: bytes) -> dict[str, Any]:
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            self._dialect.refuse(400, "The request body is not a JSON object", "invalid_json")
        return parsed

    def _job(self, request: Request, unknown: Reply) -> Job:
        job = self.jobs.get(request.path_params["video_id"])
        if job is None:
            raise RefusedError(unknown)
        return job

    def _url(self, request: Request, scene: Scene) -> str:
        self._assets[scene.key] = scene
        return str(request.url_for(self._asset.__name__, name=scene.key))


def _json(reply: Reply) -> Response:
    return JSONResponse(reply.body, reply.status, reply.headers)


def _scene_of_job(job: Job) -> Scene:
    options = [f"{name} {value}" for name, value in job.options.items() if value and name not in ("size", "seconds")]
    take = [f"take {job.take + 1}"] if job.take else []
    label = ", ".join([f"{job.model.id} {job.model.size}", *options, *take])
    return replace(_scene_of(AcceptedOrder(job.prompt, job.model, job.frames), label), take=job.take)


def _scene_of(order: AcceptedOrder, label: str) -> Scene:
    model = order.model
    first, last = (*order.frames, None, None)[:2]
    # the encoder needs even sides
    return Scene(order.prompt, label, model.width & ~1, model.height & ~1, model.seconds, first, last)
