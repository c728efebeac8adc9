"""The clock of one call: the seconds that its next network operation may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

from airflow_provider_veo.api.net.limits import HEAD_BYTES, LEAST_RATE, MOST_WASTE, WASTE_BYTES, Limits

_LONGEST = 86_400.0  # seconds; sockets refuse numbers of many weeks


class Clock:
    """Limits the seconds of each network operation of a call. With 0 seconds or less, the time of the call is over.

    The connection asks the clock before each operation, and reports to it afterwards. So a server cannot delay the end
    of a call by sending bytes or interim answers (1xx), which the HTTP library does not pass on.

    A transfer whose length the sender chooses has a credit of seconds instead. Waiting for the network uses the credit
    up, and transferred bytes restore it at `LEAST_RATE`. The time of a slow disk does not count.

    Args:
        limits: Limits of the call.
        now: Returns the seconds of a monotonic clock.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.now = now
        self._begun = now()
        self._end = self._begun + limits.whole
        self.begin()

    def begin(self) -> None:
        """Begin an exchange. A call that follows redirects has several exchanges."""
        self._connect_end = self.now() + self.limits.timeout
        self._answer_end = inf
        self._credit = self.limits.timeout
        self._head_bytes = 0
        self._in_body = False
        self._allowed = WASTE_BYTES

    def begin_body(self) -> None:
        """Record that the head of the answer has arrived."""
        self._in_body = True
        if self.limits.flows:
            self._answer_end = inf
            self._credit = self.limits.timeout

    def count_seconds(self) -> float:
        """Return the seconds since the call began."""
        return self.now() - self._begun

    def is_over(self) -> bool:
        """Return whether the seconds of the whole call have passed."""
        return self.now() >= self._end

    def seconds_to_connect(self) -> float:
        """Return the seconds that are left to make the connection."""
        return min(min(self._connect_end, self._end) - self.now(), _LONGEST)

    def seconds_to_send(self) -> float:
        """Return the seconds that are left to send the next block."""
        return min(self._credit, self._end - self.now(), _LONGEST)

    def seconds_to_receive(self) -> float:
        """Return the seconds that are left until the next bytes must arrive."""
        left = min(min(self._answer_end, self._end) - self.now(), _LONGEST)
        return min(self._credit, left) if self._in_body and self.limits.flows else left

    def record_sent(self, size: int, since: float) -> None:
        """Record sent bytes.

        Args:
            size: Number of bytes that the operation transferred.
            since: Time at which their sending began.
        """
        now = self.now()
        self._earn(size, now - since)
        self._answer_end = now + self.limits.answer

    def record_received(self, size: int, since: float) -> bool:
        """Record received bytes.

        Args:
            size: Number of bytes that the operation transferred.
            since: Time at which the wait for them began.

        Returns:
            Whether the answer may continue. It must end if its head is too long, or if a transfer brings many bytes
            that contain no bytes of a video.
        """
        if self._in_body:
            if self.limits.flows:
                self._earn(size, self.now() - since)
                self._allowed -= size
            return self._allowed >= 0
        self._head_bytes += size
        return self._head_bytes <= HEAD_BYTES

    def record_used(self, size: int) -> None:
        """Record that received bytes contained bytes of a video.

        Args:
            size: Number of bytes of the video.
        """
        self._allowed += MOST_WASTE * size

    def allow(self, size: int) -> None:
        """Allow received bytes that contain no bytes of a video, such as an order that the answer repeats.

        Args:
            size: Number of these bytes.
        """
        self._allowed += size

    def _earn(self, size: int, waited: float) -> None:
        self._credit = min(self.limits.timeout, self._credit - waited + size / LEAST_RATE)
