"""What is sent to the API, as plain data."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from typing import Any, Literal, get_args
from urllib.parse import quote

from airflow_provider_veo.api.answers.answer import Answer, is_usable_id
from airflow_provider_veo.api.answers.own_words import OwnWords
from airflow_provider_veo.api.answers.text import make_line, show
from airflow_provider_veo.api.backends.openai.refusals import Verdict, judge
from airflow_provider_veo.api.backends.profiles import check_frames
from airflow_provider_veo.api.error_answers import error_from
from airflow_provider_veo.api.errors import InvalidInputError, Reason
from airflow_provider_veo.api.formats.frames import Frame, FrameUrl

RequestFormat = Literal["auto", "json", "multipart"]
REQUEST_FORMATS: tuple[RequestFormat, ...] = get_args(RequestFormat)

FormPart = tuple[str | None, bytes] | tuple[str | None, bytes, str]

_ONCE = {"x-litellm-num-retries": "0"}
"""By default LiteLLM's proxy repeats an order twice, also where its upstream has taken it and answered badly. Up to
three videos are charged then, and the answer may be a plain 200 (measured with 1.106.2). Other servers ignore it."""


FIELDS_OF_VIDEO = frozenset({"prompt", "model", "seconds", "size", "input_reference"})
FIELDS_OF_CHAT = frozenset({"prompt", "messages", "model", "stream", "n"})
"""Fields of the requests that have an argument of their own, so that `extra_body` may not set them."""

LONGEST_VIDEO = 3_600
"""Seconds; new-api, which allows most, allows no more."""

_SIZE = re.compile("[1-9][0-9]{0,5}x[1-9][0-9]{0,5}")


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
        seconds: length; passed on as text, as the API wants it: 8.0 as "8". The Veo 3.1 models of the card ignore it.
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
        if self.seconds is not None:
            seconds_as_text(self.seconds)
        if self.size is not None and not isinstance(self.size, str):
            raise InvalidInputError(f"size is {show(self.size)}; it must be a text like '1280x720'.")
        _check_order(self, FIELDS_OF_VIDEO)

    def fields(self) -> dict[str, Any]:
        """Return the request's fields without the frames, as JSON values."""
        fields: dict[str, Any] = {"prompt": self.prompt, "model": self.model}
        if self.seconds is not None:
            fields["seconds"] = seconds_as_text(self.seconds)
        if self.size is not None:
            fields["size"] = self.size
        return fields | dict(self.extra_body)

    @property
    def own_words(self) -> OwnWords:
        """The texts of the order, which errors quote."""
        return OwnWords.of(self.fields())

    def identity(self) -> Any:
        """Return a JSON value that is the same for the same order, and holds no picture."""
        # as it was given: the orders on record that earlier versions have sent are known by this
        length = {} if self.seconds is None else {"seconds": str(self.seconds)}
        return [self.fields() | length, self.frame_hashes()]

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
            raise InvalidInputError(f"n is {show(self.n)}; it must be a number from 1 to {MOST_CHAT_VIDEOS}.")
        _check_order(self, FIELDS_OF_CHAT)

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


def number_of(value: Any) -> float:
    """Read a number, also from a text.

    Raises:
        ValueError: it is none, not finite, or a bool.
        TypeError: likewise.
    """
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal, str)):
        raise TypeError
    try:
        number = float(value)
    except OverflowError:
        raise ValueError from None
    if not math.isfinite(number):
        raise ValueError
    return number


def seconds_as_text(seconds: Any) -> str:
    """Return the length of a video as servers read it: a number without a fraction wherever it has none.

    A JSON number is refused by servers in Go. "8.0" is refused by some, and others ignore it without a word and make
    (and charge) a video of another length, as they do with words and with numbers that are not above 0.

    Raises:
        InvalidInputError: no server would make a video of it.
    """
    try:
        number = number_of(seconds)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number <= LONGEST_VIDEO:
        raise InvalidInputError(
            f"seconds is {show(seconds)}; it must be the length of the video in seconds: a number like 8, above 0 and "
            f"at most {LONGEST_VIDEO}."
        )
    return str(int(number)) if number.is_integer() else str(number)


def ignored_warnings(spec: VideoSpec) -> Iterator[str]:
    """Say what in an order some servers ignore without a word, so that they make and charge another video.

    Args:
        spec: the order.
    """
    if spec.seconds is not None and "." in (length := seconds_as_text(spec.seconds)):
        yield (
            f"seconds is {length}: most servers take whole seconds only. Some refuse others, and some ignore them and "
            "make, and charge, a video of their usual length."
        )
    if spec.size is not None and not _SIZE.fullmatch(spec.size):
        yield (
            f"size is {show(spec.size)}, and not written like 1280x720. Some servers take that, some refuse it, and "
            "some ignore it and make, and charge, a video of their usual size."
        )


def check_fields(extra_body: Any, taken: Collection[str]) -> None:
    """Check the further fields of a request.

    Args:
        extra_body: to be sent beside the fields that have an argument of their own.
        taken: those.

    Raises:
        InvalidInputError: something is wrong.
    """
    if not isinstance(extra_body, Mapping):
        hint = "A template gives one where the Dag has render_template_as_native_obj=True."
        raise InvalidInputError(
            f"extra_body must be a dictionary, not {type(extra_body).__name__}. "
            f"{hint if isinstance(extra_body, str) else ''}".strip()
        )
    if odd := [name for name in extra_body if not isinstance(name, str) or not name.strip()]:
        raise InvalidInputError(f"extra_body has the field {show(odd[0])}; the name of a field must be a text.")
    if clashing := sorted(set(extra_body) & set(taken)):
        raise InvalidInputError(
            f"extra_body may not set {', '.join(clashing)}: use the argument of that name (frames: first_frame)."
        )
    _check_json(extra_body)


def _check_json(fields: Mapping[str, Any]) -> None:
    try:
        json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"The request cannot be written as JSON: {make_line(str(error), 200)}. Use texts, finite numbers, True, "
            "False, None, lists and dictionaries."
        ) from None


def _check_order(spec: VideoSpec | ChatSpec, taken: Collection[str]) -> None:
    """Check what all orders have in common.

    Args:
        spec: the order.
        taken: fields of the request that `extra_body` may not set.

    Raises:
        InvalidInputError: something is wrong.
    """
    if not isinstance(spec.prompt, str) or not spec.prompt.strip():
        raise InvalidInputError(
            f"prompt must be a text that is not empty, not {show(spec.prompt)}. Check the task that delivers it."
        )
    if not isinstance(spec.model, str) or not spec.model.strip():
        raise InvalidInputError(f"model must be the name of a model, not {show(spec.model)}.")
    check_frames(spec.model, first=spec.first_frame is not None, last=spec.last_frame is not None)
    check_fields(spec.extra_body, taken)
    _check_json(spec.fields())


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
    fields = [(name, (None, _form_value(value))) for name, value in _form_fields(spec).items()]
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


def list_videos(limit: int = 100) -> ApiRequest:
    """Build the call that lists jobs, the newest first. Many servers have no such route."""
    return ApiRequest("GET", f"/v1/videos?limit={limit}&order=desc")


def _quoted(video_id: str) -> str:
    if not isinstance(video_id, str) or not is_usable_id(video_id):
        raise InvalidInputError(f"video_id must be the id of a video job, not {make_line(repr(video_id), 100)}.")
    return quote(video_id, safe="")


def _form_fields(spec: VideoSpec) -> dict[str, Any]:
    """Return the fields of an order as a form has them: those of `metadata` by themselves, too.

    new-api takes each field of a form that it does not know as one of `metadata`, so that it would look for
    `metadata` within `metadata`. Other servers read the field as it is, or ignore both.
    """
    fields = spec.fields()
    metadata = fields.get("metadata")
    known = FIELDS_OF_VIDEO | set(fields)
    alone = metadata.items() if isinstance(metadata, Mapping) else ()
    return fields | {name: value for name, value in alone if isinstance(name, str) and name not in known}


def _form_value(value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()
