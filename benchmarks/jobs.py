"""Jobs of an invented video API. Their ids say all that there is to know, so the server keeps nothing."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

MODEL = "veo-3.1-fast"
_ENDLESS = 36_000.0


@dataclass(frozen=True)
class Job:
    """One video to wait for.

    Attributes:
        start: when it was submitted, in seconds since the epoch.
        queue: seconds before it runs.
        run: seconds that it runs.
        shape: of its progress: `linear` is honest, `none` says nothing.
        tag: whose job it is; the server counts by it.
        number: among the jobs of the tag.
    """

    start: float
    queue: float
    run: float
    shape: str
    tag: str
    number: int

    @property
    def ends_at(self) -> float:
        """When it is finished, in seconds since the epoch."""
        return self.start + self.queue + self.run

    @property
    def id(self) -> str:
        """The id, in milliseconds."""
        times = f"{self.start * 1000:.0f}.{self.queue * 1000:.0f}.{self.run * 1000:.0f}"
        return f"video.{times}.{self.shape}.{self.tag}.{self.number}"

    @classmethod
    def of(cls, job_id: str) -> Job:
        """Read an id."""
        _, start, queue, run, shape, tag, number = job_id.split(".")
        return cls(int(start) / 1000, int(queue) / 1000, int(run) / 1000, shape, tag, int(number))

    def progress(self, now: float) -> int:
        """Return what the job says of itself, in percent."""
        if self.shape == "none":
            return 0
        return int(100 * min(1.0, max(0.0, (now - self.start - self.queue) / self.run)))

    def exactly(self) -> Job:
        """Return the job as its id tells it: rounded to milliseconds."""
        return Job.of(self.id)


def endless(count: int, tag: str) -> list[Job]:
    """Return jobs that outlast every measurement and whose progress never changes."""
    now = time.time()
    return [Job(now, 0.0, _ENDLESS, "none", tag, number) for number in range(count)]


def usual(count: int, tag: str, seed: int) -> list[Job]:
    """Return jobs as gateways have them: a queue of ten seconds in the mean, then one to three minutes."""
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
    """Return jobs that are finished already."""
    now = time.time()
    return [Job(now - 100.0, 0.0, 90.0, "linear", tag, number).exactly() for number in range(count)]
