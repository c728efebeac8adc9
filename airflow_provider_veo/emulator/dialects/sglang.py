"""SGLang's diffusion server, which serves video models on one's own GPUs.

Source: sgl-project/sglang, `multimodal_gen/runtime/entrypoints/openai/video_api.py`; read, not run. Not known: how it
refuses a key (401 here, in FastAPI's shape), and its list, which is left out.
"""

from __future__ import annotations

import uuid
from typing import Any

from airflow_provider_veo.api.models import VideoModel
from airflow_provider_veo.emulator.dialects.base import Dialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import Reply


class SGLang(Dialect):
    """Errors are FastAPI's; progress is 0 until it is 100."""

    name = "sglang"
    default_model = "sora-2"
    default_seconds = 4
    can_delete = True
    other_variants = False

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002
        return str(uuid.uuid4())

    def progress(self, word: str, percent: float) -> int:  # noqa: ARG002
        return 100 if word == "completed" else 0

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        return {
            **super().video(job, word, progress),
            "quality": "standard",
            "file_path": f"outputs/{job.id}.mp4",
            "error": {"message": job.failure} if word == "failed" else None,
        }

    def deleted(self, job: Job) -> Reply:
        return Reply(self.video(job, "deleted", 0))

    def error(self, status: int, message: str, code: str) -> Reply:  # noqa: ARG002
        return Reply({"detail": message}, status)

    def unknown_video(self) -> Reply:
        return self.error(404, "Video not found", "")

    def not_ready(self, word: str) -> Reply:
        message = "Video output not found" if word == "failed" else "Generation is still in-progress"
        return self.error(404, message, "")
