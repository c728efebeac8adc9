"""One poller for all who wait for videos of one connection in one event loop.

Thousands of triggers share one look-up of the connection, one TLS context, one alarm clock and a bounded number of
calls in flight. A trigger only awaits its own outcome, so one that is cancelled disturbs no other.

Airflow tells by the context (`contextvars`) whose log a line belongs to. So what a trigger hears, it hears in its own
context, and the poller itself works in an empty one: what it has to say belongs to no task.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from time import time
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.sdk import conf

from airflow_provider_veo.api.errors import NotSentError, TransportError, VeoError
from airflow_provider_veo.api.polling.decision import News, Outcome, WaitPolicy
from airflow_provider_veo.api.polling.wait import Wait
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.triggers.progress import ProgressPublisher
from airflow_provider_veo.triggers.shared_client import SharedClient

DEFAULT_IN_FLIGHT = 32
"""Status calls at once: enough for 160 a second where an answer takes 0.2 s, which is what 3 000 jobs need."""

_PATIENCE = 0.5
"""Seconds after which a call without an answer is slow, and leaves its slot to another one."""

_SLOW_PER_SLOT = 3
"""Slow calls that may go on for each slot, until they are answered or their time is over."""

_TICK = 0.05
"""Seconds. Questions fall due on this grid, some in each turn of the event loop: that saves a fifth of their CPU."""

_GRACE = 30.0
"""Seconds after the deadline in which the last question, asked by many at once, may still get its turn."""

_TOO_LATE = "Too many others are waiting to ask this server: the turn has not come."


@dataclass(slots=True, eq=False)
class _Waiting:
    """Who waits.

    Attributes:
        context: of the trigger.
        asked_at: when its last call began, on the loop's clock.
        is_sick: its last call was slow, and brought nothing.
    """

    wait: Wait
    outcome: asyncio.Future[Outcome]
    context: contextvars.Context
    asked_at: float = 0.0
    is_sick: bool = False


_Queue = deque[tuple[float, _Waiting]]
"""Since when who has been due."""


class Poller:
    """The way of many waiting triggers to one server.

    A server may answer for one job and be silent, or drip, for another. So a job that can be asked is not kept waiting
    by those that cannot:

    - A call holds one of the `max_in_flight_polls` slots for half a second at most. Then it is slow: it goes on until
      its own deadline, beside the slots. Three slow calls for each slot may be open, which bounds the sockets.
    - A job whose last call was slow and brought nothing waits in a second queue. All jobs of that queue together may
      have as many calls open as may be slow. The slots are for the others.

    So with up to three jobs for each slot whose calls take all of their time, any other job is asked within three
    seconds after it is due. With more of them this holds as soon as each has been asked once.

    Args:
        conn_id: the Airflow connection.

    Attributes:
        users: how many have joined and not left.
        board: where to show progress.
    """

    def __init__(self, conn_id: str) -> None:
        self.users = 0
        self.board = ProgressPublisher()
        self._conn_id = conn_id
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.Context()
        self._timetable: list[tuple[float, int, _Waiting]] = []  # a heap; the number settles ties
        self._number = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None
        self._queue: _Queue = deque()
        self._sick: _Queue = deque()
        self._askers: dict[asyncio.Task[None], _Waiting | None] = {}  # and whom each is asking for
        self._most: int = max(1, conf.getint("veo", "max_in_flight_polls", fallback=DEFAULT_IN_FLIGHT))
        self._client = SharedClient(conn_id)

    def wait_for_video(
        self, video_id: str, policy: WaitPolicy, tell: Callable[[News], None], model: str | None = None
    ) -> asyncio.Future[Outcome]:
        """Ask until the job is finished, the deadline has passed or asking has become pointless.

        Args:
            video_id: of the job.
            policy: how to wait.
            tell: called whenever something has changed, in the context of this call.
            model: whose earlier jobs the schedule learns from.

        Returns:
            What to await. Whoever cancels it must also `give_up`.
        """
        wait = Wait(video_id, policy, tell, _earlier_jobs(self._conn_id, model))
        waiting = _Waiting(wait, self._loop.create_future(), contextvars.copy_context())
        self._plan(waiting, wait.first_delay())
        return waiting.outcome

    def give_up(self, outcome: asyncio.Future[Outcome]) -> None:
        """End a question that is on its way for a wait that was cancelled: it must not keep others waiting."""
        for asker, asked_for in self._askers.items():
            if asked_for and asked_for.outcome is outcome:
                asker.cancel()

    async def aclose(self) -> None:
        """Stop asking, and close the connections."""
        if self._alarm:
            self._alarm.cancel()
        self._queue.clear()
        self._sick.clear()
        for asker in self._askers:
            asker.cancel()
        await asyncio.gather(*self._askers, return_exceptions=True)
        await self._client.aclose()

    def _plan(self, waiting: _Waiting, delay: float) -> None:
        due = (self._loop.time() + delay) // _TICK * _TICK + _TICK
        heapq.heappush(self._timetable, (due, next(self._number), waiting))
        self._set_alarm(due)

    def _set_alarm(self, moment: float) -> None:
        if self._alarm is None or moment < self._alarm.when():
            if self._alarm:
                self._alarm.cancel()
            self._alarm = self._loop.call_at(moment, self._ring, context=self._context)

    def _ring(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        now = self._loop.time()
        while self._timetable and self._timetable[0][0] <= now:
            _, _, waiting = heapq.heappop(self._timetable)
            (self._sick if waiting.is_sick else self._queue).append((now, waiting))
        for _ in range(min(self._free_slots(now), len(self._queue) + self._sick_that_may_be_asked())):
            asker = self._loop.create_task(self._ask_all())
            self._askers[asker] = None
            asker.add_done_callback(self._asker_is_gone, context=self._context)
        if self._queue or self._sick:
            self._end_late_ones(queued_before=now - _GRACE)
            self._set_alarm(now + _PATIENCE / 2)
        if self._timetable:
            self._set_alarm(self._timetable[0][0])

    def _free_slots(self, now: float) -> int:
        patience = inf if self._client.is_looking_up else _PATIENCE  # who waits for our own database is not slow
        slow = [asked for asked in self._askers.values() if asked and now - asked.asked_at >= patience]
        return self._most - len(self._askers) + min(len(slow), self._most * _SLOW_PER_SLOT)

    def _sick_that_may_be_asked(self) -> int:
        asked = [asked for asked in self._askers.values() if asked and asked.is_sick]
        return min(len(self._sick), self._most * _SLOW_PER_SLOT - len(asked))

    def _asker_is_gone(self, asker: asyncio.Task[None]) -> None:
        del self._askers[asker]
        if self._queue or self._sick:  # it was cancelled, or its call was slow
            self._ring()

    def _end_late_ones(self, queued_before: float) -> None:
        """End the waits whose deadline has passed while they queue: this server is asked slowly."""
        now = time()
        for queue in (self._queue, self._sick):
            for queued_at, waiting in queue:
                if queued_at >= queued_before:
                    break
                if now > waiting.wait.policy.deadline + _GRACE:
                    self._see(waiting, NotSentError(_TOO_LATE))

    def _due(self) -> _Queue | None:
        """Return the queue whose turn it is."""
        if self._queue:
            return self._queue
        return self._sick if self._sick_that_may_be_asked() > 0 else None

    async def _ask_all(self) -> None:
        """Ask for those who queue, one after the other, at the server's pace."""
        me = asyncio.current_task()
        assert me is not None
        while queue := self._due():
            if (pause := self._client.pause) > 0:
                await asyncio.sleep(pause)
                continue
            _, waiting = queue.popleft()
            if waiting.outcome.done():  # cancelled, or too late
                continue
            waiting.asked_at = self._loop.time()
            self._askers[me] = waiting
            try:
                seen: Video | VeoError = await self._client.get_video(waiting.wait.video_id)
            except VeoError as error:
                seen = error
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this wait
                _end(waiting.outcome, error)
                continue
            finally:
                self._askers[me] = None
            was_slow = self._loop.time() - waiting.asked_at >= _PATIENCE
            waiting.is_sick = was_slow and isinstance(seen, TransportError)
            self._see(waiting, seen)
            if was_slow:  # another has its slot
                return

    def _see(self, waiting: _Waiting, seen: Video | VeoError) -> None:
        if waiting.outcome.done():  # cancelled meanwhile
            return
        try:
            step = waiting.context.run(waiting.wait.see, seen)
        except Exception as error:  # noqa: BLE001 - as above
            _end(waiting.outcome, error)
            return
        if isinstance(step, Outcome):
            waiting.outcome.set_result(step)
        else:
            self._plan(waiting, step)


def _end(outcome: asyncio.Future[Outcome], error: Exception) -> None:
    if not outcome.done():
        outcome.set_exception(error)


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


def join(conn_id: str) -> Poller:
    """Return the poller of a connection in this event loop. Whoever joins must `leave`."""
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    if conn_id not in pollers:
        pollers[conn_id] = Poller(conn_id)
    poller = pollers[conn_id]
    poller.users += 1
    return poller


async def leave(conn_id: str) -> None:
    """Leave the poller of a connection; the last one closes it."""
    pollers = _pollers[asyncio.get_running_loop()]
    poller = pollers[conn_id]
    poller.users -= 1
    if not poller.users:
        del pollers[conn_id]
        await asyncio.shield(poller.aclose())  # Airflow may cancel a trigger more than once


@lru_cache(maxsize=256)
def _earlier_jobs(_conn_id: str, _model: str | None) -> deque[float]:
    """Return the seconds that the last jobs took; they outlive the poller."""
    return deque(maxlen=20)
