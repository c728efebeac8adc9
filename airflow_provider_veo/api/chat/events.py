"""The events of a chat call, as data."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_veo.api.errors import Reason

__all__ = [
    "Accepted",
    "ChatEvent",
    "Echo",
    "End",
    "Failure",
    "LeftOut",
    "Note",
    "Progress",
    "Usage",
    "VideoReady",
    "Waiting",
]


@dataclass(frozen=True)
class Accepted:
    """The server answers with HTTP 200. From here on a server may charge, even if no video comes."""


@dataclass(frozen=True)
class Echo:
    """The server repeats the order.

    Attributes:
        prompt: The prompt as the server repeats it, or the beginning of that.
        mode: The server's name for the orientation, for example `竖屏模式` (portrait), or None.
    """

    prompt: str
    mode: str | None


@dataclass(frozen=True)
class Waiting:
    """The server asks for patience."""


@dataclass(frozen=True)
class Progress:
    """The progress of the job.

    Attributes:
        percent: Progress of the job, from 0 to 100.
    """

    percent: float


@dataclass(frozen=True)
class VideoReady:
    """A video is finished.

    Attributes:
        index: Number of the video in this call, from 1.
        url: Absolute address of the video.
        instead_of: An address that an earlier event reported as a video, if more addresses came than were ordered.
            `url` is surely a video file, and `instead_of` may be any page.
    """

    index: int
    url: str
    instead_of: str | None = None


@dataclass(frozen=True)
class Failure:
    """The server reports a failure. Other videos may still come.

    Attributes:
        message: Message of the server about the failure.
        reason: The meaning of the text.
    """

    message: str
    reason: Reason


@dataclass(frozen=True)
class LeftOut:
    """A part of the server's answer is not used. There is one such event of each kind, before the end of the stream.

    Attributes:
        what: The kind, for people, as in "videos beyond the 2 that were ordered".
        count: Number of parts. If it is `MOST_COUNTED`, there may be more.
    """

    what: str
    count: int


@dataclass(frozen=True)
class Note:
    """Any other line for people.

    Attributes:
        text: Text of the line, for people.
    """

    text: str


@dataclass(frozen=True)
class Usage:
    """The tokens that the server counted.

    Attributes:
        prompt_tokens: Tokens of the prompt; 0 if the server sends no usable number.
        completion_tokens: Tokens of the answer; 0 if the server sends no usable number.
        total_tokens: Both together; 0 if the server sends no usable number.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(frozen=True)
class End:
    """The last event of every stream.

    Attributes:
        complete: Whether the server has said that the stream is complete. If not, the stream may have been cut.
        finish_reason: The server's reason, usually `stop`, or None.
    """

    complete: bool
    finish_reason: str | None


ChatEvent = Accepted | Echo | Waiting | Progress | VideoReady | Failure | LeftOut | Note | Usage | End
