"""One poller for all triggers of an event loop that wait for jobs of the same connection.

Thousands of triggers share one look-up of the connection, one TLS context, one timer, and a bounded number of calls in
flight. Each trigger awaits its own outcome, so the cancellation of one trigger does not affect the others.

Airflow finds the task of a log line by the context (`contextvars`) in which the line is logged. So a trigger is called
back in its own context, and its log lines reach its task. The poller itself runs in an empty context.
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
from airflow_provider_veo.api.polling.decision import News, WaitPolicy
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.polling.wait import Wait
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.triggers.progress import ProgressPublisher
from airflow_provider_veo.triggers.shared_client import SharedClient

DEFAULT_IN_FLIGHT = 32
"""Number of slots for status calls. With answers after 0.2 s it allows 160 calls a second, enough for 3 000 jobs."""

_SLOW_AFTER = 0.5
"""Seconds without an answer after which a call counts as slow and leaves its slot to another call."""

_SLOW_PER_SLOT = 3
"""Number of slow calls per slot that may stay open until their answer or their own deadline."""

_TICK = 0.05
"""Seconds. Calls fall due on a grid of ticks, so that a turn of the event loop starts several: this saves CPU time."""

_GRACE = 30.0
"""Seconds after the deadline of a wait in which its last call may still get a slot."""

_TOO_LATE = (
    "The status call was not sent in time: too many jobs are waiting for this server. Raise [veo] max_in_flight_polls, "
    "or start fewer jobs at once."
)


@dataclass(slots=True, eq=False)
class _PendingWait:
    """The wait of one trigger.

    Attributes:
        wait: The wait for the job.
        outcome: Future that the trigger awaits.
        context: Context of the trigger.
        backend: Name of the backend by which the job was ordered; None if it is not known.
        asked_at: Start of the last status call, on the loop's clock.
        is_unresponsive: Whether the last status call was slow and failed.
    """

    wait: Wait
    outcome: asyncio.Future[Outcome]
    context: contextvars.Context
    backend: str | None = None
    asked_at: float = 0.0
    is_unresponsive: bool = False


_Queue = deque[tuple[float, _PendingWait]]
"""Waits whose status call is due, each with the time since when it has been due."""


class Poller:
    """Makes the status calls of all triggers for one server.

    A server may answer the calls for one job and leave those for another without an answer. Jobs of the second kind
    must not delay the others:

    - A call occupies one of the `max_in_flight_polls` slots for half a second at most. After that it counts as slow: it
      continues outside the slots, until its own deadline. At most three slow calls per slot are open, which bounds the
      number of sockets.
    - A job whose last call was slow and failed waits in a second queue. The jobs of that queue together may have as
      many calls open as slow calls are allowed. The slots are for the other jobs.

    So with up to three unresponsive jobs per slot, every other job is asked for within three seconds after its call is
    due. With more unresponsive jobs, this holds as soon as each of them has been asked for once.

    Args:
        conn_id: Airflow connection of the server.

    Attributes:
        users: Number of triggers that have joined and not left.
        progress: Publisher of the progress of tasks.
    """

    def __init__(self, conn_id: str) -> None:
        self.users = 0
        self.progress = ProgressPublisher()
        self._conn_id = conn_id
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.Context()
        self._due_times: list[tuple[float, int, _PendingWait]] = []  # a heap; the number decides between equal times
        self._number = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._queue: _Queue = deque()
        self._unresponsive: _Queue = deque()
        self._callers: dict[asyncio.Task[None], _PendingWait | None] = {}  # each with its current wait
        self._slots: int = max(1, conf.getint("veo", "max_in_flight_polls", fallback=DEFAULT_IN_FLIGHT))
        self._client = SharedClient(conn_id)

    def wait_for_video(
        self,
        video_id: str,
        policy: WaitPolicy,
        report: Callable[[News], None],
        model: str | None = None,
        backend: str | None = None,
    ) -> asyncio.Future[Outcome]:
        """Start to wait until the job is finished, the deadline has passed, or no status call can succeed any more.

        Args:
            video_id: ID of the job.
            policy: Times and limits of the wait.
            report: Function that is called with each change, in the context of this call.
            model: Model of the job. The schedule learns from earlier jobs of the same model.
            backend: Name of the backend by which the job was ordered; None if it is not known.

        Returns:
            A future of the outcome. After cancelling it, call `cancel_call`.
        """
        wait = Wait(video_id, policy, report, _get_durations(self._conn_id, model))
        pending = _PendingWait(wait, self._loop.create_future(), contextvars.copy_context(), backend)
        self._schedule_call(pending, wait.choose_first_delay())
        return pending.outcome

    def cancel_call(self, outcome: asyncio.Future[Outcome]) -> None:
        """Cancel the status call in flight of a wait that was cancelled, so that it does not occupy a slot."""
        for caller, pending in self._callers.items():
            if pending and pending.outcome is outcome:
                caller.cancel()

    async def aclose(self) -> None:
        """Stop all status calls, and close the connections."""
        if self._timer:
            self._timer.cancel()
        self._queue.clear()
        self._unresponsive.clear()
        for caller in self._callers:
            caller.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)
        await self._client.aclose()

    def _schedule_call(self, pending: _PendingWait, delay: float) -> None:
        due = (self._loop.time() + delay) // _TICK * _TICK + _TICK
        heapq.heappush(self._due_times, (due, next(self._number), pending))
        self._set_timer(due)

    def _set_timer(self, moment: float) -> None:
        if self._timer is None or moment < self._timer.when():
            if self._timer:
                self._timer.cancel()
            self._timer = self._loop.call_at(moment, self._start_due_calls, context=self._context)

    def _start_due_calls(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        while self._due_times and self._due_times[0][0] <= now:
            _, _, pending = heapq.heappop(self._due_times)
            (self._unresponsive if pending.is_unresponsive else self._queue).append((now, pending))
        for _ in range(min(self._count_free_slots(now), len(self._queue) + self._count_allowed_unresponsive())):
            caller = self._loop.create_task(self._make_calls())
            self._callers[caller] = None
            caller.add_done_callback(self._remove_caller, context=self._context)
        if self._queue or self._unresponsive:
            self._end_overdue_waits(queued_before=now - _GRACE)
            self._set_timer(now + _SLOW_AFTER / 2)
        if self._due_times:
            self._set_timer(self._due_times[0][0])

    def _count_free_slots(self, now: float) -> int:
        # a call that waits for the look-up of the connection is not slow
        slow_after = inf if self._client.is_looking_up else _SLOW_AFTER
        slow = [pending for pending in self._callers.values() if pending and now - pending.asked_at >= slow_after]
        return self._slots - len(self._callers) + min(len(slow), self._slots * _SLOW_PER_SLOT)

    def _count_allowed_unresponsive(self) -> int:
        """Return the number of queued unresponsive jobs that may be asked for now."""
        in_flight = [pending for pending in self._callers.values() if pending and pending.is_unresponsive]
        return min(len(self._unresponsive), self._slots * _SLOW_PER_SLOT - len(in_flight))

    def _remove_caller(self, caller: asyncio.Task[None]) -> None:
        del self._callers[caller]
        if self._queue or self._unresponsive:  # the caller was cancelled, or its last call was slow
            self._start_due_calls()

    def _end_overdue_waits(self, queued_before: float) -> None:
        """End the waits whose deadline has passed in a queue, since the server cannot be asked fast enough."""
        now = time()
        for queue in (self._queue, self._unresponsive):
            for queued_at, pending in queue:
                if queued_at >= queued_before:
                    break
                if now > pending.wait.policy.deadline + _GRACE:
                    self._handle_answer(pending, NotSentError(_TOO_LATE))

    def _choose_queue(self) -> _Queue | None:
        """Return the queue from which the next call comes; None if no call may start."""
        if self._queue:
            return self._queue
        return self._unresponsive if self._count_allowed_unresponsive() > 0 else None

    async def _make_calls(self) -> None:
        """Make the calls of the queued waits, one after the other, at the pace of the server."""
        caller = asyncio.current_task()
        assert caller is not None
        while queue := self._choose_queue():
            if (pause := self._client.pause) > 0:
                await asyncio.sleep(pause)
                continue
            _, pending = queue.popleft()
            if pending.outcome.done():  # cancelled, or overdue
                continue
            pending.asked_at = self._loop.time()
            self._callers[caller] = pending
            try:
                seen: Video | VeoError = await self._client.get_video(pending.wait.video_id, pending.backend)
            except VeoError as error:
                seen = error
            except Exception as error:  # noqa: BLE001 - any other error ends this wait only
                _fail(pending.outcome, error)
                continue
            finally:
                self._callers[caller] = None
            was_slow = self._loop.time() - pending.asked_at >= _SLOW_AFTER
            pending.is_unresponsive = was_slow and isinstance(seen, TransportError)
            self._handle_answer(pending, seen)
            if was_slow:  # another caller has taken the slot
                return

    def _handle_answer(self, pending: _PendingWait, seen: Video | VeoError) -> None:
        if pending.outcome.done():  # cancelled during the call
            return
        try:
            step = pending.context.run(pending.wait.handle_answer, seen)
        except Exception as error:  # noqa: BLE001 - any other error ends this wait only
            _fail(pending.outcome, error)
            return
        if isinstance(step, Outcome):
            pending.outcome.set_result(step)
        else:
            self._schedule_call(pending, step)


def _fail(outcome: asyncio.Future[Outcome], error: Exception) -> None:
    if not outcome.done():
        outcome.set_exception(error)


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


def join(conn_id: str) -> Poller:
    """Return the poller of a connection in this event loop. Each caller must `leave` it later."""
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    if conn_id not in pollers:
        pollers[conn_id] = Poller(conn_id)
    poller = pollers[conn_id]
    poller.users += 1
    return poller


async def leave(conn_id: str) -> None:
    """Leave the poller of a connection. The last caller closes it."""
    pollers = _pollers[asyncio.get_running_loop()]
    poller = pollers[conn_id]
    poller.users -= 1
    if not poller.users:
        del pollers[conn_id]
        await asyncio.shield(poller.aclose())  # Airflow may cancel a trigger more than once


@lru_cache(maxsize=256)
def _get_durations(_conn_id: str, _model: str | None) -> deque[float]:
    """Return the durations of the last jobs of a model, in seconds. They outlive the poller."""
    return deque(maxlen=20)
