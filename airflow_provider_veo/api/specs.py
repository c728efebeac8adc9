"""Orders as plain data: the videos that a caller wants, for servers of every protocol."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from typing import Any

from airflow_provider_veo.api.answers.own_words import OwnWords
from airflow_provider_veo.api.answers.text import make_line, show
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame, FrameUrl

FIELDS_OF_VIDEO = frozenset({"prompt", "model", "seconds", "size", "input_reference"})
"""Fields of the create call that arguments set, so that `extra_body` may not."""

FIELDS_OF_CHAT = frozenset({"prompt", "messages", "model", "stream", "n"})
"""Fields of the chat call that arguments set, so that `extra_body` may not."""

LONGEST_VIDEO = 3_600
"""Longest video that can be ordered, in seconds. new-api allows more than all other servers, and this is its limit."""

MOST_CHAT_VIDEOS = 4
"""Most videos that one chat call can order."""

_SIZE = re.compile("[1-9][0-9]{0,5}x[1-9][0-9]{0,5}")


@dataclass(frozen=True)
class VideoSpec:
    """The order for one video. It is checked on construction, so that nothing wrong is ever paid for.

    Attributes:
        prompt: Description of the video.
        model: Name of the model; any text.
        first_frame: Picture that the video starts from.
        last_frame: Picture that the video ends in.
        seconds: Length of the video in seconds. Servers get it as text: 8.0 as "8".
        size: Size of the video, as `<width>x<height>` in pixels.
        extra_body: Further fields of the request, for servers that take more.

    Raises:
        InvalidInputError: A value cannot be ordered from any server.
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
            format_seconds(self.seconds)
        if self.size is not None and not isinstance(self.size, str):
            raise InvalidInputError(f"size is {show(self.size)}; it must be a text like '1280x720'.")
        _check_order(self, FIELDS_OF_VIDEO)

    def fields(self) -> dict[str, Any]:
        """Return the fields of the request without the frames, as JSON values."""
        fields: dict[str, Any] = {"prompt": self.prompt, "model": self.model}
        if self.seconds is not None:
            fields["seconds"] = format_seconds(self.seconds)
        if self.size is not None:
            fields["size"] = self.size
        return fields | dict(self.extra_body)

    @property
    def own_words(self) -> OwnWords:
        """The texts of the order, which servers quote in errors."""
        return OwnWords.of(self.fields())

    def identity(self) -> Any:
        """Return a JSON value that is equal for equal orders, and that holds no picture."""
        # seconds as they were given: order records of earlier versions have this form
        length = {} if self.seconds is None else {"seconds": str(self.seconds)}
        return [self.fields() | length, self.hash_frames()]

    def hash_frames(self) -> dict[str, str]:
        """Return the SHA-256 of each frame, in hexadecimal."""
        frames = {"first_frame": self.first_frame, "last_frame": self.last_frame}
        return {name: hashlib.sha256(frame.content).hexdigest() for name, frame in frames.items() if frame}


@dataclass(frozen=True)
class ChatSpec:
    """The order of a chat call. It is checked on construction, so that nothing wrong is ever paid for.

    Attributes:
        prompt: Description of the videos.
        model: Name of the model; any text.
        first_frame: Picture that the videos start from.
        last_frame: Picture that the videos end in.
        n: Number of videos, from 1 to 4. Each is charged.
        extra_body: Further fields of the request, for servers that take more.

    Raises:
        InvalidInputError: A value cannot be ordered from any server.
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
        """Return the fields of the request, as JSON values."""
        images = [{"type": "image_url", "image_url": {"url": url}} for url in self.frame_urls]
        content = [{"type": "text", "text": self.prompt}, *images] if images else self.prompt
        messages = [{"role": "user", "content": content}]
        return {"messages": messages, "model": self.model, "stream": True, "n": self.n} | dict(self.extra_body)

    @property
    def own_words(self) -> OwnWords:
        """The texts of the order, which servers quote in errors."""
        return OwnWords.of(self.fields())

    def identity(self) -> Any:
        """Return a JSON value that is equal for equal orders, and that holds no picture."""
        return hashlib.sha256(json.dumps(self.fields(), sort_keys=True).encode()).hexdigest()


def check_last_frame(*, has_first: bool, has_last: bool) -> None:
    """Refuse a last frame without a first one, which no server takes.

    Args:
        has_first: Whether the order has a first frame.
        has_last: Whether the order has a last frame.

    Raises:
        InvalidInputError: There is a last frame only.
    """
    if has_last and not has_first:
        raise InvalidInputError("last_frame needs a first_frame: a video cannot end in a frame only.")


def parse_number(value: Any) -> float:
    """Return a value as a number, also if it is a text.

    Args:
        value: Value of an argument.

    Raises:
        ValueError: The text is not a number, or the number is not finite.
        TypeError: The value is neither a number nor a text, or it is a bool.
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


def format_seconds(seconds: Any) -> str:
    """Return the length of a video as servers read it: without a fraction if the fraction is zero.

    Servers in Go refuse a JSON number. Some servers refuse "8.0", and others ignore it silently and make, and charge,
    a video of another length. They do the same with words, and with numbers that are not above 0.

    Args:
        seconds: Length of the video in seconds.

    Raises:
        InvalidInputError: No server makes a video of this length.
    """
    try:
        number = parse_number(seconds)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number <= LONGEST_VIDEO:
        raise InvalidInputError(
            f"seconds is {show(seconds)}; it must be the length of the video in seconds: a number like 8, above 0 and "
            f"at most {LONGEST_VIDEO}."
        )
    return str(int(number)) if number.is_integer() else str(number)


def find_ignored_values(spec: VideoSpec) -> Iterator[str]:
    """Yield a warning for each value that some servers ignore silently, and then make, and charge, another video.

    Args:
        spec: Order for a video.
    """
    if spec.seconds is not None and "." in (length := format_seconds(spec.seconds)):
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
        extra_body: Further fields to send.
        taken: Fields that an argument of the same name sets.

    Raises:
        InvalidInputError: The fields are not a dictionary of JSON values, or an argument of that name exists.
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
    if not isinstance(spec.prompt, str) or not spec.prompt.strip():
        raise InvalidInputError(
            f"prompt must be a text that is not empty, not {show(spec.prompt)}. Check the task that delivers it."
        )
    if not isinstance(spec.model, str) or not spec.model.strip():
        raise InvalidInputError(f"model must be the name of a model, not {show(spec.model)}.")
    check_last_frame(has_first=spec.first_frame is not None, has_last=spec.last_frame is not None)
    check_fields(spec.extra_body, taken)
    _check_json(spec.fields())
