"""What is sent to the API, as plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import quote

from airflow_provider_veo.api.answers import Answer, is_usable_id
from airflow_provider_veo.api.error_answers import error_from
from airflow_provider_veo.api.errors import InvalidInputError, Reason
from airflow_provider_veo.api.frames import Frame, FrameUrl
from airflow_provider_veo.api.models import check_frames
from airflow_provider_veo.api.own_words import OwnWords
from airflow_provider_veo.api.refusals import Verdict, judge
from airflow_provider_veo.api.text import for_people

RequestFormat = Literal["auto", "json", "multipart"]
REQUEST_FORMATS: tuple[RequestFormat, ...] = get_args(RequestFormat)

FormPart = tuple[str | None, bytes] | tuple[str | None, bytes, str]

_ONCE = {"x-litellm-num-retries": "0"}
"""By default LiteLLM's proxy repeats an order twice, also where its upstream has taken it and answered badly. Up to
three videos are charged then, and the answer may be a plain 200 (measured with 1.106.2). Other servers ignore it."""


@dataclass(frozen=True)
class ApiRequest:
    """An HTTP request below the base URL.

    Attributes:
        method: HTTP method.
        path: with every part quoted.
        json: the body, if it is JSON.
        parts: the body, if it is multipart: (field name, (file name or None, bytes[, media type])).
        headers: besides those that every request has.
    """

    method: str
    path: str
    json: Mapping[str, Any] | None = None
    parts: tuple[tuple[str, FormPart], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VideoSpec:
    """The order for a video. Checked when it is made, so that nothing wrong is ever paid for.

    Attributes:
        prompt: what to show.
        model: free string; known ones are checked against the price card.
        first_frame: the picture to start from.
        last_frame: the picture to end in.
        seconds: length; passed on as text, as the API wants it. The Veo 3.1 models of the card ignore it.
        size: `<width>x<height>`; passed on. The models of the card choose it by their name.
        extra_body: further fields of the request, for servers that take more.

    Raises:
        InvalidInputError: on construction.
    """

    prompt: str
    model: str
    first_frame: Frame | None = None
    last_frame: Frame | None = None
    seconds: int | float | str | None = None
    size: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_order(self, {"prompt", "model", "seconds", "size", "input_reference"})

    def fields(self) -> dict[str, Any]:
        """Return the request's fields without the frames, as JSON values."""
        fields: dict[str, Any] = {"prompt": self.prompt, "model": self.model}
        if self.seconds is not None:
            # a number is refused by Go servers: "cannot unmarshal number into ... of type string"
            fields["seconds"] = str(self.seconds)
        if self.size is not None:
            fields["size"] = self.size
        return fields | dict(self.extra_body)

    @property
    def own_words(self) -> OwnWords:
        """The texts of the order, which errors quote."""
        return OwnWords.of(self.fields())

    def identity(self) -> Any:
        """Return a JSON value that is the same for the same order, and holds no picture."""
        return [self.fields(), self.frame_hashes()]

    def frame_hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each picture, in hexadecimal."""
        frames = {"first_frame": self.first_frame, "last_frame": self.last_frame}
        return {name: hashlib.sha256(frame.content).hexdigest() for name, frame in frames.items() if frame}


MOST_CHAT_VIDEOS = 4
"""Videos that one chat call makes at most."""


@dataclass(frozen=True)
class ChatSpec:
    """The order of a chat call. Checked when it is made, so that nothing wrong is ever paid for.

    Attributes:
        prompt: what to show.
        model: free string; known ones are checked against the price card.
        first_frame: the picture to start from.
        last_frame: the picture to end in.
        n: how many videos, 1 to 4; each is charged.
        extra_body: further fields of the request.

    Raises:
        InvalidInputError: on construction.
    """

    prompt: str
    model: str
    first_frame: Frame | FrameUrl | None = None
    last_frame: Frame | FrameUrl | None = None
    n: int = 1
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if type(self.n) is not int or not 1 <= self.n <= MOST_CHAT_VIDEOS:
            raise InvalidInputError(f"n is {self.n!r}; it must be a number from 1 to {MOST_CHAT_VIDEOS}.")
        _check_order(self, {"prompt", "messages", "model", "stream", "n"})

    @property
    def frame_urls(self) -> list[str]:
        """The frames as the request names them: addresses and `data:` URIs."""
        return [frame.url for frame in (self.first_frame, self.last_frame) if frame is not None]

    def fields(self) -> dict[str, Any]:
        """Return the request's body."""
        images = [{"type": "image_url", "image_url": {"url": url}} for url in self.frame_urls]
        content = [{"type": "text", "text": self.prompt}, *images] if images else self.prompt
        messages = [{"role": "user", "content": content}]
        return {"messages": messages, "model": self.model, "stream": True, "n": self.n} | dict(self.extra_body)

    @property
    def own_words(self) -> OwnWords:
        """The texts of the order, which errors quote."""
        return OwnWords.of(self.fields())

    def identity(self) -> Any:
        """Return a JSON value that is the same for the same order, and holds no picture."""
        return hashlib.sha256(json.dumps(self.fields(), sort_keys=True).encode()).hexdigest()


def _check_order(spec: VideoSpec | ChatSpec, taken: set[str]) -> None:
    """Check what all orders have in common.

    Args:
        spec: the order.
        taken: fields of the request that `extra_body` may not set.

    Raises:
        InvalidInputError: something is wrong.
    """
    if not isinstance(spec.prompt, str) or not spec.prompt.strip():
        raise InvalidInputError(
            f"prompt must be a text that is not empty, not {spec.prompt!r}. Check the task that delivers it."
        )
    if not isinstance(spec.model, str) or not spec.model.strip():
        raise InvalidInputError(f"model must be the name of a model, not {spec.model!r}.")
    check_frames(spec.model, first=spec.first_frame is not None, last=spec.last_frame is not None)
    if not isinstance(spec.extra_body, Mapping):
        raise InvalidInputError(f"extra_body must be a dictionary, not {type(spec.extra_body).__name__}.")
    clashing = sorted(set(spec.extra_body) & taken)
    if clashing:
        raise InvalidInputError(
            f"extra_body may not set {', '.join(clashing)}: use the argument of that name (frames: first_frame)."
        )
    try:
        json.dumps(spec.fields(), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The request cannot be written as JSON: {error}.") from None


def create_video(
    spec: VideoSpec, request_format: RequestFormat = "auto", idempotency_key: str | None = None
) -> ApiRequest:
    """Build the create call: JSON, or multipart when there are frames or the server wants nothing else.

    Args:
        spec: the order.
        request_format: `auto` decides as said above; see also `create_video_as_form`.
        idempotency_key: servers that honour it answer a repeated order with the first one's job.

    Raises:
        InvalidInputError: frames cannot go into a JSON request.
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
    headers = _ONCE | ({"Idempotency-Key": idempotency_key} if idempotency_key else {})
    if request_format == "json" or (request_format == "auto" and not uploads):
        return ApiRequest("POST", "/v1/videos", json=spec.fields(), headers=headers)
    fields = [(name, (None, _form_value(value))) for name, value in spec.fields().items()]
    return ApiRequest("POST", "/v1/videos", parts=(*fields, *uploads), headers=headers)


def chat_completion(spec: ChatSpec, idempotency_key: str | None = None) -> ApiRequest:
    """Build the chat call, whose answer is a stream of events."""
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"} | _ONCE
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    return ApiRequest("POST", "/v1/chat/completions", json=spec.fields(), headers=headers)


def create_video_as_form(
    spec: VideoSpec, request_format: RequestFormat, idempotency_key: str | None, answer: Answer
) -> ApiRequest | None:
    """Build the create call once more as multipart, if the server did not read the JSON one; else return None.

    Only an answer that cannot come from a server that has read the order counts (415, or "there is no prompt"): that
    one has surely made no job, so that nothing is paid for twice.

    Args:
        spec: the order.
        request_format: only `auto` may choose another one.
        idempotency_key: of the order.
        answer: to the first call.
    """
    if request_format != "auto" or create_video(spec).json is None or answer.ok:
        return None
    error = error_from(answer, "Creating the video")
    if error.reason is not Reason.REQUEST_FORMAT or judge(error) is Verdict.UNKNOWN:
        return None
    return create_video(spec, "multipart", idempotency_key)


def get_video(video_id: str) -> ApiRequest:
    """Build the status call."""
    return ApiRequest("GET", f"/v1/videos/{_quoted(video_id)}")


def cancel_video(video_id: str) -> ApiRequest:
    """Build the call that stops a job, which few servers have."""
    return ApiRequest("DELETE", f"/v1/videos/{_quoted(video_id)}")


def get_content(video_id: str) -> ApiRequest:
    """Build the download call."""
    return ApiRequest("GET", f"/v1/videos/{_quoted(video_id)}/content")


def list_models() -> ApiRequest:
    """Build the call that lists models: free of charge, and refused without a valid key."""
    return ApiRequest("GET", "/v1/models")


def _quoted(video_id: str) -> str:
    if not isinstance(video_id, str) or not is_usable_id(video_id):
        raise InvalidInputError(f"video_id must be the id of a video job, not {for_people(repr(video_id), 100)}.")
    return quote(video_id, safe="")


def _form_value(value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()
