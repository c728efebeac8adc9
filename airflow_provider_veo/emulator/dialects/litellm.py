"""The proxy of LiteLLM in front of the seed's gateway.

Source: LiteLLM 1.106.2, measured in front of a server that answers as the seed's does. Not known: the `type` of errors
other than 429, here null, and the exact words of its own complaints.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from airflow_provider_veo.api.models import VideoModel
from airflow_provider_veo.emulator.dialects.base import Dialect, openai_error
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import Accepted, Order, Reply

_EXCEPTIONS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    429: "RateLimitError",
    503: "ServiceUnavailableError",
}


class LiteLLM(Dialect):
    """Ids hold the way to the upstream in base64, and are others in status answers; errors quote the upstream's."""

    name = "litellm"
    words = MappingProxyType({})  # unknown words such as the seed's "processing" are passed on
    content_headers = MappingProxyType({"Content-Disposition": "attachment; filename=video.mp4"})
    plain_content = False
    link_type = "video/mp4"  # whatever the upstream sends is labelled so

    def takes_key(self, authorization: str, api_key: str) -> bool:
        return authorization == f"Bearer {api_key}"

    def wrong_key(self, authorization: str) -> Reply:
        if not authorization.startswith("Bearer "):
            return _error(401, "Authentication Error, No api key passed in.")
        return _error(400, "No connected db.")  # a proxy without a database knows its master key only

    def accept(self, order: Order) -> Accepted:
        if not order.is_form and "input_reference" in order.fields:
            self.refuse(400, "input_reference must be a file", "invalid_request")
        return super().accept(order)

    def new_id(self, model: VideoModel) -> str:
        return _id(model.id, super().new_id(model))

    def status(self, job: Job, now: float, url: str) -> Reply:
        if job.status(now) == "failed":
            # the upstream's `error` is a text, and the proxy wants an object: so it goes for ever
            return _error(500, "1 validation error for VideoObject\nerror\n  Input should be a valid dictionary")
        reply = super().status(job, now, url)
        return replace(reply, body={**reply.body, "id": _id("", _upstream_id(job.id))})

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        return {
            **super().video(job, word, progress),
            "expires_at": None,
            "remixed_from_video_id": None,
            "usage": {"duration_seconds": float(job.model.seconds)},
        }

    def error(self, status: int, message: str, code: str) -> Reply:
        name = _EXCEPTIONS.get(status, "InternalServerError")
        upstream = json.dumps(openai_error(status, message, code).body)
        return _error(status, f"litellm.{name}: {name}: OpenAIException - {upstream}")

    def no_route(self, method: str, path: str) -> Reply:
        # a list is refused for want of the name of an upstream
        return _error(400, "custom_llm_provider is required") if method == "GET" else super().no_route(method, path)

    def unknown_video(self) -> Reply:
        return self.server_error()  # it asks api.openai.com about it

    def not_ready(self, word: str) -> Reply:
        upstream = super().not_ready(word)
        return self.error(upstream.status, upstream.body["error"]["message"], "")

    def rate_limit(self, seconds: float) -> Reply:
        reply = super().rate_limit(seconds)
        return Reply(reply.body, reply.status, {"llm_provider-retry-after": reply.headers["Retry-After"]})


def _error(status: int, message: str) -> Reply:
    kind = "throttling_error" if status == 429 else None
    return Reply({"error": {"message": message, "type": kind, "param": None, "code": str(status)}}, status)


def _id(model_id: str, upstream_id: str) -> str:
    way = f"litellm:custom_llm_provider:openai;model_id:{model_id};video_id:{upstream_id}"
    return "video_" + base64.b64encode(way.encode()).decode()


def _upstream_id(job_id: str) -> str:
    return base64.b64decode(job_id.removeprefix("video_")).decode().rpartition(":")[2]
