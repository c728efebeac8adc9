"""LiteLLM's proxy with four upstreams: the Veo 3.1 gateway, Google with a key, Google Cloud, and vLLM-Omni.

Source: the proxy of LiteLLM 1.108.7, measured in front of stand-ins for the Veo 3.1 gateway, vLLM-Omni and Google (for
Google Cloud with 1.110.2). The model chooses the upstream, as in the configuration of a real proxy. An unknown model is
refused.
"""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from airflow_provider_veo.api.backends.profiles import VEO_GATEWAY, VideoModel
from airflow_provider_veo.emulator.dialects.base import LAST, VideosDialect, make_openai_error, parse_sides
from airflow_provider_veo.emulator.jobs import FILTERED, Job
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, RefusedError, Reply

_EXCEPTIONS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    429: "RateLimitError",
    503: "ServiceUnavailableError",
}
_NO_LIST = "litellm.BadRequestError: LLM Provider NOT provided. Pass in the LLM provider you are trying to call."
_NO_SAMPLE = (
    "1 validation error for GeminiLongRunningOperationResponse\nresponse.generateVideoResponse.generatedSamples\n"
    "  Field required [type=missing, input_value={'raiMediaFilteredCount': 1}, input_type=dict]"
)
_NOT_COMPLETE = "Video generation is not complete yet. Please check status with video_status() before downloading."


class _Upstream(NamedTuple):
    """An upstream of the proxy.

    Attributes:
        provider: LiteLLM's name for it in IDs.
        exception: LiteLLM's name for it in errors.
        job: Template of the IDs of its jobs, with {model} and {id}.
    """

    provider: str
    exception: str
    job: str


_VEO_GATEWAY = _Upstream("openai", "OpenAIException", "video_{id}")
_GEMINI = _Upstream("gemini", "GeminiException", "models/{model}/operations/{id.hex:.12}")
_VERTEX = _Upstream(
    "vertex_ai",
    "Vertex_aiException",
    "projects/my-project/locations/us-central1/publishers/google/models/{model}/operations/{id}",
)
_VLLM = _Upstream("hosted_vllm", "Hosted_vllmException", "video_gen_{id.hex}")
_UPSTREAMS: Mapping[str, _Upstream] = MappingProxyType(
    dict.fromkeys(VEO_GATEWAY.models, _VEO_GATEWAY)
    | dict.fromkeys(("veo-3.1-generate-preview", "veo-3.1-fast-generate-preview"), _GEMINI)
    | dict.fromkeys(("veo-3.1-generate-001", "veo-3.1-fast-generate-001", "veo-3.1-lite-generate-001"), _VERTEX)
    | {"Wan-AI/Wan2.2-T2V-A14B-Diffusers": _VLLM}
)


class LiteLLM(VideosDialect):
    """IDs contain the upstream in base64 (230 to 410 characters), and errors quote the upstream's."""

    name = "litellm"
    listed = tuple(_UPSTREAMS)
    frames = LAST  # it passes on one file
    words = MappingProxyType({})  # unknown words such as the gateway's "processing" are passed on
    takes_ranges = False
    link_type = "video/mp4"  # the proxy gives every upstream's answer this type

    # --- requests

    def takes_key(self, authorization: str, api_key: str) -> bool:
        return authorization == f"Bearer {api_key}"

    def wrong_key(self, authorization: str) -> Reply:
        if not authorization.startswith("Bearer "):
            return _error(401, "Authentication Error, No api key passed in.", "auth_error")
        # a proxy without a database knows its master key only
        return _error(400, "No connected db.", "no_db_connection")

    def accept(self, order: OrderRequest) -> AcceptedOrder:
        name = order.fields.get("model")
        if "prompt" not in order.fields:
            _refuse("/videos: Missing required parameter: 'prompt'.")
        if not isinstance(name, str) or name not in _UPSTREAMS:
            _refuse(f"/videos: Invalid model name passed in model={name}. Call `/v1/models` to view available models.")
        if not order.is_form and "input_reference" in order.fields:
            _refuse("Invalid request format: AttributeError(\"'dict' object has no attribute 'read'\")")
        return super().accept(order)

    def model(self, name: str, fields: Mapping[str, Any]) -> VideoModel:
        if not _is_google(_UPSTREAMS[name]):
            return super().model(name, fields)
        # a length that is not a number is dropped silently, and any other shape becomes 16:9
        seconds = str(fields.get("seconds", "")) if str(fields.get("seconds", "")).isdecimal() else None
        width, height = parse_sides(fields.get("size")) or (16, 9)
        size = "720x1280" if height > width else "1280x720"
        return super().model(name, {"seconds": seconds, "size": size})

    # --- answers

    def models(self) -> list[dict[str, Any]]:
        return [{"id": name, "object": "model", "created": 1677610602, "owned_by": "openai"} for name in self.listed]

    def new_id(self, model: VideoModel) -> str:
        upstream = _UPSTREAMS[model.id]
        job = upstream.job.format(model=model.id, id=uuid.uuid4())
        way = f"litellm:custom_llm_provider:{upstream.provider};model_id:{model.id};video_id:{job}"
        deployment = secrets.token_hex(32)
        return "video_" + base64.b64encode(f"{way};deployment_id:{deployment}".encode()).decode()

    def created(self, job: Job) -> Reply:
        upstream = _UPSTREAMS[job.model.id]
        video = self.video(job, "processing" if _is_google(upstream) else "queued", 0)
        if upstream is _VEO_GATEWAY:
            return Reply(video | {"progress": None, "usage": {}})
        return Reply(video | {"usage": {"duration_seconds": float(job.model.seconds)}})

    def status(self, job: Job, now: float, url: str) -> Reply:
        word = job.status(now)
        upstream = _UPSTREAMS[job.model.id]
        if word == "failed" and (refusal := _make_failed_status(upstream, job)):
            return refusal
        if not _is_google(upstream):
            return super().status(job, now, url)
        # the proxy recognises a failed job of Google only on Google Cloud
        is_reported = word == "failed" and upstream is _VERTEX and job.failure_code != FILTERED
        word = {"queued": "processing", "failed": "failed" if is_reported else "completed"}.get(word, word)
        error = {"code": 3, "message": job.failure} if is_reported else None
        created = int(job.created) if upstream is _VERTEX else None
        return Reply(self.video(job, word, 0) | {"created_at": created, "error": error})

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        upstream, known = _UPSTREAMS[job.model.id], super().video(job, word, progress)
        if _is_google(upstream):
            known |= dict.fromkeys(("created_at", "completed_at", "error", "progress", "seconds", "size"))
        elif upstream is _VLLM:
            known |= {"status": VideosDialect.words.get(word, word), "size": None}
        elif word != "completed":  # the gateway has the field `created`, which the proxy drops
            known |= dict.fromkeys(("created_at", "seconds", "size"))
        return {**known, "expires_at": None, "remixed_from_video_id": None, "usage": None}

    def instead_of_content(self, job: Job, now: float, url: str, asked: Mapping[str, str]) -> Reply | None:
        upstream, word = _UPSTREAMS[job.model.id], job.status(now)
        if not _is_google(upstream) or self.is_stored(job, now):
            return super().instead_of_content(job, now, url, asked)
        if word != "failed":
            message = _NOT_COMPLETE
        elif upstream is _VERTEX:
            message = "No video data found in completed operation"
        else:
            message = _NO_SAMPLE if job.failure_code == FILTERED else "No response data in completed operation"
        kind = (
            "InternalServerError: Vertex_aiException InternalServerError -"
            if upstream is _VERTEX
            else "APIConnectionError:"
        )
        return _error(500, f"litellm.{kind} {message}", "internal_server_error")

    def content_headers(self, job: Job) -> Mapping[str, str]:
        return {"Content-Disposition": f"attachment; filename=video_{job.id}.mp4"}

    # --- errors

    def error(self, status: int, message: str, code: str) -> Reply:
        return _quoted(status, _VEO_GATEWAY, make_openai_error(status, message, code).body)

    def no_route(self, method: str, path: str) -> Reply:  # noqa: ARG002
        # the proxy refuses to list jobs without the name of an upstream
        return _error(400, _NO_LIST) if method == "GET" else Reply({"detail": "Method Not Allowed"}, 405)

    def unknown_video(self) -> Reply:
        # the proxy asks api.openai.com for it
        return _error(500, "litellm.InternalServerError: InternalServerError: OpenAIException - Cannot connect to host")

    def not_ready(self, word: str) -> Reply:
        upstream = super().not_ready(word)
        return _quoted(upstream.status, _VEO_GATEWAY, upstream.body)

    def rate_limit(self, seconds: float) -> Reply:
        reply = super().rate_limit(seconds)
        return Reply(reply.body, reply.status, {"llm_provider-retry-after": reply.headers["Retry-After"]})


def _is_google(upstream: _Upstream) -> bool:
    return upstream in (_GEMINI, _VERTEX)


def _make_failed_status(upstream: _Upstream, job: Job) -> Reply | None:
    """Return the error that answers status calls for a failed job, or None if the upstream's jobs have a status."""
    if upstream is _VEO_GATEWAY:  # the upstream's `error` is a text, and the proxy expects an object
        message = "1 validation error for VideoObject\nerror\n  Input should be a valid dictionary [type=dict_type"
        return _error(500, f"litellm.InternalServerError: InternalServerError: OpenAIException - {message}]")
    if upstream is _GEMINI and job.failure_code == FILTERED:
        return _error(500, f"litellm.InternalServerError: GeminiException InternalServerError - {_NO_SAMPLE}")
    if upstream is _VLLM:  # HTTP 500, and the job as the body
        error = {"code": 500, "message": job.failure}
        fields = {"model": job.model.id, "prompt": job.prompt, "id": f"video_gen_{uuid.UUID(int=0).hex}"}
        return _quoted(500, upstream, {**fields, "object": "video", "status": "failed", "progress": 0, "error": error})
    return None


def _quoted(status: int, upstream: _Upstream, body: Mapping[str, Any]) -> Reply:
    """Return an error that contains the upstream's error as text."""
    name = _EXCEPTIONS.get(status, "InternalServerError")
    twice = f" {name}:" if status >= 500 else ""
    note = "\n\nLiteLLM: the model group failed with the error above. No fallback was attempted."
    return _error(status, f"litellm.{name}:{twice} {upstream.exception} - {json.dumps(body)}{note}")


def _refuse(message: str) -> NoReturn:
    raise RefusedError(_error(400, message))


def _error(status: int, message: str, kind: str = "") -> Reply:
    kinds = {401: "auth_error", 429: "throttling_error", 500: "internal_server_error"}
    fields = {"message": message, "type": kind or kinds.get(status, "invalid_request_error"), "param": None}
    return Reply({"error": {**fields, "code": str(status)}}, status)
