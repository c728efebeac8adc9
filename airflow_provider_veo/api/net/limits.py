"""The limits of all calls in one table: bytes of an answer, and seconds of a call.

Each call has a time limit that a server cannot extend by sending bytes. Two transfers are exceptions, since the sender
chooses their length: an order with its frames, and a video. They continue as long as they are not too slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from airflow_provider_veo.api.formats.frames import MAX_FRAME_BYTES

JSON_BYTES = 1024 * 1024
"""Bytes of a JSON answer. Jobs need 1 kB. A video inside a JSON answer is read as content instead."""

ERROR_BYTES = 64 * 1024
"""Bytes of an error, and of content that is not a video: enough to find the reason."""

ECHO_BYTES = 32 * 1024 * 1024
"""Bytes of an answer of the API in which no video begins. It may repeat the frames of its order, each of 14 MB at most
as base64, before it names the video."""

CHAT_BYTES = 16 * 1024 * 1024
"""Bytes of the stream of a chat call."""

HEAD_BYTES = 256 * 1024
"""Bytes of the head of an answer, with all interim answers (1xx) before it."""

LEAST_RATE = 8 * 1024
"""Bytes per second. A transfer that is slower for as long as the connection's `timeout` is cancelled."""

MOST_WASTE = 16
"""Bytes that a connection may carry per byte of a video, since a server may send blanks for ever.

HTTP chunks of one byte need 6 bytes, and base64 with an escape for each letter needs 8.
"""

WASTE_BYTES = 1024 * 1024
"""Bytes that a connection may carry in addition."""

STATUS_SECONDS = 20.0
"""Time limit of a status call and of similar calls, unless the connection's `timeout` is shorter."""

GLANCE_SECONDS = 10.0
"""Time limit of a call whose answer is optional."""

FRAME_SECONDS = 60.0
"""Time limit for fetching a picture with all redirects."""


@dataclass(frozen=True)
class Limits:
    """The limits of one call.

    Attributes:
        most_bytes: Bytes that are read of the body of a good answer. The rest is dropped.
        timeout: Seconds until the connection must be made, and seconds for which a transfer may be slower than
            `LEAST_RATE`.
        whole: Seconds from the beginning to the end of the call.
        answer: Seconds from the last sent byte to the end of the answer; with `flows`, to the end of its head.
        flows: Whether the body is a video. Its transfer may take any time as long as it is not too slow.
    """

    most_bytes: int
    timeout: float
    whole: float = inf
    answer: float = inf
    flows: bool = False

    def most_bytes_of(self, status: int) -> int:
        """Return the number of bytes that are read of the body of an answer with this HTTP status."""
        return self.most_bytes if 200 <= status < 300 else min(ERROR_BYTES, self.most_bytes)


def of_status_call(timeout: float) -> Limits:
    """Return the limits of a status call, a cancellation, a list of models, or a test of the connection.

    Args:
        timeout: Timeout of the connection, in seconds.
    """
    seconds = min(timeout, STATUS_SECONDS)
    return Limits(JSON_BYTES, seconds, whole=seconds)


def of_optional_call(timeout: float) -> Limits:
    """Return the limits of a call whose answer is optional. `timeout` is that of the connection, in seconds."""
    return of_status_call(min(timeout, GLANCE_SECONDS))


def of_order(timeout: float) -> Limits:
    """Return the limits of an order. It has no time limit as a whole, which would leave unknown orders behind."""
    return Limits(JSON_BYTES, timeout, answer=timeout)


def of_chat(timeout: float, whole: float) -> Limits:
    """Return the limits of a chat call. The server may be silent while it makes the videos.

    Args:
        timeout: Timeout of the connection, in seconds.
        whole: Seconds that the call may take.
    """
    return Limits(CHAT_BYTES, timeout, whole=whole)


def of_content(timeout: float) -> Limits:
    """Return the limits of a call that fetches a video. `timeout` is that of the connection, in seconds."""
    return Limits(ERROR_BYTES, timeout, answer=timeout, flows=True)


def of_frame() -> Limits:
    """Return the limits of a call that fetches a picture. They allow one byte too many, to detect a large picture."""
    return Limits(MAX_FRAME_BYTES + 1, FRAME_SECONDS / 2, whole=FRAME_SECONDS)
