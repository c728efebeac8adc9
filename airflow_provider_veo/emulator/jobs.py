"""The jobs of the emulator, with their progress and their charges."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.messages import AcceptedOrder, FrameData

_MOST_REQUESTS = 100_000
QUEUED_SHARE = 0.1
"""Share of the time of a job in which it is queued."""

TAKES = 3
"""Number of different videos that equal orders make in turn, as the same prompt makes different videos elsewhere."""

FILTERED = "filtered"
"""Code of a failure by Google's filter, which several gateways report differently from an error."""


@dataclass(frozen=True)
class Settings:
    """The settings of the emulator.

    Attributes:
        dialect: Name of the server whose answers are given; one of `dialects.DIALECTS`.
        api_key: API key that clients must send.
        generation_seconds: Seconds from the order to the finished video.
        content_lag: Seconds from the status `completed` until the file can be downloaded.
        content_as_link: Whether the file has a separate address. Then the download call of the dialects
            `veo-gateway` and `litellm` is answered with JSON that holds the address, as in the gateway's documentation
            (clients report that they get the file). `sglang`, as with cloud storage, names it in the status and in an
            error. Other dialects ignore this setting.
        model: Name of the only model of `vllm-omni`, `sglang` and `fastvideo`. None means a usual model of theirs.
        can_cancel: Whether DELETE stops a job in dialects that do not support it.
        honours_idempotency_key: Whether an order with a known idempotency key is answered with the job of the first.
            No known gateway documents it.
        token_seconds: Seconds for which an access token of Google Cloud is valid.
    """

    dialect: str = "veo-gateway"
    api_key: str = "sk-emulator"
    generation_seconds: float = 20.0
    content_lag: float = 0.0
    content_as_link: bool = False
    model: str | None = None
    can_cancel: bool = False
    honours_idempotency_key: bool = False
    token_seconds: float = 3600.0


@dataclass(frozen=True)
class Job:
    """A job of the emulator.

    Attributes:
        id: ID of the job.
        prompt: Prompt of the order.
        model: Model of the order, with its price, size and length.
        created: Time of the order, as Unix time in seconds.
        generation_seconds: Seconds from the order to the end of the job.
        frames: Frames of the order, the first frame first.
        key: Idempotency key of the order; empty if it has none.
        failure: Message about the failure with which the job will end. None if the job will succeed.
        failure_code: Error code of that failure, in dialects that have one; see `FILTERED`.
        options: Further fields of the order that the server reads, by name, for example `resolution` and `seed`.
        take: Number of the take among equal orders, from 0 to `TAKES` - 1.
        cancelled: Whether the job was stopped before its end.
        forgotten: Whether the job was deleted. It still counts, but calls about it are refused.
    """

    id: str
    prompt: str
    model: VideoModel
    created: float
    generation_seconds: float
    frames: tuple[FrameData, ...] = field(default=(), repr=False)
    key: str = ""
    failure: str | None = None
    failure_code: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    take: int = 0
    cancelled: bool = False
    forgotten: bool = False

    @property
    def done_at(self) -> float:
        return self.created + self.generation_seconds

    def progress(self, now: float) -> float:
        """Return the progress in per cent.

        Args:
            now: Time as Unix time in seconds.
        """
        if self.generation_seconds <= 0:
            return 100.0
        return max(0.0, min(100.0, 100 * (now - self.created) / self.generation_seconds))

    def status(self, now: float) -> str:
        """Return the status word of the Veo 3.1 gateway.

        Args:
            now: Time as Unix time in seconds.
        """
        if self.cancelled:
            return "cancelled"
        if self.progress(now) >= 100:
            return "completed" if self.failure is None else "failed"
        return "queued" if self.progress(now) < 100 * QUEUED_SHARE else "processing"


@dataclass
class Counters:
    """Counts of events since the start."""

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
        settings: Settings of the emulator.
        clock: Function that returns the Unix time in seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock = self._running_clock = clock
        self.counters = Counters()
        self.requests: deque[str] = deque(maxlen=_MOST_REQUESTS)
        self._jobs: dict[str, Job] = {}
        self._failures: list[_Failure] = []
        self._job_of_key: dict[str, str] = {}
        self._equal_orders: Counter[tuple[str, str]] = Counter()  # by prompt and model

    def fail_next(self, reason: str, code: str = "task_failed", prompt: str = "") -> None:
        """Let the next job fail. Several calls add up.

        Args:
            reason: Message of the server about the failure.
            code: Error code of the failure.
            prompt: Part of the prompt of the job that fails. By default the next job fails, with any prompt.
        """
        self._failures.append(_Failure(reason, code, prompt))

    def order(self, job_id: str, accepted: AcceptedOrder, key: str = "") -> Job:
        """Return a new job for an order, or the job of an earlier order with the same idempotency key.

        Args:
            job_id: ID of a new job.
            accepted: The order, as the server reads it.
            key: Idempotency key of the order.
        """
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
            failure=failure.reason if failure else accepted.failure,
            failure_code=failure.code if failure else "",
            options=accepted.options,
            take=self._equal_orders[accepted.prompt, accepted.model.id] % TAKES,
        )
        self._equal_orders[job.prompt, job.model.id] += 1
        self.counters.orders += 1
        self._jobs[job.id] = job
        if key:
            self._job_of_key[key] = job.id
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job unless it has ended."""
        if job.status(self.clock()) in ("queued", "processing"):
            self._jobs[job.id] = replace(job, cancelled=True)
            self.counters.cancelled += 1

    def forget(self, job: Job, stop: bool = True) -> None:
        """Delete a job, so that calls about it are refused.

        Args:
            job: Job that is to be deleted.
            stop: Whether to stop the job, too.
        """
        if stop:
            self.cancel(job)
        self._jobs[job.id] = replace(self._jobs[job.id], forgotten=True)

    def hold(self) -> None:
        """Stop the clock, so that jobs make no progress."""
        now = self.clock()
        self.clock = lambda: now

    def set_progress(self, percent: float, job_id: str | None = None) -> None:
        """Stop the clock, and set the progress of jobs that are not finished.

        Args:
            percent: Progress from 0 to 100.
            job_id: ID of the job. None means all jobs.

        Raises:
            ValueError: The percentage is wrong, or there is no such job.
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
        """Let the clock continue."""
        self.clock = self._running_clock

    def get(self, job_id: str) -> Job | None:
        """Return a job, or None if there is none with this ID or it was deleted."""
        job = self._jobs.get(job_id)
        return None if job is None or job.forgotten else job

    def all(self) -> list[Job]:
        """Return all jobs, the newest first."""
        return list(reversed(self._jobs.values()))

    def charged(self) -> list[Job]:
        """Return the jobs that the gateway charges: the completed ones."""
        now = self.clock()
        return [job for job in self._jobs.values() if job.status(now) == "completed"]

    def report(self) -> dict[str, float]:
        """Return all counts, and the number and cost of charged videos."""
        charged = self.charged()
        usd = sum(job.model.price_usd for job in charged) + self.counters.chat_usd
        return vars(self.counters) | {"charged": len(charged), "charged_usd": round(usd, 2)}
