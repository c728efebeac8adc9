"""Waiting for a job: what to make of each answer, and when to ask next.

Pure decisions over frozen data; `hooks` and `triggers` bring the clock, the requests and the sleep.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import Field, asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

import pendulum

from airflow_provider_veo.api.answers.masking import KEY_IN_ADDRESS
from airflow_provider_veo.api.answers.own_words import OwnWords
from airflow_provider_veo.api.answers.text import for_people, storable
from airflow_provider_veo.api.errors import (
    ApiError,
    Reason,
    StatusUnknownError,
    TransportError,
    VeoError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.api.polling.schedule import Mark, first_pause, jittered, next_pause
from airflow_provider_veo.api.reasons import find_reason_in
from airflow_provider_veo.api.video import Video, VideoStatus

_MOST_MARKS = 8  # changes of progress that are remembered of a job


@dataclass(frozen=True)
class WaitPolicy:
    """How to wait for one job.

    Attributes:
        submitted_at: when the job was created, in seconds since the epoch.
        deadline: when to give up, in seconds since the epoch. Wall clock, since it must survive restarts.
        poll_interval: seconds between two status calls, give or take a tenth; None for the schedule that learns.
        failure_budget: give up on failing status calls after this many seconds without a good one ...
        failure_count: ... and at least this many failures.
        not_found_grace: seconds after the creation in which an unknown id is waited for.
    """

    submitted_at: float
    deadline: float
    poll_interval: float | None = None
    failure_budget: float = 300.0
    failure_count: int = 5
    not_found_grace: float = 60.0


@dataclass(frozen=True, slots=True)
class WaitState:
    """What has been seen so far of one job.

    Attributes:
        status: of the last good answer.
        status_word: of the same; None before the first one.
        progress: of the same.
        failures: failed status calls since then.
        failing_since: when the first of them happened, in seconds since the epoch.
        failure: what kind the last of them is of.
        marks: the last changes of its progress.
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
    """Something has changed.

    Attributes:
        text: a line for the log.
        video: the answer that brought it; None where asking failed.
    """

    text: str
    video: Video | None = None


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Keep waiting.

    Attributes:
        delay: seconds until the next status call.
        news: what has changed, if anything.
    """

    delay: float
    news: News | None = None


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
        reason_in_words: it was found in the words of `message`; see `judged`.
        status: the job's last known status.
        url_withheld: there is an address, which the server must be asked for again.
        polls: status calls of this wait.
        in_doubt: the content decides: see `Video`; or the last word for the status is one that nobody knows.
        was_running: an earlier answer of this wait has told of a job that was not finished.
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
    url_withheld: bool = False
    polls: int = 0
    reason_in_words: bool = False
    in_doubt: bool = False
    was_running: bool = False

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
            reason_in_words=video.reason_in_words,
            in_doubt=video.in_doubt,
            model=video.model,
            url=video.url,
            size=video.size,
            seconds=video.seconds,
            created_at=_iso(video.created_at),
            completed_at=_iso(video.completed_at),
            expires_at=_iso(video.expires_at),
        )

    def judged(self, own: OwnWords) -> Outcome:
        """Return the outcome with the reason that the server's words give without ours.

        The triggerer did not know the prompt, which the message may quote.

        Args:
            own: what was ordered.
        """
        if not self.reason_in_words:
            return self
        reason = find_reason_in(own.without(self.message)) or Reason.UNKNOWN
        is_cut = self.message.endswith("…")
        if reason is Reason.UNKNOWN and is_cut and find_reason_in(" ".join(own.texts)) is not Reason(self.reason):
            return self  # it stood in words that were cut off, and was not ours
        return replace(self, reason=reason.value)

    def delivered(self) -> Outcome:
        """Return the outcome of a job that was in doubt, after its content was seen."""
        completed = VideoStatus.COMPLETED.value
        return replace(
            self, kind="completed", status=completed, message="", reason=Reason.UNKNOWN.value, in_doubt=False
        )

    @property
    def is_running(self) -> bool:
        """Whether the server has told in this wait of a job that was not finished."""
        return self.was_running or (self.kind in ("timeout", "error") and self.status != VideoStatus.UNKNOWN.value)

    @property
    def generation_seconds(self) -> float | None:
        """How long the server has worked, in seconds, by its own clock; None where it does not tell."""
        if not (self.created_at and self.completed_at):
            return None
        try:
            seconds: float = (_moment(self.completed_at) - _moment(self.created_at)).total_seconds()
        except Exception:  # noqa: BLE001 - whatever was written into the event
            return None
        return seconds

    def to_event(self) -> dict[str, Any]:
        """Return the payload for a trigger event, which Airflow logs: without an address that may be signed.

        A text that the database refuses would end the triggerer, with the waits of the whole installation. So whatever
        this outcome holds, the event is JSON that any database takes, and short.
        """
        withheld = {"url": None, "url_withheld": True} if self.url and _may_be_signed(self.url) else {}
        return {"version": 1} | {name: _fit(value) for name, value in asdict(self).items()} | withheld

    @classmethod
    def from_event(cls, event: Any) -> Outcome:
        """Read what `to_event` wrote.

        Raises:
            VeoError: the event is not one of ours.
        """
        if not isinstance(event, dict) or event.get("version") != 1:
            raise _unreadable(event)
        given = {part.name: _fit(event.get(part.name)) for part in fields(cls)}
        values = {part.name: given[part.name] for part in fields(cls) if isinstance(given[part.name], _types(part))}
        is_whole = values.get("kind") in get_args(OutcomeKind) and values.get("video_id") and "status" in values
        if not is_whole:
            raise _unreadable(event)
        if values.get("reason") not in _REASONS:
            values["reason"] = Reason.UNKNOWN.value
        return cls(**values)

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
            error = VideoTimeoutError(self.message, video_id=self.video_id)
            error.reason = Reason.TIMEOUT if self.reason == Reason.UNKNOWN else Reason(self.reason)
            raise error
        if self.kind == "error":
            raise StatusUnknownError(self.message, Reason(self.reason), video_id=self.video_id)


_LONGEST_TEXT = 2_000  # characters, of each text of an event
_PLAIN_ADDRESS = re.compile(r"https?://[\w.:\[\]-]+/[\w.~/-]*", re.ASCII)


def _may_be_signed(url: str) -> bool:
    """Whether an address may hold a secret: a user, a query, a fragment, a parameter, or "hmac=..." in its path."""
    return not _PLAIN_ADDRESS.fullmatch(url) or KEY_IN_ADDRESS in url or len(url) > _LONGEST_TEXT


def _fit(value: Any) -> Any:
    """Return what an event may hold in place of a value of any kind."""
    if isinstance(value, str):
        return storable(str(value))[:_LONGEST_TEXT]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float)) else None


_REASONS = frozenset(reason.value for reason in Reason)
_TYPES = {"str": str, "OutcomeKind": str, "float": (int, float), "int": int, "bool": bool, "None": type(None)}


def _types(part: Field[Any]) -> Any:
    """Return what a field of an outcome may be, as `isinstance` takes it."""
    return tuple(_TYPES[name] for name in str(part.type).split(" | "))


def _unreadable(event: Any) -> VeoError:
    return VeoError(
        f"The trigger resumed the task with an event that this version cannot read: {for_people(repr(event), 200)}"
    )


def first_delay(policy: WaitPolicy, now: float, chance: float, earlier: Sequence[float] = ()) -> float:
    """Return the seconds until the first status call.

    Args:
        policy: how to wait.
        now: seconds since the epoch.
        chance: a random number from 0 to 1. A triggerer that starts with thousands of waits must not ask for all at
            once.
        earlier: seconds that earlier jobs of the same model took.
    """
    if policy.poll_interval is None:
        pause = first_pause(max(0.0, now - policy.submitted_at), earlier, chance)
    else:
        pause = policy.poll_interval * chance
    return _by_the_deadline(policy, pause, now)


def observe(
    policy: WaitPolicy,
    state: WaitState,
    video_id: str,
    seen: Video | VeoError,
    now: float,
    chance: float,
    earlier: Sequence[float] = (),
) -> tuple[WaitState, AskAgain | Outcome]:
    """Decide what follows from the answer to a status call.

    Args:
        policy: how to wait.
        state: what was known before.
        video_id: of the job.
        seen: the answer, or why there is none.
        now: seconds since the epoch.
        chance: a random number from 0 to 1, for the jitter.
        earlier: seconds that earlier jobs of the same model took.
    """
    elapsed = max(0.0, now - policy.submitted_at)
    if isinstance(seen, Video):
        marks = _marked(state.marks, seen, elapsed)
        new_state = WaitState(seen.status, seen.status_word, seen.progress, marks=marks)
        if seen.status.finished:
            return new_state, replace(Outcome.of(seen), was_running=state.status_word is not None)
        news = _progress_news(state, seen, elapsed)
    else:
        since = state.failing_since if state.failing_since is not None else now
        failure = seen.reason.value if isinstance(seen, ApiError) else type(seen).__name__
        new_state = replace(state, failures=state.failures + 1, failing_since=since, failure=failure)
        if not _may_pass(policy, seen, now) or _exhausted(policy, new_state, seen, now):
            return new_state, _gave_up(video_id, new_state, seen)
        news = None
        if failure != state.failure:
            news = News(f"Video {video_id}: asking for its status failed, and is repeated. {seen}")
    if now >= policy.deadline:
        return new_state, _timed_out(policy, video_id, new_state, seen, now)
    if policy.poll_interval is None:
        pause = next_pause(elapsed, new_state.marks, earlier, chance)
    else:
        pause = jittered(policy.poll_interval, chance)
    wanted = getattr(seen, "retry_after", None) or 0.0  # an answer's word, good or bad
    return new_state, AskAgain(_by_the_deadline(policy, max(pause, wanted), now), news)


def _may_pass(policy: WaitPolicy, error: VeoError, now: float) -> bool:
    if isinstance(error, ApiError) and error.reason is Reason.NOT_FOUND:
        return now < policy.submitted_at + policy.not_found_grace
    return isinstance(error, (ApiError, TransportError)) and not error.permanent


def _exhausted(policy: WaitPolicy, state: WaitState, error: VeoError, now: float) -> bool:
    assert state.failing_since is not None
    if isinstance(error, ApiError) and error.reason is Reason.RATE_LIMITED:
        return False  # the server is well, and has much to do; the deadline bounds this
    return state.failures >= policy.failure_count and now - state.failing_since >= policy.failure_budget


def _by_the_deadline(policy: WaitPolicy, pause: float, now: float) -> float:
    # the last question is asked at the deadline, whatever the pause
    return max(0.0, min(pause, policy.deadline - now))


def _marked(marks: tuple[Mark, ...], video: Video, elapsed: float) -> tuple[Mark, ...]:
    if video.progress is None or (marks and marks[-1][1] == video.progress):
        return marks
    return (*marks[1 - _MOST_MARKS :], (elapsed, video.progress))


def _progress_news(before: WaitState, video: Video, elapsed: float) -> News | None:
    if not before.failures and (before.status_word, before.progress) == (video.status_word, video.progress):
        return None
    progress = "" if video.progress is None else f" {video.progress:g} %"
    word = video.status_word or "accepted"
    is_unknown = video.status_word and video.status is VideoStatus.UNKNOWN
    unknown = " (an unknown word, taken as running)" if is_unknown else ""
    after = f"{elapsed:.0f} s after submission"
    if before.failures:
        after += f" and {_failed_calls(before)}"
    return News(f"Video {video.id}: {word}{progress}{unknown}, {after}", video)


def _gave_up(video_id: str, state: WaitState, error: VeoError) -> Outcome:
    reason = error.reason
    if reason is Reason.NOT_FOUND:
        message = (
            f"The server does not know video {video_id} ({_failed_calls(state)}). If it was ordered, it may have been "
            "billed."
        )
    else:
        message = (
            f"Video {video_id}: its status could not be learnt ({_failed_calls(state)} in a row). "
            "The job itself may go on, and is billed if it completes."
        )
    return Outcome(
        kind="error",
        video_id=video_id,
        status=state.status.value,
        reason=reason.value,
        message=f"{message} Last error: {error}",
    )


def _failed_calls(state: WaitState) -> str:
    return f"{state.failures} failed call{'s' if state.failures > 1 else ''}"


def _timed_out(policy: WaitPolicy, video_id: str, state: WaitState, seen: Video | VeoError, now: float) -> Outcome:
    at = "" if state.progress is None else f" at {state.progress:g} %"
    message = (
        f"Video {video_id} was not finished {now - policy.submitted_at:.0f} s after submission "
        f"(last status: {state.status.value}{at}). The job may still finish, and is billed then."
    )
    if isinstance(seen, VeoError):
        message += f" Its status could not be learnt any more ({_failed_calls(state)} in a row). Last error: {seen}"
    is_only_answer = isinstance(seen, ApiError) and state.status_word is None
    is_failing = state.failures > 1 or is_only_answer  # one call of many may fail at any server
    reason = seen.reason if isinstance(seen, VeoError) and is_failing else Reason.TIMEOUT
    if reason is Reason.NOT_FOUND:  # of a job that may be too young to be known: it is not gone
        reason = Reason.TIMEOUT
    return Outcome(
        kind="timeout",
        video_id=video_id,
        status=state.status.value,
        reason=reason.value,
        message=message,
        in_doubt=state.status is VideoStatus.UNKNOWN and state.status_word is not None,
    )


def _iso(moment: Any) -> str | None:
    return None if moment is None else moment.to_iso8601_string()


def _moment(text: str) -> pendulum.DateTime:
    moment = pendulum.parse(text)
    assert isinstance(moment, pendulum.DateTime)
    return moment
