"""The emulator's routes."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_veo.api.models import CARD, VideoModel
from airflow_provider_veo.emulator import seed
from airflow_provider_veo.emulator.faults import Faults, FaultyApp
from airflow_provider_veo.emulator.jobs import Job, Jobs, known_model
from airflow_provider_veo.emulator.page import counters_page
from airflow_provider_veo.emulator.render import Scene, render

_MOST_CHAT_VIDEOS = 4


class RefusedError(Exception):
    """A request that the gateway answers with an error."""

    def __init__(self, status: int, message: str, code: str) -> None:
        self.status = status
        self.body = seed.error(message, code)
        super().__init__(message)


class RequestLog:
    """An ASGI application that writes down what is asked: method, path and query."""

    def __init__(self, app: ASGIApp, lines: deque[str]) -> None:
        self._app = app
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._lines.append(f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}")
        await self._app(scope, receive, send)


class Emulator:
    """The gateway: an ASGI application over `Jobs`.

    Args:
        jobs: its memory, also the place for tests to look at and to steer.
        faults: which answers go wrong.
    """

    def __init__(self, jobs: Jobs, faults: Faults) -> None:
        self.jobs = jobs
        self._folder = Path(tempfile.mkdtemp(prefix="veo-emulator-"))
        self._rendering: dict[str, asyncio.Task[None]] = {}
        self._assets: dict[str, Scene] = {}
        self._routes = Starlette(
            routes=[
                Route("/", self._page),
                Route("/counters", self._counters),
                Route("/v1/models", self._models),
                Route("/v1/videos", self._create, methods=["POST"]),
                Route("/v1/videos/{video_id}", self._status),
                Route("/v1/videos/{video_id}", self._cancel, methods=["DELETE"]),
                Route("/v1/videos/{video_id}/content", self._content),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/assets/flow/{name}.mp4", self._asset),
            ],
            exception_handlers={RefusedError: self._refused},
            lifespan=self._lifespan,
        )
        self.app = RequestLog(FaultyApp(self._routes, faults, self._order_of), jobs.requests)

    def _order_of(self, scope: Scope) -> str:
        """Return the idempotency key of the order that a request makes or asks about."""
        key = dict(scope["headers"]).get(b"idempotency-key", b"").decode("latin-1")
        job = self.jobs.get(scope["path"].removeprefix("/v1/videos/").partition("/")[0])
        return key or (job.key if job else "")

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        yield
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _refused(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        self.jobs.counters.refused += 1
        return JSONResponse(error.body, error.status)

    async def _page(self, _request: Request) -> Response:
        return HTMLResponse(counters_page(self.jobs))

    async def _counters(self, _request: Request) -> Response:
        return JSONResponse(self.jobs.report())

    async def _models(self, request: Request) -> Response:
        self._authorize(request)
        models = [{"id": name, "object": "model", "owned_by": "veo"} for name in CARD]
        return JSONResponse({"object": "list", "data": models})

    async def _create(self, request: Request) -> Response:
        self._authorize(request)
        fields, frames = await _order(request)
        prompt, model = _prompt_and_model(fields)
        _check_frames(model, frames)
        job = self.jobs.order(prompt, model, tuple(frames), request.headers.get("idempotency-key", ""))
        return JSONResponse(seed.created(job))

    async def _cancel(self, request: Request) -> Response:
        self._authorize(request)
        if not self.jobs.settings.can_cancel:
            raise RefusedError(405, "Method Not Allowed", "method_not_allowed")
        job = self._job(request)
        self.jobs.cancel(job)
        return JSONResponse({"id": job.id, "object": "video.deleted", "deleted": True})

    async def _status(self, request: Request) -> Response:
        self._authorize(request)
        job = self._job(request)
        self.jobs.counters.polls += 1
        return JSONResponse(seed.status(job, self.jobs.clock(), self._asset_url(request, _scene(job), job.id)))

    async def _content(self, request: Request) -> Response:
        self._authorize(request)
        job = self._job(request)
        now = self.jobs.clock()
        if job.status(now) != "completed" or now < job.done_at + self.jobs.settings.content_lag:
            return JSONResponse(seed.not_completed(), 400)
        return await self._video(_scene(job))

    async def _asset(self, request: Request) -> Response:
        scene = self._assets.get(request.path_params["name"])
        return await self._video(scene) if scene else Response("Not Found", 404)

    async def _video(self, scene: Scene) -> Response:
        path = self._folder / f"{scene.key}.mp4"
        if not path.exists():
            # one rendering for all who ask at the same time; it goes on when the one who asked first hangs up
            if scene.key not in self._rendering:
                self._rendering[scene.key] = asyncio.create_task(asyncio.to_thread(render, scene, path))
                self._rendering[scene.key].add_done_callback(lambda _task: self._rendering.pop(scene.key))
            await asyncio.shield(self._rendering[scene.key])
        self.jobs.counters.content_requests += 1
        self.jobs.counters.content_bytes += path.stat().st_size
        return FileResponse(path, media_type="video/mp4")

    async def _chat(self, request: Request) -> Response:
        self._authorize(request)
        body = _json_object(await request.body())
        prompt, frames = _chat_prompt(body.get("messages"))
        prompt, model = _prompt_and_model({"prompt": prompt, "model": body.get("model")})
        _check_frames(model, frames)
        count = body.get("n", 1)
        if not isinstance(count, int) or not 1 <= count <= _MOST_CHAT_VIDEOS:
            raise RefusedError(400, f"n must be between 1 and {_MOST_CHAT_VIDEOS}", "invalid_request")
        scenes = [Scene(prompt, f"{model.id} {number}", model.width, model.height, 8) for number in range(1, count + 1)]
        urls = [self._asset_url(request, scene) for scene in scenes]
        counters = self.jobs.counters
        counters.chat_requests += 1
        counters.chat_videos += count
        counters.chat_usd += count * model.price_usd  # at once: the gateway charges for HTTP 200, whatever comes
        stream = seed.ChatStream(prompt, model, int(self.jobs.clock()))
        if body.get("stream") is True:
            return StreamingResponse(self._chat_chunks(stream, urls), media_type="text/event-stream")
        texts = [text async for text in self._chat_texts(stream, urls)]
        return JSONResponse(stream.completion(texts))

    async def _chat_texts(self, stream: seed.ChatStream, urls: list[str]) -> AsyncIterator[str]:
        yield stream.opening()
        yield stream.waiting()
        for percent in seed.CHAT_PROGRESS:
            await asyncio.sleep(self.jobs.settings.generation_seconds / len(seed.CHAT_PROGRESS))
            yield stream.progress(percent)
        for index, url in enumerate(urls, 1):
            yield stream.finished(index, url)

    async def _chat_chunks(self, stream: seed.ChatStream, urls: list[str]) -> AsyncIterator[bytes]:
        yield stream.role()
        texts = []
        async for text in self._chat_texts(stream, urls):
            texts.append(text)
            yield stream.chunk(text)
        for chunk in stream.end(texts):
            yield chunk

    def _authorize(self, request: Request) -> None:
        sent = request.headers.get("authorization", "")
        if sent.removeprefix("Bearer ") != self.jobs.settings.api_key:
            raise RefusedError(401, "Invalid token", "invalid_api_key")

    def _job(self, request: Request) -> Job:
        job = self.jobs.get(request.path_params["video_id"])
        if job is None:
            raise RefusedError(404, "Task not found", "task_not_found")
        return job

    def _asset_url(self, request: Request, scene: Scene, name: str | None = None) -> str:
        name = (name or scene.key).removeprefix("video_")
        self._assets[name] = scene
        return str(request.url_for(self._asset.__name__, name=name))


def _scene(job: Job) -> Scene:
    model = job.model
    return Scene(job.prompt, f"{model.id} {model.size}", model.width, model.height, model.seconds)


async def _order(request: Request) -> tuple[dict[str, Any], list[bytes]]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return _json_object(await request.body()), []
    async with request.form() as form:
        frames = [await item.read() for item in form.getlist("input_reference") if isinstance(item, UploadFile)]
        return {name: value for name, value in form.items() if isinstance(value, str)}, frames


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise RefusedError(400, "The request body is not a JSON object", "invalid_json")
    return parsed


def _prompt_and_model(fields: dict[str, Any]) -> tuple[str, VideoModel]:
    prompt, name = fields.get("prompt"), fields.get("model")
    if not isinstance(prompt, str) or not prompt.strip():
        raise RefusedError(400, "prompt is required", "invalid_request")
    if not isinstance(name, str) or not name:
        raise RefusedError(400, "model is required", "missing_model")
    model = known_model(name)
    if model is None:
        raise RefusedError(503, f"no available channels for model {name}", "model_not_found")
    return prompt, model


def _check_frames(model: VideoModel, frames: list[bytes]) -> None:
    if frames and not model.takes_frames:
        raise RefusedError(400, f"model {model.id} does not support images", "model_not_support_image")
    if model.takes_frames and not 1 <= len(frames) <= 2:
        raise RefusedError(400, f"model {model.id} needs one or two images", "invalid_request")


def _chat_prompt(messages: Any) -> tuple[str, list[bytes]]:
    """Return the last message's text and its pictures (here: their addresses)."""
    message = messages[-1] if isinstance(messages, list) and messages else None
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content, []
    texts, frames = [], []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and part.get("type") == "text":
            texts.append(str(part.get("text", "")))
        if isinstance(part, dict) and isinstance(image := part.get("image_url"), dict):
            frames.append(str(image.get("url", "")).encode())
    return "\n".join(texts), frames
