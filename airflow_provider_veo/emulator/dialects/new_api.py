"""new-api, the gateway program that many resellers run.

Source: QuantumNous/new-api, `relay/relay_task.go`, `controller/video_proxy.go`, `controller/relay.go`, `dto/task.go`;
read, not run. Not known, and therefore as in the seed's dialect: the words of most refusals.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from airflow_provider_veo.api.models import VideoModel
from airflow_provider_veo.emulator.dialects.base import Dialect, openai_error
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import Reply


class NewApi(Dialect):
    """Errors of its task routes are `TaskError`s: at the top level, an upstream's body as text in `message`."""

    name = "new-api"
    most_frames = 2  # form parts are passed on one by one, repeated ones too
    content_headers = MappingProxyType({"Cache-Control": "public, max-age=86400"})

    def model(self, name: str, fields: Mapping[str, Any]) -> VideoModel:
        if not isinstance(fields.get("seconds", ""), str):
            message = "json: cannot unmarshal number into Go struct field .duration of type string"
            self.refuse(400, message, "parse_request_failed")
        return super().model(name, fields)

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002
        return f"task_{secrets.token_hex(16)}"

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        video = super().video(job, word, progress) | {"task_id": job.id}
        # size and length are there for some upstreams only
        return {name: value for name, value in video.items() if value is not None and name not in ("size", "seconds")}

    def error(self, status: int, message: str, code: str) -> Reply:
        return Reply({"code": code, "message": message, "data": None}, status)

    def wrong_key(self, authorization: str) -> Reply:  # noqa: ARG002
        return Reply({"error": {"message": "Invalid token", "type": "new_api_error", "code": ""}}, 401)

    def no_route(self, method: str, path: str) -> Reply:
        return openai_error(404, f"Invalid URL ({method} {path})", "")

    def unknown_video(self) -> Reply:
        return self.error(400, "task_not_exist", "task_not_exist")

    def unknown_content(self) -> Reply:
        return Reply({"error": {"message": "Task not found", "type": "invalid_request_error"}}, 404)

    def server_error(self) -> Reply:
        upstream = openai_error(500, "upstream error", "internal_error").body
        return self.error(500, json.dumps(upstream), "fail_to_fetch_task")
