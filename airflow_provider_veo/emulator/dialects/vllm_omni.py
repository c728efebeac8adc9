"""vLLM-Omni 0.30, which runs video models on your own GPUs.

Sources: the video routes, `protocol/videos.py` and the form helpers of the package `vllm-omni` 0.30.0, and its answers,
measured with an engine that makes no videos; vllm-project/vllm, `server_utils.py`, whose handlers put each
HTTPException and each request that FastAPI finds invalid (400 there, 422 in FastAPI itself) into vLLM's error shape.
The server has no rate limits and accounts; the emulator's errors about them have its shape. Left out: `image_reference`
and similar fields, which only MiniMax H3 reads.
"""

from __future__ import annotations

import re
import uuid
from http import HTTPStatus
from typing import Any

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.dialects.base import LAST, VideosDialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, RefusedError, Reply

_FPS = 24.0
_LENGTH = re.compile(r"[1-9]\d*")


class VllmOmni(VideosDialect):
    """It takes forms only, and has one model. The status of a failed job comes with an HTTP error status."""

    name = "vllm-omni"
    default_model = "Wan-AI/Wan2.2-T2V-A14B-Diffusers"
    default_size = "832x480"
    default_seconds = 4
    frames = LAST  # FastAPI passes the last of several files to a parameter for one file
    reads = ("size", "seconds", "seed", "negative_prompt")
    can_delete = True
    can_list = True

    def takes_key(self, authorization: str, api_key: str) -> bool:
        return authorization == f"Bearer {api_key}"

    def wrong_key(self, authorization: str) -> Reply:  # noqa: ARG002
        return Reply({"error": "Unauthorized"}, 401)

    def accept(self, order: OrderRequest) -> AcceptedOrder:
        if not order.is_form or "prompt" not in order.fields:
            missing = {"type": "missing", "loc": ("body", "prompt"), "msg": "Field required", "input": None}
            raise RefusedError(_error(400, f"1 validation error:\n  {missing}", "body.prompt"))
        asked, served = order.fields.get("model"), self._served()
        if asked not in (None, served):
            self.refuse(400, f"Model mismatch: request specifies '{asked}' but server is running '{served}'.", "")
        if not _LENGTH.fullmatch(order.fields.get("seconds", "1")):
            self.refuse(400, "seconds: String should match pattern '^[1-9]\\d*$'", "")
        return super().accept(OrderRequest({**order.fields, "model": served}, order.pictures, order.is_form))

    def _served(self) -> str:
        return self.settings.model or self.default_model

    def models(self) -> list[dict[str, Any]]:
        common = {"object": "model", "created": 0, "owned_by": "vllm", "parent": None, "max_model_len": None}
        return [{"id": self._served(), "root": self._served(), **common}]

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002
        return f"video_gen_{uuid.uuid4().hex}"

    def status(self, job: Job, now: float, url: str) -> Reply:
        reply = super().status(job, now, url)
        return Reply(reply.body, _failure_status(job)) if job.status(now) == "failed" else reply

    def progress(self, word: str, percent: float) -> int:  # noqa: ARG002
        return 100 if word == "completed" else 0

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        completed, failed = word == "completed", word == "failed"
        known = completed or "seconds" in job.options
        return {
            **super().video(job, word, progress),
            "prompt": job.prompt,
            "size": job.options.get("size"),  # as ordered, like `seconds`
            "quality": "default",
            "remixed_from_video_id": None,
            "completed_at": int(job.done_at) if completed or failed else None,
            "error": {"code": _failure_status(job), "message": job.failure} if failed else None,
            "media_type": "video/mp4",
            "expires_at": None,
            "file_name": f"{job.id}.mp4" if completed else None,
            "inference_time_s": job.generation_seconds if completed or failed else None,
            "fps": _FPS,
            "num_frames": int(job.model.seconds * _FPS) if known else None,
            "duration_s": float(job.model.seconds) if known else None,
            "metrics": None,
            "stage_durations": {},
            "peak_memory_mb": 0.0,
            "action": None,
        }

    def error(self, status: int, message: str, code: str) -> Reply:  # noqa: ARG002 - its code is the HTTP status
        return _error(status, message)

    def unknown_video(self) -> Reply:
        return self.error(404, "Video not found", "")

    def not_ready(self, word: str) -> Reply:
        if word == "failed":
            return self.error(422, "Video generation failed. Check job status for error details.", "")
        return self.error(404, "Generation is still in-progress", "")


def _failure_status(job: Job) -> int:
    """Return the HTTP status of a failed job: its error code if that is an HTTP status, or else 500."""
    return int(job.failure_code) if re.fullmatch("[45][0-9]{2}", job.failure_code) else 500


def _error(status: int, message: str, param: str | None = None) -> Reply:
    error = {"message": message, "type": HTTPStatus(status).phrase, "param": param, "code": status}
    return Reply({"error": error}, status)
