"""The server of FastVideo, which runs video models on your own GPUs.

Sources: `entrypoints/openai/video_api.py` of the package `fastvideo` 0.2.1, and its answers, measured with a generator
that makes no videos.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.dialects.base import parse_sides
from airflow_provider_veo.emulator.dialects.fastapi_app import FastApi
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import Reply


class FastVideo(FastApi):
    """A job is `queued` until it ends. A wrong size is ignored silently, and 0 seconds are accepted."""

    name = "fastvideo"
    owner = "fastvideo"
    words = MappingProxyType({"processing": "queued"})

    def model(self, name: str, fields: Mapping[str, Any]) -> VideoModel:
        size = fields.get("size") if parse_sides(fields.get("size")) else None
        # for 0 seconds the server makes 0 frames; the shortest video of the emulator has one second
        return super().model(name, {"size": size, "seconds": max(1, self._seconds(fields))})

    def _seconds(self, fields: Mapping[str, Any]) -> int:
        seconds = fields.get("seconds")
        return self.default_seconds if seconds in (None, "") else int(float(seconds))

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002
        return uuid.uuid4().hex

    def progress(self, word: str, percent: float) -> int:  # noqa: ARG002
        return 100 if word == "completed" else 0

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        size = job.options.get("size")
        return {
            **super().video(job, word, progress),
            "size": size if parse_sides(size) else "",
            "seconds": str(self._seconds(job.options)),
            "quality": "standard",
            "url": None,
            "file_path": f"/outputs/videos/{job.id}.mp4",
            "error": {"message": job.failure} if word == "failed" else None,
            "peak_memory_mb": None,
            "inference_time_s": job.generation_seconds if word == "completed" else None,
        }

    def listing(self, jobs: Sequence[Job], now: float, after: str | None, limit: int | None) -> Reply:
        page = super().listing(jobs, now, after, limit).body
        return Reply({"data": page["data"], "object": "list"})

    def content_headers(self, job: Job) -> Mapping[str, str]:
        return {"Content-Disposition": f'attachment; filename="{job.id}.mp4"'}

    def not_ready(self, word: str) -> Reply:
        if word == "failed":
            return self.error(500, "Video generation failed", "")
        return self.error(404, "Video still being generated", "")
