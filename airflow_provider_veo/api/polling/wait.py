"""Wait for a job: `decision.observe` with the clock of this machine, random jitter, and the memory of one wait.

Callers bring the status call. `wait_for_video` also sleeps; the sensor and the triggerer's poller sleep themselves.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from airflow_provider_veo.api.errors import VeoError
from airflow_provider_veo.api.polling.decision import News, WaitPolicy, WaitState, choose_first_delay, observe
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.video import Video


class Wait:
    """The wait for one job.

    Args:
        video_id: ID of the job.
        policy: Times and limits of the wait.
        report: Function that is called with each change.
        earlier: Durations of earlier jobs of the same model, in seconds. The duration of this job is added.

    Attributes:
        last_error: Error of the last status call; None if the server answered, or before the first call.
    """

    __slots__ = ("_earlier", "_polls", "_report", "_state", "last_error", "policy", "video_id")

    def __init__(
        self, video_id: str, policy: WaitPolicy, report: Callable[[News], None], earlier: deque[float] | None = None
    ) -> None:
        self.video_id = video_id
        self.policy = policy
        self._report = report
        self._earlier = deque() if earlier is None else earlier
        self._state = WaitState()
        self._polls = 0
        self.last_error: VeoError | None = None

    def choose_first_delay(self) -> float:
        """Return the seconds until the first status call."""
        return choose_first_delay(self.policy, time.time(), random.random(), self._earlier)

    @property
    def is_failing(self) -> bool:
        """Whether the last status call failed."""
        return self._state.failures > 0

    def ask(self, get_video: Callable[[str], Video]) -> Outcome | float:
        """Make a status call, and return the result of `handle_answer`.

        Args:
            get_video: Makes the status call for a job ID.
        """
        try:
            return self.handle_answer(get_video(self.video_id))
        except VeoError as error:
            return self.handle_answer(error)

    def handle_answer(self, seen: Video | VeoError) -> Outcome | float:
        """Take in a status call.

        Args:
            seen: The answer, or the error of the call.

        Returns:
            The outcome if the wait is over, else the seconds until the next status call.
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
            self._report(step.news)
        return step.delay


def wait_for_video(get_video: Callable[[str], Video], wait: Wait) -> Outcome:
    """Block until the job is finished, the deadline has passed, or no status call can succeed any more.

    Args:
        get_video: Makes the status call for a job ID.
        wait: The wait for the job.
    """
    step: Outcome | float = wait.choose_first_delay()
    while not isinstance(step, Outcome):
        time.sleep(step)
        step = wait.ask(get_video)
    return step
