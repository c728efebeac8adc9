"""Decide after each status call: ask again, and when, or end the wait.

Everything here is a pure function over frozen data. The clock, the random numbers, the requests and the sleep are in
`wait` and in `triggers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from airflow_provider_veo.api.errors import ApiError, Reason, TransportError, VeoError
from airflow_provider_veo.api.polling import messages
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.polling.schedule import (
    OPENING,
    Mark,
    add_jitter,
    choose_first_pause,
    choose_next_pause,
)
from airflow_provider_veo.api.video import Video, VideoStatus

_MOST_MARKS = 8  # changes of progress that are remembered of a job


@dataclass(frozen=True)
class WaitPolicy:
    """Times and limits of the wait for one job.

    Attributes:
        submitted_at: Time of the order, as Unix time in seconds.
        deadline: Time at which the wait ends, as Unix time in seconds. It is a time of the wall clock, since it must
            hold after a restart.
        poll_interval: Seconds between two status calls, up to a tenth more or less. None: the schedule chooses them.
        failure_budget: Seconds of failing status calls after which the wait is given up. The number of failures must
            have reached `failure_count`, too.
        failure_count: Number of failing status calls in a row after which the wait is given up. The calls must have
            failed for `failure_budget` seconds, too.
        not_found_grace: Seconds after the order in which the server may not know the job yet.
        opening: Seconds from the order to the first status call, while no earlier job of the model is known.
    """

    submitted_at: float
    deadline: float
    poll_interval: float | None = None
    failure_budget: float = 300.0
    failure_count: int = 5
    not_found_grace: float = 60.0
    opening: float = OPENING


@dataclass(frozen=True, slots=True)
class WaitState:
    """The memory of a wait for one job.

    Attributes:
        status: Status in the last good answer.
        status_word: This status as the server writes it; None before the first good answer.
        progress: Progress in the last good answer, in percent.
        failures: Number of failed status calls since the last good answer.
        failing_since: Time of the first of these failures, as Unix time in seconds.
        failure: Kind of the last of these failures.
        marks: Last changes of the progress.
    """

    status: VideoStatus = VideoStatus.UNKNOWN
    status_word: str | None = None
    progress: float | None = None
    failures: int = 0
    failing_since: float | None = None
    failure: str | None = None
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """A change during a wait.

    Attributes:
        text: Line for the log.
        video: Answer that shows the change; None if the status call failed.
    """

    text: str
    video: Video | None = None


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The decision to keep waiting.

    Attributes:
        delay: Seconds until the next status call.
        news: The change, if there is one.
    """

    delay: float
    news: News | None = None


def choose_first_delay(policy: WaitPolicy, now: float, chance: float, earlier: Sequence[float] = ()) -> float:
    """Return the seconds until the first status call.

    Args:
        policy: Times and limits of the wait.
        now: Current time, as Unix time in seconds.
        chance: Random number from 0 to 1. It spreads the first calls of a triggerer that starts with thousands of jobs.
        earlier: Durations of earlier jobs of the same model, in seconds.
    """
    if policy.poll_interval is None:
        pause = choose_first_pause(max(0.0, now - policy.submitted_at), earlier, chance, policy.opening)
    else:
        pause = policy.poll_interval * chance
    return _limit_to_deadline(policy, pause, now)


def observe(
    policy: WaitPolicy,
    state: WaitState,
    video_id: str,
    seen: Video | VeoError,
    now: float,
    chance: float,
    earlier: Sequence[float] = (),
) -> tuple[WaitState, AskAgain | Outcome]:
    """Decide the next step after a status call.

    Args:
        policy: Times and limits of the wait.
        state: State before the call.
        video_id: ID of the job.
        seen: The answer, or the error of the call.
        now: Current time, as Unix time in seconds.
        chance: Random number from 0 to 1 for the jitter.
        earlier: Durations of earlier jobs of the same model, in seconds.

    Returns:
        The state after the call, and the decision.
    """
    elapsed = max(0.0, now - policy.submitted_at)
    if isinstance(seen, Video):
        marks = _add_mark(state.marks, seen, elapsed)
        new_state = WaitState(seen.status, seen.status_word, seen.progress, marks=marks)
        if seen.status.finished:
            return new_state, replace(Outcome.of(seen), was_running=state.status_word is not None)
        news = _find_news(state, seen, elapsed)
    else:
        new_state = _count_failure(state, seen, now)
        if not _may_pass(policy, seen, now) or _is_exhausted(policy, new_state, seen, now):
            return new_state, _give_up(video_id, new_state, seen)
        is_new = new_state.failure != state.failure
        news = News(messages.describe_failure(video_id, seen)) if is_new else None
    if now >= policy.deadline:
        return new_state, _time_out(policy, video_id, new_state, seen, now)
    if policy.poll_interval is None:
        pause = choose_next_pause(elapsed, new_state.marks, earlier, chance)
    else:
        pause = add_jitter(policy.poll_interval, chance)
    asked_for = getattr(seen, "retry_after", None) or 0.0  # a good answer or an error may ask for a pause
    return new_state, AskAgain(_limit_to_deadline(policy, max(pause, asked_for), now), news)


def _count_failure(state: WaitState, error: VeoError, now: float) -> WaitState:
    since = state.failing_since if state.failing_since is not None else now
    failure = error.reason.value if isinstance(error, ApiError) else type(error).__name__
    return replace(state, failures=state.failures + 1, failing_since=since, failure=failure)


def _may_pass(policy: WaitPolicy, error: VeoError, now: float) -> bool:
    """Return whether the next status call may succeed after this error."""
    if isinstance(error, ApiError) and error.reason is Reason.NOT_FOUND:
        return now < policy.submitted_at + policy.not_found_grace
    return isinstance(error, (ApiError, TransportError)) and not error.permanent


def _is_exhausted(policy: WaitPolicy, state: WaitState, error: VeoError, now: float) -> bool:
    """Return whether status calls have failed too often and for too long."""
    assert state.failing_since is not None
    if isinstance(error, ApiError) and error.reason is Reason.RATE_LIMITED:
        return False  # the server works and is busy; the deadline ends the wait
    return state.failures >= policy.failure_count and now - state.failing_since >= policy.failure_budget


def _limit_to_deadline(policy: WaitPolicy, pause: float, now: float) -> float:
    # every wait makes its last status call at the deadline
    return max(0.0, min(pause, policy.deadline - now))


def _add_mark(marks: tuple[Mark, ...], video: Video, elapsed: float) -> tuple[Mark, ...]:
    if video.progress is None or (marks and marks[-1][1] == video.progress):
        return marks
    return (*marks[1 - _MOST_MARKS :], (elapsed, video.progress))


def _find_news(before: WaitState, video: Video, elapsed: float) -> News | None:
    if not before.failures and (before.status_word, before.progress) == (video.status_word, video.progress):
        return None
    return News(messages.describe_progress(video, elapsed, before.failures), video)


def _give_up(video_id: str, state: WaitState, error: VeoError) -> Outcome:
    is_unknown_job = error.reason is Reason.NOT_FOUND
    explain = messages.explain_unknown_job if is_unknown_job else messages.explain_unknown_status
    return Outcome(
        kind="error",
        video_id=video_id,
        status=state.status.value,
        reason=error.reason.value,
        message=explain(video_id, state.failures, error),
    )


def _time_out(policy: WaitPolicy, video_id: str, state: WaitState, seen: Video | VeoError, now: float) -> Outcome:
    error = seen if isinstance(seen, VeoError) else None
    is_only_answer = isinstance(error, ApiError) and state.status_word is None
    is_failing = state.failures > 1 or is_only_answer  # a single failure among many calls proves nothing
    reason = error.reason if error and is_failing else Reason.TIMEOUT
    if reason is Reason.NOT_FOUND:  # the job may be too young to be known; it is not gone
        reason = Reason.TIMEOUT
    elapsed = now - policy.submitted_at
    return Outcome(
        kind="timeout",
        video_id=video_id,
        status=state.status.value,
        reason=reason.value,
        message=messages.explain_timeout(video_id, elapsed, state.status, state.progress, state.failures, error),
        in_doubt=state.status is VideoStatus.UNKNOWN and state.status_word is not None,
    )
