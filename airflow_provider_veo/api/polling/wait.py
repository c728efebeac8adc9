"""Waiting for a job: `polling` decides, this brings clock and chance, and whoever waits brings requests and sleep."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from airflow_provider_veo.api.errors import VeoError
from airflow_provider_veo.api.polling.decision import News, Outcome, WaitPolicy, WaitState, first_delay, observe
from airflow_provider_veo.api.video import Video


class Wait:
    """The wait for one job.

    Args:
        video_id: of the job.
        policy: how to wait.
        tell: called whenever something has changed.
        earlier: seconds that earlier jobs of the same model took. What this one takes is added.

    Attributes:
        last_error: of the last status call; None if it was answered, or there was none.
    """

    __slots__ = ("_earlier", "_polls", "_state", "_tell", "last_error", "policy", "video_id")

    def __init__(
        self, video_id: str, policy: WaitPolicy, tell: Callable[[News], None], earlier: deque[float] | None = None
    ) -> None:
        self.video_id = video_id
        self.policy = policy
        self._tell = tell
        self._earlier = deque() if earlier is None else earlier
        self._state = WaitState()
        self._polls = 0
        self.last_error: VeoError | None = None

    def first_delay(self) -> float:
        """Return the seconds until the first status call."""
        return first_delay(self.policy, time.time(), random.random(), self._earlier)

    @property
    def is_failing(self) -> bool:
        """Whether the last status call failed."""
        return self._state.failures > 0

    def ask(self, ask: Callable[[str], Video]) -> Outcome | float:
        """Ask for the status, and return what `see` makes of the answer.

        Args:
            ask: the status call.
        """
        try:
            return self.see(ask(self.video_id))
        except VeoError as error:
            return self.see(error)

    def see(self, seen: Video | VeoError) -> Outcome | float:
        """Return what follows from an answer: the end, or the seconds until the next status call.

        Args:
            seen: the answer, or why there is none.
        """
        now = time.time()
        self._polls += 1
        self.last_error = seen if isinstance(seen, VeoError) else None
        self._state, step = observe(self.policy, self._state, self.video_id, seen, now, random.random(), self._earlier)
        if isinstance(step, Outcome):
            if step.kind == "completed" and isinstance(seen, Video):
                self._earlier.append(seen.took or now - self.policy.submitted_at)
            return replace(step, polls=self._polls)
        if step.news:
            self._tell(step.news)
        return step.delay


def wait_for_video(ask: Callable[[str], Video], wait: Wait) -> Outcome:
    """Ask until the job is finished, the deadline has passed or asking has become pointless.

    Args:
        ask: the status call.
        wait: for what, and how.
    """
    step: Outcome | float = wait.first_delay()
    while not isinstance(step, Outcome):
        time.sleep(step)
        step = wait.ask(ask)
    return step
