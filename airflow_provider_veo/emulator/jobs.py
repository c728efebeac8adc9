"""The emulator's memory: which videos were ordered, how far they are, and what was charged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.messages import AcceptedOrder, Frame

_MOST_REQUESTS = 100_000
QUEUED_SHARE = 0.1
"""Part of the generation time in which a job is queued."""

FILTERED = "filtered"
"""Code of a failure that is Google's filter at work; several gateways have another answer to that than to an error."""


@dataclass(frozen=True)
class Settings:
    """How the emulator behaves.

    Attributes:
        dialect: whose answers to give; one of `dialects.DIALECTS`.
        api_key: what clients must send.
        generation_seconds: from the order to the finished video.
        content_lag: seconds after `completed` until the content can be fetched.
        content_as_link: the file is at another address than the content route. The seed gateway and LiteLLM answer
            with JSON that holds it, as the seed's documentation has it (clients report the file itself); SGLang, as
            with cloud storage, names it in the status and in an error. It counts in these dialects only.
        model: name of the one model that vLLM-Omni, SGLang and FastVideo serve; None: a model of theirs.
        can_cancel: DELETE stops a job. The seed gateway does not offer it; some dialects do anyway.
        honours_idempotency_key: an order with a key that was used before is answered with the job of then. No known
            gateway documents it.
    """

    dialect: str = "veo-gateway"
    api_key: str = "sk-emulator"
    generation_seconds: float = 20.0
    content_lag: float = 0.0
    content_as_link: bool = False
    model: str | None = None
    can_cancel: bool = False
    honours_idempotency_key: bool = False


@dataclass(frozen=True)
class Job:
    """A video that was ordered.

    Attributes:
        created: seconds since the epoch.
        generation_seconds: how long it takes.
        key: the order's idempotency key, if it came with one.
        failure: why it will fail, or None.
        failure_code: the machine's word for it, in dialects that have one; see `FILTERED`.
        options: what else the server has read of the order, by name: `resolution`, `seed` ...
        cancelled: somebody stopped it before it was done.
        forgotten: somebody deleted it; it counts, but nobody can ask for it.
    """

    id: str
    prompt: str
    model: VideoModel
    created: float
    generation_seconds: float
    frames: tuple[Frame, ...] = field(default=(), repr=False)
    key: str = ""
    failure: str | None = None
    failure_code: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    cancelled: bool = False
    forgotten: bool = False

    @property
    def done_at(self) -> float:
        return self.created + self.generation_seconds

    def progress(self, now: float) -> float:
        """Return the percentage at a moment."""
        if self.generation_seconds <= 0:
            return 100.0
        return max(0.0, min(100.0, 100 * (now - self.created) / self.generation_seconds))

    def status(self, now: float) -> str:
        """Return the gateway's word for where the job stands."""
        if self.cancelled:
            return "cancelled"
        if self.progress(now) >= 100:
            return "completed" if self.failure is None else "failed"
        return "queued" if self.progress(now) < 100 * QUEUED_SHARE else "processing"


@dataclass
class Counters:
    """What has happened since the start."""

    orders: int = 0
    repeated_orders: int = 0
    cancelled: int = 0
    polls: int = 0
    content_requests: int = 0
    content_bytes: int = 0
    chat_requests: int = 0
    chat_videos: int = 0
    chat_usd: float = 0.0
    refused: int = 0


class _Failure(NamedTuple):
    reason: str
    code: str
    prompt: str


class Jobs:
    """All jobs of one emulator.

    Args:
        settings: see there.
        clock: seconds since the epoch.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock = self._running_clock = clock
        self.counters = Counters()
        self.requests: deque[str] = deque(maxlen=_MOST_REQUESTS)
        self._jobs: dict[str, Job] = {}
        self._failures: list[_Failure] = []
        self._job_of_key: dict[str, str] = {}

    def fail_next(self, reason: str, code: str = "task_failed", prompt: str = "") -> None:
        """Let the next job that is ordered fail, with this reason: the next whose prompt has `prompt` in it.

        Several calls queue up.
        """
        self._failures.append(_Failure(reason, code, prompt))

    def order(self, job_id: str, accepted: AcceptedOrder, key: str = "") -> Job:
        """Make a job of an order, or recognise the order by its idempotency key."""
        if key and self.settings.honours_idempotency_key and key in self._job_of_key:
            self.counters.repeated_orders += 1
            return self._jobs[self._job_of_key[key]]
        failure = next((failure for failure in self._failures if failure.prompt in accepted.prompt), None)
        if failure:
            self._failures.remove(failure)
        job = Job(
            id=job_id,
            prompt=accepted.prompt,
            model=accepted.model,
            created=self.clock(),
            generation_seconds=self.settings.generation_seconds,
            frames=accepted.frames,
            key=key,
            failure=failure.reason if failure else None,
            failure_code=failure.code if failure else "",
            options=accepted.options,
        )
        self.counters.orders += 1
        self._jobs[job.id] = job
        if key:
            self._job_of_key[key] = job.id
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job that is not done yet."""
        if job.status(self.clock()) in ("queued", "processing"):
            self._jobs[job.id] = replace(job, cancelled=True)
            self.counters.cancelled += 1

    def forget(self, job: Job, stop: bool = True) -> None:
        """Let nobody ask for a job any more, and stop it if it is not done yet, unless the server does not do that."""
        if stop:
            self.cancel(job)
        self._jobs[job.id] = replace(self._jobs[job.id], forgotten=True)

    def hold(self) -> None:
        """Stop the time: jobs stay where they are."""
        now = self.clock()
        self.clock = lambda: now

    def set_progress(self, percent: float, job_id: str | None = None) -> None:
        """Stop the time, and move jobs that are not finished: one, or all of them.

        Raises:
            ValueError: the percentage is none, or there is no such job.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"percent is {percent}; it must be from 0 to 100.")
        if job_id is not None and job_id not in self._jobs:
            raise ValueError(f"No job {job_id!r} was ordered; there are: {', '.join(self._jobs) or 'none'}.")
        self.hold()
        now = self.clock()
        for job in self.all():
            if job_id in (None, job.id) and job.status(now) in ("queued", "processing"):
                self._jobs[job.id] = replace(job, created=now - job.generation_seconds * percent / 100)

    def release(self) -> None:
        """Let the time go on."""
        self.clock = self._running_clock

    def get(self, job_id: str) -> Job | None:
        """Return a job, or None."""
        job = self._jobs.get(job_id)
        return None if job is None or job.forgotten else job

    def all(self) -> list[Job]:
        """Return all jobs, newest first."""
        return list(reversed(self._jobs.values()))

    def charged(self) -> list[Job]:
        """Return the jobs that cost money: the completed ones, as at the seed gateway."""
        now = self.clock()
        return [job for job in self._jobs.values() if job.status(now) == "completed"]

    def report(self) -> dict[str, float]:
        """Return all counters, with what was charged."""
        charged = self.charged()
        usd = sum(job.model.price_usd for job in charged) + self.counters.chat_usd
        return vars(self.counters) | {"charged": len(charged), "charged_usd": round(usd, 2)}
