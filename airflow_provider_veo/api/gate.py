"""A gate in front of a server: so many calls at once and no more, in the order of their arrival, at its pace."""

from __future__ import annotations

import asyncio
from collections import deque

from airflow_provider_veo.api import pace
from airflow_provider_veo.api.errors import NotSentError


class Gate:
    """Lets the callers of one event loop through, first come, first served.

    Args:
        places: how many may be inside at once.

    Attributes:
        pace: how fast the server wants to be asked; the caller tells what it says.
    """

    def __init__(self, places: int) -> None:
        self.pace = pace.Pace()
        self._loop = asyncio.get_running_loop()
        self._places = places
        self._queue: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    async def enter(self, patience: float) -> None:
        """Wait for a place. Whoever has got one must `leave`.

        Args:
            patience: seconds to wait at most.

        Raises:
            NotSentError: the turn has not come by then.
        """
        turn: asyncio.Future[None] = self._loop.create_future()
        self._queue.append(turn)
        self._let_in()
        if turn.done():
            return
        impatience = self._loop.call_later(max(0.0, patience), _give_up, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the turn came in the same moment
                self.leave()
            raise
        finally:
            impatience.cancel()

    def leave(self) -> None:
        """Give the place to the next one."""
        self._places += 1
        self._let_in()

    def close(self) -> None:
        """Forget the alarm clock, which outlives those who wait."""
        if self._alarm:
            self._alarm.cancel()

    def _let_in(self) -> None:
        while self._queue and self._places:
            if self._queue[0].done():  # gone meanwhile
                self._queue.popleft()
                continue
            now = self._loop.time()
            if now < self.pace.resume_at:
                self._alarm = self._alarm or self._loop.call_at(self.pace.resume_at, self._wake)
                return
            self.pace = pace.begun(self.pace, now)
            self._places -= 1
            self._queue.popleft().set_result(None)

    def _wake(self) -> None:
        self._alarm = None
        self._let_in()


def _give_up(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(NotSentError("Too many others are waiting to ask this server: the turn has not come."))
