"""new-api, a gateway program that many resellers run, with a Veo channel (models `veo...`) and another one.

Source: QuantumNous/new-api, `relay/relay_task.go`, `relay/common/relay_utils.go`, `controller/video_proxy.go`,
`controller/relay.go`, `dto/task.go`, `model/task.go`, `relay/channel/task/gemini/adaptor.go`; read, not run. The words
of most refusals are not known, so they are those of the Veo 3.1 gateway.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.dialects.base import ALL, VideosDialect, make_openai_error
from airflow_provider_veo.emulator.jobs import FILTERED, Job
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, Reply

_FIELDS = ("prompt", "model", "mode", "image", "images", "size", "duration", "seconds", "input_reference")
_METADATA = ("aspectRatio", "durationSeconds", "generateAudio", "negativePrompt", "resolution", "seed")
_HEIGHTS = MappingProxyType({"720p": 720, "1080p": 1080, "4k": 2160})
_NOT_STARTED = 1  # per cent


class NewApi(VideosDialect):
    """Errors about tasks are at the top level, with the upstream's body as text in `message`."""

    name = "new-api"
    listed: ClassVar[Sequence[str]] = ("veo-3.1-generate-001", "veo-3.1-fast-generate-001")
    frames = ALL  # parts of a form are passed on one by one, including repeated ones

    def accept(self, order: OrderRequest) -> AcceptedOrder:
        options = self.options(order)
        size, seconds = _size_of(options), options.get("durationSeconds")
        chosen = {"size": size or order.fields.get("size"), "seconds": seconds or order.fields.get("seconds")}
        if not order.is_form and not isinstance(order.fields.get("seconds", ""), str):
            message = "json: cannot unmarshal number into Go struct field .duration of type string"
            self.refuse(400, message, "parse_request_failed")
        fields = {**order.fields, **{name: value for name, value in chosen.items() if value}}
        return super().accept(OrderRequest(fields, order.pictures, order.is_form))

    def options(self, order: OrderRequest) -> Mapping[str, Any]:
        """Return the fields of `metadata` in JSON, or the unknown fields of a form, which has no `metadata`."""
        metadata = order.fields.get("metadata")
        if order.is_form:
            metadata = {name: _value(text) for name, text in order.fields.items() if name not in _FIELDS}
        return {name: metadata[name] for name in _METADATA if name in metadata} if isinstance(metadata, dict) else {}

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002
        return f"task_{secrets.token_hex(16)}"

    def created(self, job: Job) -> Reply:
        return Reply(
            {
                "id": job.id,
                "task_id": job.id,
                "object": "video",
                "model": job.model.id,
                "status": "queued",
                "progress": 0,
                "created_at": int(job.created),
            }
        )

    def status(self, job: Job, now: float, url: str) -> Reply:
        word, percent = job.status(now), job.progress(now)
        body = {
            "id": job.id,
            "object": "video",
            "model": job.model.id,
            "status": self._word(job, word, percent),
            "progress": int(percent),  # 100 for a failed job, too
            "created_at": int(job.created),
            "completed_at": int(min(now, job.done_at)),  # for a running job, the time of its last update
        }
        if not _is_veo(job):
            # for a failed job, the address is replaced by the reason of the failure
            body["metadata"] = {"url": {"completed": url, "failed": job.failure}.get(word, "")}
        return Reply(body)

    def _word(self, job: Job, word: str, percent: float) -> str:
        if word == "queued" and percent < _NOT_STARTED:
            return "unknown"
        if word == "failed" and _is_filtered(job):
            return "completed"
        return self.words.get(word, word)

    def instead_of_content(self, job: Job, now: float, url: str, asked: Mapping[str, str]) -> Reply | None:
        if job.status(now) == "failed" and _is_filtered(job):
            return Reply({"error": {"message": "Failed to resolve Gemini video URL", "type": "server_error"}}, 502)
        return super().instead_of_content(job, now, url, asked)

    def content_headers(self, job: Job) -> Mapping[str, str]:  # noqa: ARG002
        return {"Cache-Control": "public, max-age=86400"}

    def error(self, status: int, message: str, code: str) -> Reply:
        return Reply({"code": code, "message": message, "data": None}, status)

    def wrong_key(self, authorization: str) -> Reply:  # noqa: ARG002
        return Reply({"error": {"message": "Invalid token", "type": "new_api_error", "code": ""}}, 401)

    def no_route(self, method: str, path: str) -> Reply:
        return make_openai_error(404, f"Invalid URL ({method} {path})", "")

    def unknown_video(self) -> Reply:
        return self.error(400, "task_not_exist", "task_not_exist")

    def unknown_content(self) -> Reply:
        return Reply({"error": {"message": "Task not found", "type": "invalid_request_error"}}, 404)

    def not_ready(self, word: str) -> Reply:
        inner = {"queued": "QUEUED", "failed": "FAILURE"}.get(word, "IN_PROGRESS")
        message = f"Task is not completed yet, current status: {inner}"
        return Reply({"error": {"message": message, "type": "invalid_request_error"}}, 400)

    def server_error(self) -> Reply:
        upstream = make_openai_error(500, "upstream error", "internal_error").body
        return self.error(500, json.dumps(upstream), "fail_to_fetch_task")


def _is_veo(job: Job) -> bool:
    return job.model.id.startswith("veo")


def _is_filtered(job: Job) -> bool:
    return _is_veo(job) and job.failure_code == FILTERED


def _value(text: str) -> Any:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _size_of(options: Mapping[str, Any]) -> str | None:
    """Return the size for `resolution` and `aspectRatio`, or None without them."""
    if not ("resolution" in options or "aspectRatio" in options):
        return None
    short = _HEIGHTS.get(str(options.get("resolution", "720p")), 720)
    long = short * 16 // 9
    return f"{short}x{long}" if options.get("aspectRatio") == "9:16" else f"{long}x{short}"
