"""How much of an answer is read, and how long a call may take: the one table.

A server decides what it sends and when. So each call has an end that no byte delays, but for the two transfers whose
length is the sender's: an order with its frames, and a video. Those go on as long as they are not slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from airflow_provider_veo.api.formats.frames import MAX_FRAME_BYTES

JSON_BYTES = 1024 * 1024
"""Of an answer; jobs need 1 kB, and a video that stands inside its answer is fetched as content."""

ERROR_BYTES = 64 * 1024
"""Of an error, and of content that is no video: enough to say what is wrong."""

CHAT_BYTES = 16 * 1024 * 1024
"""Of the stream of a chat call."""

HEAD_BYTES = 256 * 1024
"""Of an answer's head, with all interim answers (1xx) before it."""

LEAST_RATE = 8 * 1024
"""Bytes a second. A transfer that is slower for as long as the connection's `timeout` is broken off."""

MOST_WASTE = 16
"""Bytes that a connection may carry for each byte of a video. Chunks of one byte need 6, and base64 with an escape for
each letter needs 8. A server may as well send blanks for ever."""

WASTE_BYTES = 1024 * 1024
"""Bytes that a connection may carry beyond these."""

STATUS_SECONDS = 20.0
"""For a call that only asks, unless the connection's `timeout` is less."""

GLANCE_SECONDS = 10.0
"""For a call whose answer is good to have, while somebody waits for something else."""

FRAME_SECONDS = 60.0
"""For fetching a picture, redirects included."""


@dataclass(frozen=True)
class Limits:
    """What one call may take.

    Attributes:
        most_bytes: of the body of a good answer that are read. What is beyond is cut off.
        timeout: seconds until the connection is made, and how long a transfer may be slower than `LEAST_RATE`.
        whole: seconds from the call's begin to its end.
        answer: seconds from the last byte sent to the end of the answer; to the end of its head where it `flows`.
        flows: the body is a video, which may take as long as it is not slow.
    """

    most_bytes: int
    timeout: float
    whole: float = inf
    answer: float = inf
    flows: bool = False

    def most_bytes_of(self, status: int) -> int:
        """Return the bytes that are read of the body of an answer with this HTTP status."""
        return self.most_bytes if 200 <= status < 300 else min(ERROR_BYTES, self.most_bytes)


def of_status_call(timeout: float) -> Limits:
    """Return the limits of a call that only asks, or cancels: status, models, test.

    Args:
        timeout: of the connection, in seconds; so below.
    """
    seconds = min(timeout, STATUS_SECONDS)
    return Limits(JSON_BYTES, seconds, whole=seconds)


def of_optional_call(timeout: float) -> Limits:
    """Return the limits of a call whose answer one can do without."""
    return of_status_call(min(timeout, GLANCE_SECONDS))


def of_order(timeout: float) -> Limits:
    """Return the limits of an order. It has no end as a whole: that would leave orders behind whose fate is unknown."""
    return Limits(JSON_BYTES, timeout, answer=timeout)


def of_chat(timeout: float, whole: float) -> Limits:
    """Return the limits of a chat call. The server may be silent for as long as its videos take.

    Args:
        timeout: as above.
        whole: seconds that the call may take.
    """
    return Limits(CHAT_BYTES, timeout, whole=whole)


def of_content(timeout: float) -> Limits:
    """Return the limits of a call for a video's bytes."""
    return Limits(ERROR_BYTES, timeout, answer=timeout, flows=True)


def of_frame() -> Limits:
    """Return the limits of fetching a picture; one byte more than a frame may have shows that it has too many."""
    return Limits(MAX_FRAME_BYTES + 1, FRAME_SECONDS / 2, whole=FRAME_SECONDS)
