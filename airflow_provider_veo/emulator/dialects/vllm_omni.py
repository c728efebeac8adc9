"""vLLM-Omni, which serves video models on one's own GPUs.

Sources, read, not run: vllm-project/vllm-omni, `docs/serving/videos_api.md`, `protocol/videos.py` and the video routes
of `api_server.py`; vllm-project/vllm, `server_utils.py`, whose handlers put every HTTPException, and every request that
FastAPI finds invalid (400 there, 422 in FastAPI itself), into vLLM's error shape. Rate limits and empty accounts are no
part of it; they have its shape here.
"""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

from airflow_provider_veo.api.models import VideoModel
from airflow_provider_veo.emulator.dialects.base import Dialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import Accepted, Order, RefusedError, Reply


class VllmOmni(Dialect):
    """Forms only; a failed job is answered with its error's HTTP status, the job as the body."""

    name = "vllm-omni"
    default_model = "Wan-AI/Wan2.2-T2V-A14B-Diffusers"  # each server runs one model; the documentation's example
    default_seconds = 4
    can_delete = True
    can_list = True

    def takes_key(self, authorization: str, api_key: str) -> bool:
        return authorization == f"Bearer {api_key}"

    def wrong_key(self, authorization: str) -> Reply:  # noqa: ARG002
        return Reply({"error": "Unauthorized"}, 401)

    def accept(self, order: Order) -> Accepted:
        if not order.is_form or "prompt" not in order.fields:
            missing = {"type": "missing", "loc": ("body", "prompt"), "msg": "Field required", "input": None}
            raise RefusedError(_error(400, f"1 validation error:\n  {missing}", "body.prompt"))
        # FastAPI hands the last of several files to a parameter for one (measured)
        return super().accept(Order(order.fields, order.pictures[-1:], order.is_form))

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002
        return f"video_gen_{uuid.uuid4().hex}"

    def status(self, job: Job, now: float, url: str) -> Reply:
        reply = super().status(job, now, url)
        return Reply(reply.body, 500) if job.status(now) == "failed" else reply

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        completed = word == "completed"
        return {
            **super().video(job, word, progress),
            "prompt": job.prompt,
            "quality": "default",
            "remixed_from_video_id": None,
            "error": {"code": 500, "message": job.failure} if word == "failed" else None,
            "media_type": "video/mp4",
            "expires_at": None,
            "file_name": f"{job.id}.mp4" if completed else None,
            "inference_time_s": job.generation_seconds if completed else None,
            "stage_durations": {},
            "peak_memory_mb": 0.0,
        }

    def error(self, status: int, message: str, code: str) -> Reply:  # noqa: ARG002 - its code is the HTTP status
        return _error(status, message)

    def unknown_video(self) -> Reply:
        return self.error(404, "Video not found", "")

    def not_ready(self, word: str) -> Reply:
        if word == "failed":
            return self.error(422, "Video generation failed. Check job status for error details.", "")
        return self.error(404, "Generation is still in-progress", "")


def _error(status: int, message: str, param: str | None = None) -> Reply:
    error = {"message": message, "type": HTTPStatus(status).phrase, "param": param, "code": status}
    return Reply({"error": error}, status)
