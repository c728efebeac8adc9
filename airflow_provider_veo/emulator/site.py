"""The parts that the routes of all protocols share: orders with pictures, files of videos, and their addresses."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from airflow_provider_veo.emulator.clips import Clips
from airflow_provider_veo.emulator.dialects.dialect import Dialect
from airflow_provider_veo.emulator.jobs import TAKES, Job, Jobs
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, RefusedError, Reply
from airflow_provider_veo.emulator.pictures import read_address, read_upload
from airflow_provider_veo.emulator.render import Scene

_NOT_SHOWN = ("size", "seconds", "storageUri", "delivery", "gcs_uri")
"""Options of a job that its video does not show: it has this size and length, and the others are about its place."""


class Site:
    """The jobs of an emulator, and the files of their videos.

    Args:
        jobs: All jobs.
        dialect: Dialect of the answers.
    """

    def __init__(self, jobs: Jobs, dialect: Dialect) -> None:
        self.jobs = jobs
        self._dialect = dialect
        self._clips = Clips()
        self._assets: dict[str, Scene] = {}
        self.route = Route("/assets/flow/{name}.mp4", self._asset)

    async def read_order(self, request: Request) -> OrderRequest:
        """Return the order in a request.

        Raises:
            RefusedError: The body is not a JSON object, or a picture cannot be read.
        """
        try:
            if request.headers.get("content-type", "").startswith("multipart/form-data"):
                return await _read_form(request)
            fields = await self.read_object(request)
            addresses = self._dialect.find_pictures(fields)
            return OrderRequest(fields, tuple([await asyncio.to_thread(read_address, text) for text in addresses]))
        except ValueError as error:
            raise RefusedError(self._dialect.bad_picture(error)) from None

    async def read_object(self, request: Request) -> dict[str, Any]:
        """Return the JSON object in a request.

        Raises:
            RefusedError: The body is not a JSON object.
        """
        try:
            parsed = json.loads(await request.body())
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise RefusedError(self._dialect.bad_json())
        return parsed

    def make_url(self, request: Request, scene: Scene) -> str:
        """Return the address at which the file of a scene is, for everybody."""
        self._assets[scene.key] = scene
        return str(request.url_for(self._asset.__name__, name=scene.key))

    async def render_file(self, scene: Scene) -> Path:
        """Return the path of the file of a scene."""
        return await self._clips.render_file(scene)

    async def send_file(
        self, scene: Scene, headers: Mapping[str, str] | None = None, *, takes_ranges: bool = True
    ) -> Response:
        """Return the answer with the file of a scene, and count the download."""
        path = self._count(await self.render_file(scene))
        if takes_ranges:
            return FileResponse(path, media_type="video/mp4", headers=headers)
        return Response(path.read_bytes(), media_type="video/mp4", headers=headers)

    async def encode_file(self, scene: Scene) -> str:
        """Return the file of a scene as base64, for an answer that holds it, and count the download."""
        return base64.b64encode(self._count(await self.render_file(scene)).read_bytes()).decode()

    def _count(self, path: Path) -> Path:
        self.jobs.counters.content_requests += 1
        self.jobs.counters.content_bytes += path.stat().st_size
        return path

    async def _asset(self, request: Request) -> Response:
        scene = self._assets.get(request.path_params["name"])
        return await self.send_file(scene) if scene else Response("Not Found", 404)


async def _read_form(request: Request) -> OrderRequest:
    async with request.form() as form:
        files = [await item.read() for item in form.getlist("input_reference") if isinstance(item, UploadFile)]
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return OrderRequest(fields, tuple([await asyncio.to_thread(read_upload, file) for file in files]), is_form=True)


def make_response(reply: Reply) -> Response:
    """Return an answer with a JSON body."""
    return JSONResponse(reply.body, reply.status, reply.headers)


def make_scene(job: Job, number: int = 0) -> Scene:
    """Return the scene of a job's video.

    Args:
        job: The job.
        number: Number of the video, from 0; a job may have several, which differ.
    """
    take = (job.take + number) % TAKES
    options = [f"{name} {value}" for name, value in job.options.items() if value and name not in _NOT_SHOWN]
    shown = [f"take {take + 1}"] if take else []
    label = ", ".join([f"{job.model.id} {job.model.size}", *options, *shown])
    return replace(make_scene_of_order(AcceptedOrder(job.prompt, job.model, job.frames), label), take=take)


def make_scene_of_order(order: AcceptedOrder, label: str) -> Scene:
    """Return the scene of an order's video.

    Args:
        order: The order, as the server reads it.
        label: Text at the bottom of the video.
    """
    model = order.model
    first, last = (*order.frames, None, None)[:2]
    # the encoder needs even sides
    return Scene(order.prompt, label, model.width & ~1, model.height & ~1, model.seconds, first, last)
