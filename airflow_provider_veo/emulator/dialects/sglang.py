"""The diffusion server of SGLang, which runs video models on your own GPUs.

Sources: `multimodal_gen/runtime/entrypoints/openai/video_api.py` of the package `sglang` 0.5.23, and its answers,
measured with a scheduler that makes no videos.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.dialects.fastapi_app import FastApi
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import Reply


class SGLang(FastApi):
    """It reports each step of progress. With cloud storage, the status names an address and downloads are refused."""

    name = "sglang"
    owner = "sglang"
    page_length = 20

    def model(self, name: str, fields: Mapping[str, Any]) -> VideoModel:
        if fields.get("seconds") == 0:  # only in JSON; in a form, 0 means the default
            self.refuse(400, "num_frames must be positive", "")
        seconds = int(float(fields.get("seconds") or self.default_seconds))
        return super().model(name, {**fields, "seconds": seconds or self.default_seconds})

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002
        return str(uuid.uuid4())

    def progress(self, word: str, percent: float) -> int:
        return {"completed": 100, "queued": 0}.get(word, min(99, int(percent)))

    def status(self, job: Job, now: float, url: str) -> Reply:
        reply = super().status(job, now, url)
        if job.status(now) != "completed":
            return reply
        stored = {"file_path": None, "file_paths": [None], "url": url, "urls": [url]} if self._in_cloud() else {}
        return replace(reply, body={**reply.body, **stored})

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        completed, failed = word == "completed", word == "failed"
        path = None if failed else f"/outputs/{job.id}.mp4"
        return {
            **super().video(job, word, progress),
            "quality": "standard",
            "url": None,
            "urls": [None] if completed else None,
            "remixed_from_video_id": None,
            "expires_at": None,
            "error": {"message": job.failure} if failed else None,
            "file_path": path,
            "file_paths": [path] if completed else None,
            "num_outputs": 1 if completed else None,
            "peak_memory_mb": None,
            "inference_time_s": job.generation_seconds if completed else None,
            "revised_prompt": None,
            "action": None,
            "lidar": None,
        }

    def instead_of_content(self, job: Job, now: float, url: str, asked: Mapping[str, str]) -> Reply | None:
        stored = self.is_stored(job, now)
        if stored and self._in_cloud():
            return self.error(400, f"Video has been uploaded to cloud storage. Please use the cloud URL: {url}", "")
        variant = asked.get("variant")
        if job.status(now) == "failed" or (stored and variant not in (None, "0")):
            return self.error(404, f"Video variant {variant} not found", "")
        return super().instead_of_content(job, now, url, asked)

    def content_headers(self, job: Job) -> Mapping[str, str]:
        return {"Content-Disposition": f'attachment; filename="{job.id}.mp4"'}

    def not_ready(self, word: str) -> Reply:  # noqa: ARG002
        return self.error(404, "Generation is still in-progress", "")

    def _in_cloud(self) -> bool:
        return self.settings.content_as_link
