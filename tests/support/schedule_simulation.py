"""Simulate the status calls of a schedule for jobs of one to three minutes, with progress of every kind.

A schedule is judged by two numbers: the status calls per job, and the seconds from the end of a job to the call that
detects it. The schedule of this provider runs through the same functions as in triggers. There is no clock and no
network, so the results are the same on every machine.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from airflow_provider_veo.api.polling.decision import AskAgain, WaitPolicy, WaitState, choose_first_delay, observe
from airflow_provider_veo.api.video import Video, VideoStatus

JOBS = 4000
LATENCY = 0.15  # seconds of a status call
QUEUED = 10.0  # seconds in the queue, on average
SHORTEST, LONGEST = 60.0, 180.0  # seconds that the server works on a job

Progress = Callable[[float, float], float | None]
"""Returns the progress in percent; called with the elapsed share of the work (0 to 1) and a job's `own`."""

HONEST: dict[str, Progress] = {
    "linear": lambda part, _own: 100 * part,
    "slow, then fast": lambda part, _own: 100 * part**1.7,
    "fast, then slow": lambda part, _own: 100 * math.sqrt(part),
    "in steps of 1": lambda part, _own: math.floor(100 * part),
    "in steps of 5": lambda part, _own: 5 * math.floor(20 * part),
    "in steps of 10": lambda part, _own: 10 * math.floor(10 * part),
}
LYING: dict[str, Progress] = {
    "0, 50, 100": lambda part, _own: 0 if part < 0.3 else 50,
    "from 0 to 90": lambda part, own: 0 if part < own else 90,
    "sticks at 50": lambda part, _own: min(50, 100 * part),
    "sticks at 99": lambda part, own: min(99, 100 * part / own),
    "always 0": lambda _part, _own: 0,
    "absent": lambda _part, _own: None,
}


@dataclass(frozen=True)
class Job:
    """A simulated job.

    Attributes:
        queued: Seconds in the queue.
        work: Seconds that the server works on the job.
        own: A random number of this job, 0.5 to 0.9. It says where its progress stops, if that kind of progress stops.
        chances: Random numbers for the jitter of the schedule.
    """

    queued: float
    work: float
    own: float
    chances: random.Random

    @property
    def end(self) -> float:
        return self.queued + self.work

    def read_status(self, now: float, progress: Progress) -> Video:
        """Return the answer to a status call."""
        if now >= self.end:
            return Video("v", VideoStatus.COMPLETED, "completed")
        part = (now - self.queued) / self.work
        percent = progress(max(0.0, part), self.own)
        return Video("v", VideoStatus.RUNNING, "processing", progress=None if percent is None else float(percent))


@dataclass(frozen=True)
class Cost:
    """The cost of a schedule for jobs with one kind of progress.

    Attributes:
        polls: Mean number of status calls per job.
        delay: Mean number of seconds from the end of a job to its detection.
        late: 95th percentile of these seconds.
    """

    polls: float
    delay: float
    late: float

    def __str__(self) -> str:
        return f"{self.polls:.1f} / {self.delay:.1f} / {self.late:.0f}"


Moments = Callable[[Job, Progress], list[float]]
"""Returns the times of the status calls of a job, in seconds since its order. The last call detects the end."""


def every(pause: Callable[[int], float]) -> Moments:
    """Return a schedule whose pauses depend only on the number of the call."""

    def moments(job: Job, _progress: Progress) -> list[float]:
        times = [pause(0)]
        while times[-1] < job.end:
            jitter = 0.9 + 0.2 * job.chances.random()
            times.append(times[-1] + LATENCY + jitter * pause(len(times)))
        return times

    return moments


class Learning:
    """The schedule of this provider.

    Args:
        remembers: Number of earlier jobs that it learns from.
    """

    def __init__(self, remembers: int) -> None:
        self._earlier: deque[float] = deque(maxlen=remembers)

    def __call__(self, job: Job, progress: Progress) -> list[float]:
        policy, state = WaitPolicy(submitted_at=0.0, deadline=1e6), WaitState()
        times = [choose_first_delay(policy, 0.0, job.chances.random(), self._earlier)]
        while True:
            now = times[-1]
            state, step = observe(
                policy, state, "v", job.read_status(now, progress), now, job.chances.random(), tuple(self._earlier)
            )
            if not isinstance(step, AskAgain):
                self._earlier.append(now)
                return times
            times.append(now + LATENCY + step.delay)


def cost(schedule: Moments, progress: Progress, jobs: int = JOBS, seed: int = 1) -> Cost:
    """Run a schedule over random jobs. The same seed makes the same jobs."""
    draw = random.Random(seed)
    polls, delays = [], []
    for number in range(jobs):
        job = Job(
            draw.expovariate(1 / QUEUED),
            draw.uniform(SHORTEST, LONGEST),
            draw.uniform(0.5, 0.9),
            random.Random(seed * jobs + number),
        )
        times = schedule(job, progress)
        polls.append(len(times))
        delays.append(times[-1] - job.end)
    return Cost(fmean(polls), fmean(delays), sorted(delays)[int(0.95 * jobs)])
