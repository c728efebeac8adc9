"""The cost of schedules, for simulated jobs of one to three minutes with progress of every kind.

Two figures describe a schedule: the number of status calls per job, and the seconds from the end of a job to the call
that sees the end. The simulation of this provider calls the same functions as its triggers. It needs no clock and no
network, so its result is the same on every machine.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from airflow_provider_veo.api.polling.decision import AskAgain, WaitPolicy, WaitState, first_delay, observe
from airflow_provider_veo.api.video import Video, VideoStatus
from benchmarks.report import Figure, paragraph

JOBS = 4000
LATENCY = 0.15  # seconds of a status call
QUEUED = 10.0  # seconds in the queue, on average
SHORTEST, LONGEST = 60.0, 180.0  # seconds of work after the queue

Progress = Callable[[float, float], float | None]
"""A function that returns a percentage. Its arguments are the share of the work that is done, 0 to 1, and a number from
0.5 to 0.9 that differs from job to job."""

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
SHAPES = HONEST | LYING


@dataclass(frozen=True)
class Job:
    """A simulated job.

    Attributes:
        queued: Seconds in the queue.
        generation: Seconds of work after the queue.
        own: Number from 0.5 to 0.9, the second argument of `Progress`.
        chances: Random numbers for the jitter of the schedule.
    """

    queued: float
    generation: float
    own: float
    chances: random.Random

    @property
    def end(self) -> float:
        return self.queued + self.generation

    def seen(self, now: float, progress: Progress) -> Video:
        """Return the answer to a status call."""
        if now >= self.end:
            return Video("v", VideoStatus.COMPLETED, "completed")
        part = (now - self.queued) / self.generation
        percent = progress(max(0.0, part), self.own)
        return Video("v", VideoStatus.RUNNING, "processing", progress=None if percent is None else float(percent))


@dataclass(frozen=True)
class Cost:
    """The cost of a schedule for jobs with one kind of progress.

    Attributes:
        polls: Mean number of status calls per job.
        delay: Mean seconds from the end of a job to the call that sees it.
        late: 95th percentile of these seconds.
    """

    polls: float
    delay: float
    late: float

    def __str__(self) -> str:
        return f"{self.polls:.1f} / {self.delay:.1f} / {self.late:.0f}"


Moments = Callable[[Job, Progress], list[float]]
"""A function that returns the times of the status calls, in seconds since the order. The last call is the first one
that sees the end of the job."""


def every(pause: Callable[[int], float]) -> Moments:
    """Return a schedule that depends only on the number of the call.

    Args:
        pause: Returns the seconds before a call, from the number of calls before it.
    """

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
        remembers: Number of earlier jobs that the schedule learns from.
    """

    def __init__(self, remembers: int) -> None:
        self._earlier: deque[float] = deque(maxlen=remembers)

    def __call__(self, job: Job, progress: Progress) -> list[float]:
        policy, state = WaitPolicy(submitted_at=0.0, deadline=1e6), WaitState()
        times = [first_delay(policy, 0.0, job.chances.random(), self._earlier)]
        while True:
            now = times[-1]
            state, step = observe(
                policy, state, "v", job.seen(now, progress), now, job.chances.random(), tuple(self._earlier)
            )
            if not isinstance(step, AskAgain):
                self._earlier.append(now)
                return times
            times.append(now + LATENCY + step.delay)


SCHEDULES: dict[str, Callable[[], Moments]] = {
    "veo, first jobs": lambda: Learning(remembers=0),
    "veo, after 20 jobs": lambda: Learning(remembers=20),
    "every 2 s": lambda: every(lambda _n: 2.0),
    "every 5 s": lambda: every(lambda _n: 5.0),
    "every 10 s": lambda: every(lambda _n: 10.0),
    "every 30 s": lambda: every(lambda _n: 30.0),
    "exponential, 2 to 30 s": lambda: every(lambda n: min(30.0, 2 * 1.5**n)),
    "first 45 s, then 5 s": lambda: every(lambda n: 5.0 if n else 45.0),
}


def cost(schedule: Moments, progress: Progress, jobs: int = JOBS, seed: int = 1) -> Cost:
    """Simulate a schedule, and return its cost. The same random seed draws the same jobs."""
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


def figures() -> list[Figure]:
    """Return the goals of the schedule, and whether it reaches them."""
    return [
        _figure("honest progress", HONEST, polls=6.0, delay=3.0),
        _figure("lying progress", LYING, polls=14.0, delay=5.5),
    ]


def _figure(name: str, shapes: dict[str, Progress], polls: float, delay: float) -> Figure:
    costs = [cost(SCHEDULES[own](), shape) for own in list(SCHEDULES)[:2] for shape in shapes.values()]
    most_polls, longest_delay = max(one.polls for one in costs), max(one.delay for one in costs)
    return Figure(
        name=f"status calls a job and mean detection delay, {name} (worst kind; simulated)",
        limit_text=f"at most {polls:g}, {delay:g} s",
        value_text=f"{most_polls:.1f}, {longest_delay:.2f} s",
        reached=most_polls <= polls and longest_delay <= delay,
    )


def section() -> list[str]:
    """Return the table as Markdown."""
    head: Sequence[str] = ("progress", *SCHEDULES)
    rows = [
        [
            name,
            *(
                str(cost(make(), shape, jobs=JOBS if schedule.startswith("veo") else 1000))
                for schedule, make in SCHEDULES.items()
            ),
        ]
        for name, shape in SHAPES.items()
    ]
    return [
        "## Schedules",
        "",
        *paragraph(
            "Each cell shows the status calls a job / the mean detection delay in seconds / the 95th percentile of",
            "this",
            f"delay. {JOBS} simulated jobs (1000 for the schedules of others) are queued for {QUEUED:g} s on average,",
            "then",
            f"work for {SHORTEST:g} to {LONGEST:g} s.",
        ),
        "",
        *(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]),
    ]
