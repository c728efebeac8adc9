"""Jobs of an invented video API. The ID of a job contains all of its data, so the server stores nothing."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

MODEL = "veo-3.1-fast"
_ENDLESS = 36_000.0


@dataclass(frozen=True)
class Job:
    """A job to wait for.

    Attributes:
        start: Time of the order, as Unix time in seconds.
        queue: Seconds in the queue.
        run: Seconds of work after the queue.
        shape: Kind of progress: `linear` is honest, `none` is always 0.
        tag: Name of the measurement. The server counts requests by tag.
        number: Number of the job among the jobs of its tag.
    """

    start: float
    queue: float
    run: float
    shape: str
    tag: str
    number: int

    @property
    def ends_at(self) -> float:
        """The time at which the job ends, as Unix time in seconds."""
        return self.start + self.queue + self.run

    @property
    def id(self) -> str:
        """The ID. Its times are in milliseconds."""
        times = f"{self.start * 1000:.0f}.{self.queue * 1000:.0f}.{self.run * 1000:.0f}"
        return f"video.{times}.{self.shape}.{self.tag}.{self.number}"

    @classmethod
    def of(cls, job_id: str) -> Job:
        """Return the job with an ID."""
        _, start, queue, run, shape, tag, number = job_id.split(".")
        return cls(int(start) / 1000, int(queue) / 1000, int(run) / 1000, shape, tag, int(number))

    def progress(self, now: float) -> int:
        """Return the progress that the server reports, in per cent."""
        if self.shape == "none":
            return 0
        return int(100 * min(1.0, max(0.0, (now - self.start - self.queue) / self.run)))

    def exactly(self) -> Job:
        """Return the job with times that are rounded to milliseconds, as in its ID."""
        return Job.of(self.id)


def endless(count: int, tag: str) -> list[Job]:
    """Return jobs that run longer than every measurement, and whose progress never changes."""
    now = time.time()
    return [Job(now, 0.0, _ENDLESS, "none", tag, number) for number in range(count)]


def usual(count: int, tag: str, seed: int) -> list[Job]:
    """Return jobs as gateways have them: ten seconds in the queue on average, then one to three minutes of work."""
    chance = random.Random(seed)
    now = time.time()
    return [
        Job(now, chance.expovariate(1 / 10), chance.uniform(60, 180), "linear", tag, number).exactly()
        for number in range(count)
    ]


def spread(count: int, tag: str, seed: int, first: float, last: float) -> list[Job]:
    """Return jobs that end between `first` and `last` seconds from now."""
    chance = random.Random(seed)
    now = time.time()
    return [Job(now, 0.0, chance.uniform(first, last), "linear", tag, number).exactly() for number in range(count)]


def finished(count: int, tag: str) -> list[Job]:
    """Return jobs that have already ended."""
    now = time.time()
    return [Job(now - 100.0, 0.0, 90.0, "linear", tag, number).exactly() for number in range(count)]
