"""The time of one call: how long its next operation may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

from airflow_provider_veo.api.net.limits import HEAD_BYTES, LEAST_RATE, MOST_WASTE, WASTE_BYTES, Limits

_LONGEST = 86_400.0  # seconds; sockets take no larger numbers than some weeks


class Clock:
    """Tells how many seconds each operation of a call's connection may take; 0 or less: the call's time is over.

    The connection asks it before each operation and reports after it. So no byte that a server sends delays the end,
    nor does an interim answer (1xx), which the HTTP library does not hand on.

    A transfer whose length is the sender's has a credit of seconds instead: waiting uses it up, and bytes earn it back
    at `LEAST_RATE`, up to where it began. Only waiting for the network counts, so a slow disk breaks nothing off.

    Args:
        limits: of the call.
        now: seconds of a monotonic clock.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.now = now
        self._begun = now()
        self._end = self._begun + limits.whole
        self.begin()

    def begin(self) -> None:
        """Begin an exchange; a call that follows redirects has several."""
        self._connect_end = self.now() + self.limits.timeout
        self._answer_end = inf
        self._credit = self.limits.timeout
        self._head_bytes = 0
        self._in_body = False
        self._allowed = WASTE_BYTES

    def begin_body(self) -> None:
        """Note that the answer's head is there."""
        self._in_body = True
        if self.limits.flows:
            self._answer_end = inf
            self._credit = self.limits.timeout

    def count_seconds(self) -> float:
        """Return the seconds since the call began."""
        return self.now() - self._begun

    def is_over(self) -> bool:
        """Whether the seconds of the whole call have passed."""
        return self.now() >= self._end

    def seconds_to_connect(self) -> float:
        """Return the seconds in which the connection must be made."""
        return min(min(self._connect_end, self._end) - self.now(), _LONGEST)

    def seconds_to_send(self) -> float:
        """Return the seconds in which the next block must be sent."""
        return min(self._credit, self._end - self.now(), _LONGEST)

    def seconds_to_receive(self) -> float:
        """Return the seconds in which the next bytes must be there."""
        left = min(min(self._answer_end, self._end) - self.now(), _LONGEST)
        return min(self._credit, left) if self._in_body and self.limits.flows else left

    def record_sent(self, size: int, since: float) -> None:
        """Note that bytes were sent.

        Args:
            size: how many.
            since: when their sending began.
        """
        now = self.now()
        self._earn(size, now - since)
        self._answer_end = now + self.limits.answer

    def record_received(self, size: int, since: float) -> bool:
        """Note that bytes have come, as `sent`.

        Returns:
            Whether the answer may go on: its head may not be too long, and a video's bytes must bring a video.
        """
        if self._in_body:
            if self.limits.flows:
                self._earn(size, self.now() - since)
                self._allowed -= size
            return self._allowed >= 0
        self._head_bytes += size
        return self._head_bytes <= HEAD_BYTES

    def record_used(self, size: int) -> None:
        """Take in that bytes of a video have come out of what was received.

        Args:
            size: how many.
        """
        self._allowed += MOST_WASTE * size

    def _earn(self, size: int, waited: float) -> None:
        self._credit = min(self.limits.timeout, self._credit - waited + size / LEAST_RATE)
