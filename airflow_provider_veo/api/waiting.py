"""Waiting for a job: the loops around the decisions of `polling`. They bring clock, chance and sleep."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable

from airflow_provider_veo.api.errors import VeoError
from airflow_provider_veo.api.polling import News, Outcome, WaitPolicy, WaitState, first_delay, observe
from airflow_provider_veo.api.video import Video

_TICK = 0.05
"""Seconds. Waiting coroutines wake up on this grid, many in one turn of the event loop: a fifth less CPU a question."""


def wait_for_video(
    ask: Callable[[str], Video], video_id: str, policy: WaitPolicy, tell: Callable[[News], None]
) -> Outcome:
    """Ask until the job is finished, the deadline has passed or asking has become pointless.

    Args:
        ask: the status call.
        video_id: of the job.
        policy: how to wait.
        tell: called whenever something has changed.
    """
    state = WaitState()
    time.sleep(first_delay(policy, time.time(), random.random()))
    while True:
        try:
            seen: Video | VeoError = ask(video_id)
        except VeoError as error:
            seen = error
        state, step = observe(policy, state, video_id, seen, time.time(), random.random())
        if isinstance(step, Outcome):
            return step
        if step.news:
            tell(step.news)
        time.sleep(step.delay)


async def wait_for_video_async(
    ask: Callable[[str], Awaitable[Video]],
    video_id: str,
    policy: WaitPolicy,
    tell: Callable[[News], None],
    earlier: deque[float] | None = None,
) -> Outcome:
    """Do as `wait_for_video`.

    Args:
        ask: the status call.
        video_id: of the job.
        policy: how to wait.
        tell: called whenever something has changed.
        earlier: seconds that earlier jobs of the same model took. What this one takes is added.
    """
    earlier = deque() if earlier is None else earlier
    state = WaitState()
    await _sleep(first_delay(policy, time.time(), random.random(), earlier))
    while True:
        try:
            seen: Video | VeoError = await ask(video_id)
        except VeoError as error:
            seen = error
        now = time.time()
        state, step = observe(policy, state, video_id, seen, now, random.random(), earlier)
        if isinstance(step, Outcome):
            if step.kind == "completed" and state.video:
                earlier.append(state.video.took or now - policy.submitted_at)
            return step
        if step.news:
            tell(step.news)
        await _sleep(step.delay)


async def _sleep(delay: float) -> None:
    loop = asyncio.get_running_loop()
    morning = loop.create_future()
    alarm = loop.call_at(((loop.time() + delay) // _TICK + 1) * _TICK, _wake, morning)
    try:
        await morning
    finally:
        alarm.cancel()


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
