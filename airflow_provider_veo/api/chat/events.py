"""What happens in a chat call, as data."""

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
    """The server has begun to answer with HTTP 200: from here on the seed gateway charges, whatever comes."""


@dataclass(frozen=True)
class Echo:
    """What the server has understood.

    Attributes:
        prompt: as the server repeats it, or the beginning of that.
        mode: its word for the orientation, for example `竖屏模式` (portrait).
    """

    prompt: str
    mode: str | None


@dataclass(frozen=True)
class Waiting:
    """The server asks for patience."""


@dataclass(frozen=True)
class Progress:
    """How far the server is.

    Attributes:
        percent: 0 to 100.
    """

    percent: float


@dataclass(frozen=True)
class VideoReady:
    """A video is finished.

    Attributes:
        index: of the video in this call, from 1.
        url: absolute.
        instead_of: an address that was told as a video before, when more came than were ordered: this one is surely a
            video file, and that one may be any page.
    """

    index: int
    url: str
    instead_of: str | None = None


@dataclass(frozen=True)
class Failure:
    """The server says that something went wrong; other videos may still come.

    Attributes:
        message: its words.
        reason: what they mean.
    """

    message: str
    reason: Reason


@dataclass(frozen=True)
class LeftOut:
    """Some of what the server sent is not used. Told once for each kind, before the end of the stream.

    Attributes:
        what: its kind, for people, as in "videos beyond the 2 that were ordered".
        count: how many; from `MOST_COUNTED` on there may be more.
    """

    what: str
    count: int


@dataclass(frozen=True)
class Note:
    """Any other line for people.

    Attributes:
        text: of the line.
    """

    text: str


@dataclass(frozen=True)
class Usage:
    """What the server counted, in tokens; 0 where that is no sensible number."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(frozen=True)
class End:
    """The last event of every stream.

    Attributes:
        complete: the server has said that it is done; without that the stream may have been cut.
        finish_reason: the server's word, usually `stop`.
    """

    complete: bool
    finish_reason: str | None


ChatEvent = Accepted | Echo | Waiting | Progress | VideoReady | Failure | LeftOut | Note | Usage | End
