"""Waiting for a job: what to make of each answer, and when to ask next.

Pure decisions over frozen data; `hooks` and `triggers` bring the clock, the requests and the sleep.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from airflow_provider_veo.api.errors import (
    ApiError,
    Reason,
    TransportError,
    VeoError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.api.video import Video, VideoStatus

DEFAULT_POLL_INTERVAL = 10.0
"""Seconds between two status calls. The gateways' documentation asks for 5 to 30."""

_JITTER = 0.1  # of the interval, so that a mapped batch does not ask in step


@dataclass(frozen=True)
class WaitPolicy:
    """How to wait for one job.

    Attributes:
        submitted_at: when the job was created, in seconds since the epoch.
        deadline: when to give up, in seconds since the epoch. Wall clock, since it must survive restarts.
        poll_interval: seconds between two status calls.
        failure_budget: give up on failing status calls after this many seconds without a good one ...
        failure_count: ... and at least this many failures.
        not_found_grace: seconds after the creation in which an unknown id is waited for.
    """

    submitted_at: float
    deadline: float
    poll_interval: float = DEFAULT_POLL_INTERVAL
    failure_budget: float = 300.0
    failure_count: int = 5
    not_found_grace: float = 60.0


@dataclass(frozen=True)
class WaitState:
    """What has been seen so far of one job.

    Attributes:
        video: the last good answer.
        failures: failed status calls since then.
        failing_since: when the first of them happened, in seconds since the epoch.
    """

    video: Video | None = None
    failures: int = 0
    failing_since: float | None = None


@dataclass(frozen=True)
class AskAgain:
    """Keep waiting.

    Attributes:
        delay: seconds until the next status call.
        note: a line for the log; empty when nothing has changed.
    """

    delay: float
    note: str = ""


OutcomeKind = Literal["completed", "failed", "timeout", "error"]


@dataclass(frozen=True)
class Outcome:
    """How the waiting ended. Flat and made of JSON scalars, since it travels through Airflow's database.

    Attributes:
        kind: `completed`; `failed`: the job ended without a video; `timeout`: the deadline passed;
            `error`: the status could not be learnt.
        video_id: of the job.
        message: for people, when there is no video.
        reason: a `Reason`'s value, when there is no video.
        status: the job's last known status.
    """

    kind: OutcomeKind
    video_id: str
    status: str
    message: str = ""
    reason: str = Reason.UNKNOWN.value
    model: str | None = None
    url: str | None = None
    size: str | None = None
    seconds: float | None = None
    created_at: str | None = None
    completed_at: str | None = None
    expires_at: str | None = None

    @classmethod
    def of(cls, video: Video) -> Outcome:
        """Return how the waiting for a job ended, from its last status."""
        completed = video.status is VideoStatus.COMPLETED
        return cls(
            kind="completed" if completed else "failed",
            video_id=video.id,
            status=video.status.value,
            message=video.message,
            reason=(video.reason or Reason.UNKNOWN).value,
            model=video.model,
            url=video.url,
            size=video.size,
            seconds=video.seconds,
            created_at=_iso(video.created_at),
            completed_at=_iso(video.completed_at),
            expires_at=_iso(video.expires_at),
        )

    def to_event(self) -> dict[str, Any]:
        """Return the payload for a trigger event."""
        return {"version": 1} | asdict(self)

    @classmethod
    def from_event(cls, event: Any) -> Outcome:
        """Read what `to_event` wrote.

        Raises:
            VeoError: the event is not one of ours.
        """
        if not isinstance(event, dict) or event.get("version") != 1 or not event.get("video_id"):
            raise VeoError(f"The trigger resumed the task with an event that this version cannot read: {event!r:.200}")
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in event.items() if name in known})

    def raise_for_kind(self) -> None:
        """Return quietly when there is a video.

        Raises:
            VideoFailedError: the job ended without a video.
            VideoTimeoutError: the deadline passed.
            VeoError: the status could not be learnt.
        """
        if self.kind == "failed":
            raise VideoFailedError(self.video_id, self.status, Reason(self.reason), self.message)
        if self.kind == "timeout":
            raise VideoTimeoutError(self.message)
        if self.kind == "error":
            raise StatusUnknownError(self.message, Reason(self.reason))


class StatusUnknownError(VeoError):
    """Asking for the status failed for good. The job itself may be well, and may be billed."""

    def __init__(self, message: str, reason: Reason) -> None:
        self.reason = reason
        super().__init__(message)

    @property
    def permanent(self) -> bool:  # type: ignore[override]
        return self.reason.permanent


def observe(
    policy: WaitPolicy, state: WaitState, video_id: str, seen: Video | VeoError, now: float, chance: float
) -> tuple[WaitState, AskAgain | Outcome]:
    """Decide what follows from the answer to a status call.

    Args:
        policy: how to wait.
        state: what was known before.
        video_id: of the job.
        seen: the answer, or why there is none.
        now: seconds since the epoch.
        chance: a random number from 0 to 1, for the jitter.
    """
    if isinstance(seen, Video):
        new_state = WaitState(video=seen)
        if seen.status.finished:
            return new_state, Outcome.of(seen)
        note = _progress_note(state.video, seen, now - policy.submitted_at)
        wanted: float | None = None
    else:
        since = state.failing_since if state.failing_since is not None else now
        new_state = replace(state, failures=state.failures + 1, failing_since=since)
        if not _may_pass(policy, seen, now) or _exhausted(policy, new_state, now):
            return new_state, _gave_up(video_id, new_state, seen)
        note = f"Video {video_id}: asking for its status failed, will ask again. {seen}"
        wanted = seen.retry_after if isinstance(seen, ApiError) else None
    if now >= policy.deadline:
        return new_state, _timed_out(policy, video_id, new_state, now)
    return new_state, AskAgain(_delay(policy, wanted, now, chance), note)


def _may_pass(policy: WaitPolicy, error: VeoError, now: float) -> bool:
    if isinstance(error, ApiError) and error.reason is Reason.NOT_FOUND:
        return now < policy.submitted_at + policy.not_found_grace
    return isinstance(error, (ApiError, TransportError)) and not error.permanent


def _exhausted(policy: WaitPolicy, state: WaitState, now: float) -> bool:
    assert state.failing_since is not None
    return state.failures >= policy.failure_count and now - state.failing_since >= policy.failure_budget


def _delay(policy: WaitPolicy, wanted: float | None, now: float, chance: float) -> float:
    delay = policy.poll_interval * (1 + _JITTER * (2 * chance - 1))
    if wanted is not None:
        delay = max(delay, wanted)
    # the last question is asked at the deadline, whatever the interval
    return max(0.0, min(delay, policy.deadline - now))


def _progress_note(before: Video | None, video: Video, elapsed: float) -> str:
    if before is not None and (before.status_word, before.progress) == (video.status_word, video.progress):
        return ""
    progress = "" if video.progress is None else f" {video.progress:g} %"
    word = video.status_word or "accepted"
    unknown = " (an unknown word, taken as running)" if word and video.status is VideoStatus.UNKNOWN else ""
    return f"Video {video.id}: {word}{progress}{unknown}, {elapsed:.0f} s after submission"


def _gave_up(video_id: str, state: WaitState, error: VeoError) -> Outcome:
    reason = error.reason if isinstance(error, ApiError) else Reason.UNKNOWN
    return Outcome(
        kind="error",
        video_id=video_id,
        status=_last_status(state),
        reason=reason.value,
        message=(
            f"Video {video_id}: its status could not be learnt ({state.failures} failed calls in a row). "
            f"The job itself may go on, and is billed if it completes. Last error: {error}"
        ),
    )


def _timed_out(policy: WaitPolicy, video_id: str, state: WaitState, now: float) -> Outcome:
    progress = state.video.progress if state.video else None
    at = "" if progress is None else f" at {progress:g} %"
    return Outcome(
        kind="timeout",
        video_id=video_id,
        status=_last_status(state),
        message=(
            f"Video {video_id} was not finished {now - policy.submitted_at:.0f} s after submission "
            f"(last status: {_last_status(state)}{at}). The job may still finish, and is billed then."
        ),
    )


def _last_status(state: WaitState) -> str:
    return state.video.status.value if state.video else VideoStatus.UNKNOWN.value


def _iso(moment: Any) -> str | None:
    return None if moment is None else moment.to_iso8601_string()
