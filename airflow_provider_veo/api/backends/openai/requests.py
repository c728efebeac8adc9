"""Build the requests of OpenAI's Videos API, and of the chat call by which some gateways make videos."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args
from urllib.parse import quote

from airflow_provider_veo.api.answers.answer import Answer, is_usable_id
from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.backends.openai.refusals import judge
from airflow_provider_veo.api.error_answers import make_api_error
from airflow_provider_veo.api.errors import InvalidInputError, Reason
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.specs import FIELDS_OF_VIDEO, ChatSpec, VideoSpec
from airflow_provider_veo.api.verdict import Verdict

RequestFormat = Literal["auto", "json", "multipart"]
REQUEST_FORMATS: tuple[RequestFormat, ...] = get_args(RequestFormat)

_NO_RETRIES = {"x-litellm-num-retries": "0"}
"""By default LiteLLM's proxy sends an order up to three times, even if its upstream has taken it but has answered
badly. Then up to three videos are charged, and the answer may be a plain 200 (measured with 1.106.2). Other servers
ignore this header."""


def create_video(
    spec: VideoSpec, request_format: RequestFormat = "auto", idempotency_key: str | None = None
) -> ApiRequest:
    """Build the create call, which orders a video.

    Args:
        spec: Order for a video.
        request_format: Format of the body. `auto` means multipart for an order with frames, and JSON for others; see
            also `create_video_as_form`.
        idempotency_key: Key of the order. Servers that support it answer a repeated order with the job of the first.

    Raises:
        InvalidInputError: The format is `json`, and the order has frames.
    """
    frames = [("first_frame", spec.first_frame), ("last_frame", spec.last_frame)]
    uploads = [
        ("input_reference", (frame.filename(position), frame.content, frame.media_type))
        for position, frame in frames
        if frame is not None
    ]
    if request_format == "json" and uploads:
        raise InvalidInputError(
            'Frames are sent as multipart, but the connection\'s request_format is "json". Set it to "auto".'
        )
    headers = _NO_RETRIES | ({"Idempotency-Key": idempotency_key} if idempotency_key else {})
    if request_format == "json" or (request_format == "auto" and not uploads):
        return ApiRequest("POST", "/v1/videos", json=spec.fields(), headers=headers)
    fields = [(name, (None, _form_value(value))) for name, value in _form_fields(spec).items()]
    return ApiRequest("POST", "/v1/videos", parts=(*fields, *uploads), headers=headers)


def create_video_as_form(
    spec: VideoSpec, request_format: RequestFormat, idempotency_key: str | None, answer: Answer
) -> ApiRequest | None:
    """Build the create call as multipart if the server has not read the JSON one; else return None.

    Only an answer that cannot come from a server that has read the order counts: 415, or "there is no prompt". Such an
    order has surely made no job, so nothing is paid for twice.

    Args:
        spec: Order for a video.
        request_format: Format of the first call. Only `auto` permits another one.
        idempotency_key: Key of the order.
        answer: Answer to the first call.
    """
    if request_format != "auto" or create_video(spec).json is None or answer.ok:
        return None
    error = make_api_error(answer, "Creating the video")
    if error.reason is not Reason.REQUEST_FORMAT or judge(error) is Verdict.UNKNOWN:
        return None
    return create_video(spec, "multipart", idempotency_key)


def create_chat_completion(spec: ChatSpec, idempotency_key: str | None = None) -> ApiRequest:
    """Build the chat call, which orders videos and is answered by a stream of events.

    Args:
        spec: Order for the videos.
        idempotency_key: Key of the order.
    """
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"} | _NO_RETRIES
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    return ApiRequest("POST", "/v1/chat/completions", json=spec.fields(), headers=headers)


def get_video(video_id: str) -> ApiRequest:
    """Build the status call for a job."""
    return ApiRequest("GET", f"/v1/videos/{_quote(video_id)}")


def cancel_video(video_id: str) -> ApiRequest:
    """Build the call that stops a job. Few servers support it."""
    return ApiRequest("DELETE", f"/v1/videos/{_quote(video_id)}")


def get_content(video_id: str) -> ApiRequest:
    """Build the download call for a job's video."""
    return ApiRequest("GET", f"/v1/videos/{_quote(video_id)}/content")


def list_models() -> ApiRequest:
    """Build the call that lists models. It is free of charge, and servers refuse it without a valid key."""
    return ApiRequest("GET", "/v1/models")


def list_videos(limit: int = 100) -> ApiRequest:
    """Build the call that lists jobs, the newest first. Many servers do not support it.

    Args:
        limit: Most jobs to list.
    """
    return ApiRequest("GET", f"/v1/videos?limit={limit}&order=desc")


def _quote(video_id: str) -> str:
    if not isinstance(video_id, str) or not is_usable_id(video_id):
        raise InvalidInputError(f"video_id must be the id of a video job, not {make_line(repr(video_id), 100)}.")
    return quote(video_id, safe="")


def _form_fields(spec: VideoSpec) -> dict[str, Any]:
    """Return the fields of an order for a form. Each field of `metadata` is also a field of the form.

    new-api takes each unknown field of a form as one of `metadata`, so it would look for `metadata` within `metadata`.
    Other servers read the field `metadata` itself, or ignore both.
    """
    fields = spec.fields()
    metadata = fields.get("metadata")
    known = FIELDS_OF_VIDEO | set(fields)
    alone = metadata.items() if isinstance(metadata, Mapping) else ()
    return fields | {name: value for name, value in alone if isinstance(name, str) and name not in known}


def _form_value(value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()
