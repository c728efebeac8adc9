"""What has been ordered, and what to do on a retry: nobody pays again until what was paid for has been delivered.

Delivered means that the task has succeeded: a task may fail after it has stored its video.

The decisions are pure; `Ledger` keeps the record in Airflow's task state store, which outlives retries.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import timedelta
from enum import Enum
from typing import Any, Literal, TypeVar

from airflow_provider_veo.api.backends.openai.refusals import Verdict, judge
from airflow_provider_veo.api.errors import (
    AddressNotAllowedError,
    AddressUnreachableError,
    ApiError,
    ContentError,
    ContentGoneError,
    ContentTooLargeError,
    InvalidInputError,
    NotOrderedError,
    NotSentError,
    Reason,
    StatusUnknownError,
    TransportError,
    VeoError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.utils.airflow_internals import never_expire

log = logging.getLogger(__name__)

T = TypeVar("T")

OnUnknownSubmission = Literal["fail", "resubmit"]

KEY = "veo_submission"
"""Name of the record in the task state store."""

NAMED_KEY = "veo_adopt"
"""Name of the value in the task state store by which a person names the job of an unknown order; see `adoption`."""

MOST_EARLIER = 20
"""Earlier jobs whose ids a record keeps; an id has up to 1,024 characters, and the store takes 64 kB."""

LONGEST_REFUSAL = 600.0
"""Seconds over which a server must have refused a video that is paid for before a Clear orders another one."""

MOST_POSTS = 16
"""Requests to order that are sent in one epoch, refused ones and those that never arrived included."""


class State(str, Enum):
    """How far an order has come."""

    INTENT = "intent"
    """About to be sent, or sent and never heard of again."""
    REFUSED = "refused"
    """Surely made no job."""
    SUBMITTED = "submitted"
    """There is a job."""
    STORED = "stored"
    """Its video is stored, where it belongs or in salvage; whether the task has succeeded is not known."""
    DELIVERED = "delivered"
    """The task has succeeded."""
    LOST = "lost"
    """Its video can never be collected: there is none, or the server has thrown it away."""


class Collecting(Enum):
    """What came of collecting the video of a job."""

    NEVER = "there is none, and will be none: it is not made, or thrown away"
    REFUSED = "the server has answered, and not handed it over; that may pass"
    UNHEARD = "the server was not reached, has too much to do, or wants the account mended: that says nothing of it"
    HANDED_OVER = "it came, or is about to; the failure was on this side"


@dataclass(frozen=True)
class Kept:
    """The stored video of a job, with all that a later try needs to return what this one would have returned.

    Attributes:
        path: a local path, or a URI that `ObjectStoragePath` takes.
        bytes: size of the file.
        sha256: in hexadecimal.
        outcome: of the job, as `Outcome.to_event` writes it: without an address that may be signed.
        submissions: that the task's result tells.
    """

    path: str
    bytes: int
    sha256: str
    outcome: Mapping[str, Any]
    submissions: int


@dataclass(frozen=True)
class Submission:
    """The record of a task instance's latest order.

    Attributes:
        state: how far it has come.
        fingerprint: of the request; see `fingerprint_of`.
        epoch: the task instance's `max_tries`: the same over all retries, another after a Clear.
        idempotency_key: sent with the order.
        submissions: orders that made a job, or may have made one, in this epoch.
        waiting_since: when the first of them was sent, in seconds since the epoch; the deadline counts from here.
        sent_at: when the latest was sent, in seconds since the epoch.
        video_id: of the job.
        adopted: the job is of an earlier epoch, and this one has ordered nothing yet; a Clear may have cancelled it at
            the same time.
        by_clear: the latest try that goes on with the job is the first after a Clear.
        withheld_since: when the server first refused to hand over the video, or to tell of the job, in seconds since
            the epoch; None if it has not since it last did.
        urls: of the videos that a chat call has delivered so far; it has no job.
        frames: SHA-256 of the pictures that were sent, by argument.
        posts: requests to order that were sent in this epoch, whatever came of them.
        try_number: the try that wrote this; None in records of earlier versions, and where Airflow does not tell.
        clear_number: how many Clears the Dag run had seen then; None likewise.
        kept: the job's video, once it is stored.
        earlier: ids of the jobs that came of earlier orders of this task, the latest `MOST_EARLIER` of them.
    """

    state: State
    fingerprint: str
    epoch: int
    idempotency_key: str
    submissions: int
    waiting_since: float
    sent_at: float
    video_id: str | None = None
    adopted: bool = False
    urls: tuple[str, ...] = ()
    frames: Mapping[str, str] = field(default_factory=dict)
    posts: int = 0
    try_number: int | None = None
    clear_number: int | None = None
    kept: Kept | None = None
    earlier: tuple[str, ...] = ()
    by_clear: bool = False
    withheld_since: float | None = None

    @property
    def has_job(self) -> bool:
        """Whether there is something that was paid for, as far as the record knows."""
        return self.state in (State.SUBMITTED, State.STORED, State.DELIVERED)

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows what came of the order."""
        return self.state is State.INTENT

    def posted(self, now: float) -> Submission:
        """Return the record to write before each request: a crash from here on may have made a job."""
        return replace(self, state=State.INTENT, posts=self.posts + 1, sent_at=now)

    def refused(self) -> Submission:
        """Return the record after the server has clearly refused the order."""
        return replace(self, state=State.REFUSED, submissions=self.submissions - 1)

    def accepted(self, video_id: str | None) -> Submission:
        """Return the record after the server has answered with a job, or has begun to answer a chat call."""
        return replace(self, state=State.SUBMITTED, video_id=video_id)

    def adopted_by_hand(self, video_id: str, order: Order) -> Submission:
        """Return the record after a person has named the job of an unknown order; that gives it fresh time."""
        here = replace(self, epoch=order.epoch, try_number=order.try_number, clear_number=order.clear_number)
        if was_cleared(self, order):
            here = replace(here, submissions=1, posts=0)
        return replace(here, state=State.SUBMITTED, video_id=video_id, waiting_since=order.now)

    def received(self, url: str) -> Submission:
        """Return the record after a chat call has delivered a video."""
        return replace(self, urls=(*self.urls, url))

    def stored(self, kept: Kept) -> Submission:
        """Return the record after the video was stored: if the task fails now, the next try hands it over."""
        return replace(self, state=State.STORED, kept=kept, withheld_since=None)

    def delivered(self) -> Submission:
        """Return the record after the task has succeeded."""
        return replace(self, state=State.DELIVERED)

    def lost(self) -> Submission:
        """Return the record after it is sure that the video can never be collected: there is nothing to go on with."""
        return replace(self, state=State.LOST)

    def after(self, what: Collecting, now: float, *, is_told: bool = False) -> Submission:
        """Return the record after its video could not be collected.

        Args:
            what: came of it.
            now: seconds since the epoch.
            is_told: meanwhile the server has told of the job, which is not finished: so far nothing is withheld.
        """
        if what is Collecting.NEVER:
            return self.lost()
        since = None if is_told or what is Collecting.HANDED_OVER else self.withheld_since
        return replace(self, withheld_since=since or now if what is Collecting.REFUSED else since)

    @property
    def replaced_from(self) -> float | None:
        """When a Clear may order another video if it is refused this one, too; None while it may not."""
        return None if self.withheld_since is None else self.withheld_since + LONGEST_REFUSAL

    def is_given_up(self) -> bool:
        """Whether this try, which was just refused the video, is to order another one.

        Only a Clear's first try is, if it has begun when `replaced_from` was over: the error has named that time.
        """
        return self.by_clear and self.replaced_from is not None and self.waiting_since >= self.replaced_from

    def followed(self, order: Order, *, is_running: bool = False) -> Submission:
        """Return the record when a task goes on with the job of an earlier try; a Clear gives it fresh time.

        Args:
            order: what the task wants.
            is_running: the server has just told of the job, which is not finished: so far nothing is withheld.
        """
        cleared = was_cleared(self, order)
        here = replace(
            self,
            epoch=order.epoch,
            try_number=order.try_number,
            clear_number=order.clear_number,
            by_clear=cleared,
            withheld_since=None if is_running else self.withheld_since,
        )
        return replace(here, submissions=1, posts=0, waiting_since=order.now, adopted=True) if cleared else here


@dataclass(frozen=True)
class Order:
    """What a task wants now.

    Attributes:
        fingerprint: of the request.
        epoch: see `Submission`.
        now: seconds since the epoch.
        timeout: seconds that the video may take, from the first submission.
        max_submissions: orders in one epoch.
        on_unknown_submission: what to do about an order that nobody knows the fate of.
        frames: see `Submission`.
        execution_timeout: seconds that this try may take, from `now`; None for as long as it takes.
        model: of the video, for messages.
        conn_id: of the connection, for messages.
        try_number: see `Submission`.
        clear_number: see `Submission`.
        retries: of the task, as its Dag says now; None where that is not known.

    Raises:
        InvalidInputError: on construction.
    """

    fingerprint: str
    epoch: int
    now: float
    timeout: float
    max_submissions: int
    on_unknown_submission: OnUnknownSubmission
    frames: Mapping[str, str] = field(default_factory=dict)
    execution_timeout: float | None = None
    model: str = ""
    conn_id: str = ""
    try_number: int | None = None
    clear_number: int | None = None
    retries: int | None = None

    def __post_init__(self) -> None:
        # an argument of Airflow's, for which `arguments` has no rule
        if self.execution_timeout is not None and self.execution_timeout <= 0:
            raise InvalidInputError(
                f"execution_timeout is {self.execution_timeout:g} s, so the time for a video is over before it is "
                "ordered. Nothing was ordered. Set execution_timeout to as long as a video may take."
            )

    def deadline(self, record: Submission) -> float:
        """Return when the time for an order is over, in seconds since the epoch."""
        over_all_tries = record.waiting_since + self.timeout
        of_this_try = None if self.execution_timeout is None else self.now + self.execution_timeout
        return over_all_tries if of_this_try is None else min(over_all_tries, of_this_try)


class Remote(Enum):
    """What the API says about the job on record."""

    ALIVE = "running, completed, or the API does not tell at the moment"
    ENDED = "failed, cancelled or expired"
    GONE = "unknown to the API"


class Action(Enum):
    """What to do next."""

    LOOK = "look whether the stored video is there unchanged, then decide again"
    HAND_OVER = "return the stored video"
    ASK = "ask the API about the job on record, then decide again"
    FOLLOW = "wait for the job on record, or take its video"
    ADOPT = "go on with the job that a person has named, or fail: nothing is ordered"
    SUBMIT_NEW = "order a video; the deadline starts anew"
    SUBMIT_AGAIN = "order once more, within max_submissions and the deadline"
    STOP_UNKNOWN = "an order's fate is unknown: a person must look"
    STOP_EXHAUSTED = "max_submissions is reached"
    STOP_POSTS = "so many requests were refused, or never arrived, that no more is sent"
    STOP_LATE = "the deadline has passed: a new job could not be waited for"


def decide(
    record: Submission | None,
    order: Order,
    remote: Remote | None = None,
    *,
    is_there: bool | None = None,
    is_named: bool = False,
) -> Action:
    """Decide what a task does at its start.

    Args:
        record: of the latest order, or None.
        order: what the task wants.
        remote: what the API says about the job on record; None as long as it has not been asked.
        is_there: the stored video on record is there unchanged; None as long as nobody has looked.
        is_named: a person has named the job of an unknown order; see `adoption`.
    """
    if record is None:
        return Action.SUBMIT_NEW
    if record.is_unknown and is_named:
        return Action.ADOPT
    cleared = was_cleared(record, order)
    is_first = cleared or record.adopted  # this epoch has ordered nothing yet
    if record.fingerprint != order.fingerprint:
        # counted all the same: a prompt that differs at each retry must not order for ever
        return Action.SUBMIT_NEW if is_first or not _exhausted(record, order) else Action.STOP_EXHAUSTED
    if record.has_job and not (cleared and record.state is State.DELIVERED):
        if record.kept and is_there is not False:
            return Action.HAND_OVER if is_there else Action.LOOK
        if remote is None or remote is Remote.ALIVE:
            return Action.ASK if remote is None else Action.FOLLOW
    return Action.SUBMIT_NEW if is_first else _decide_on_repeating(record, order)


def _decide_on_repeating(record: Submission, order: Order) -> Action:
    """Decide whether a retry may order once more, now that there is no job to go on with."""
    if record.is_unknown and order.on_unknown_submission == "fail":
        return Action.STOP_UNKNOWN
    if _exhausted(record, order):
        return Action.STOP_EXHAUSTED
    return forbidden(record, order, order.now) or Action.SUBMIT_AGAIN


def was_cleared(record: Submission, order: Order) -> bool:
    """Whether a user has cleared the task since the record was written; else this is a retry.

    A Clear sets `max_tries` to the try that it ends plus `retries`; a retry leaves it alone. Only where `retries` was
    lowered by as many as there were tries does a Clear leave it as it was. Then the run has seen a Clear, and
    `max_tries - retries` is the try at which it came. A record or an Airflow that does not tell counts as a retry.
    """
    if record.epoch != order.epoch:
        return True
    if record.try_number is None or record.clear_number is None or order.clear_number is None or order.retries is None:
        return False
    return order.clear_number > record.clear_number and order.epoch - order.retries >= record.try_number


def forbidden(record: Submission, order: Order, now: float) -> Action | None:
    """Return why no further request may be sent now, or None.

    Args:
        record: of the order that is to be sent.
        order: what the task wants.
        now: seconds since the epoch.
    """
    if record.posts >= MOST_POSTS:
        return Action.STOP_POSTS
    return Action.STOP_LATE if now >= order.deadline(record) else None


_URL_LIFETIME = 24 * 3600.0  # seconds (the seed gateway's resellers: files are kept for 24 hours)


def urls_kept(record: Submission | None, order: Order) -> tuple[str, ...]:
    """Return the videos of earlier chat calls that are paid for, not handed over yet, and still to be had."""
    if record is None or record.fingerprint != order.fingerprint or order.now >= record.sent_at + _URL_LIFETIME:
        return ()
    handed_over = record.state is State.DELIVERED and was_cleared(record, order)
    return () if handed_over else record.urls


def _exhausted(record: Submission, order: Order) -> bool:
    return record.submissions >= order.max_submissions


def left_behind(record: Submission | None, order: Order) -> Submission | None:
    """Return the record of an order that is, or may be, paid for and that nobody will collect; None if there is none.

    That is the one of another request which was not delivered.
    """
    if record is None or record.fingerprint == order.fingerprint:
        return None
    return None if record.state in (State.REFUSED, State.DELIVERED, State.LOST) else record


def next_submission(record: Submission | None, order: Order, action: Action, identity: str) -> Submission:
    """Return the record to write before an order is sent.

    A key that no job is known of is used again, whatever happened in between: a server that honours it then answers
    with the job that may be there already. Any other order has a key of its own.

    Args:
        record: of the latest order, or None.
        order: what the task wants.
        action: `SUBMIT_NEW` or `SUBMIT_AGAIN`.
        identity: of the task instance, over all its tries.
    """
    again = record if action is Action.SUBMIT_AGAIN else None
    before = None if record is None or record.adopted or was_cleared(record, order) else record
    submissions = before.submissions + 1 if before else 1
    same = record is not None and record.fingerprint == order.fingerprint
    if record is not None and same and record.state in (State.INTENT, State.REFUSED):
        key = record.idempotency_key
    else:
        words = [identity, str(order.epoch), order.fingerprint, str(submissions)]
        # an epoch may come again, when `retries` is changed between two Clears; a try does not
        words += [str(order.try_number)] if record else []
        key = hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
    return Submission(
        state=State.INTENT,
        fingerprint=order.fingerprint,
        epoch=order.epoch,
        idempotency_key=key,
        submissions=submissions,
        waiting_since=again.waiting_since if again else order.now,
        sent_at=order.now,
        frames=order.frames,
        posts=before.posts if before else 0,
        try_number=order.try_number,
        clear_number=order.clear_number,
        earlier=_earlier(record),
    )


def _earlier(record: Submission | None) -> tuple[str, ...]:
    if record is None:
        return ()
    # the job that an unknown order's answer has named may yet be the one that a person names
    own = (record.video_id,) if record.video_id and not record.is_unknown else ()
    return (*record.earlier, *own)[-MOST_EARLIER:]


def remote_of(seen: Video | VeoError, *, young: bool) -> Remote:
    """Say what the answer to a status call means for the job on record.

    Args:
        seen: the answer, or why there is none.
        young: the order was sent a moment ago, so that some servers do not know it yet.

    Raises:
        VeoError: the one given, if it is about the account (a refused key, say), which refuses orders, too.
    """
    if isinstance(seen, Video):
        return Remote.ALIVE if seen.may_be_there else Remote.ENDED
    if isinstance(seen, ApiError) and seen.reason is Reason.NOT_FOUND:
        return Remote.ALIVE if young else Remote.GONE
    if seen.permanent and (seen.reason in _OF_THE_ACCOUNT or not isinstance(seen, ApiError)):
        raise seen
    return Remote.ALIVE


_OF_THE_ACCOUNT = frozenset({Reason.AUTHENTICATION, Reason.QUOTA})
_NOT_TOLD = frozenset(
    {
        *(Reason.SERVER, Reason.UNREADABLE, Reason.FORBIDDEN, Reason.MODERATION, Reason.MODEL_UNAVAILABLE),
        *(Reason.BAD_REQUEST, Reason.REQUEST_FORMAT, Reason.NO_ROUTE),
    }
)
"""Reasons of answers that tell nothing of a job. If such answers go on, the server refuses its video."""


def collecting_of(error: Exception) -> Collecting:
    """Say what an error means for the video that a task has ordered and wants to collect.

    Args:
        error: that has ended the wait for it, or its download.
    """
    if isinstance(error, (VideoFailedError, ContentGoneError)):
        return Collecting.NEVER
    if isinstance(error, (StatusUnknownError, VideoTimeoutError)):
        return Collecting.REFUSED if error.reason in _NOT_TOLD else Collecting.UNHEARD
    if isinstance(error, ApiError):
        passes = error.reason in (Reason.RATE_LIMITED, Reason.QUOTA)
        return Collecting.UNHEARD if passes else Collecting.REFUSED
    if isinstance(error, (ContentError, AddressNotAllowedError, AddressUnreachableError)) and not isinstance(
        error, ContentTooLargeError
    ):
        return Collecting.REFUSED
    return Collecting.UNHEARD if isinstance(error, TransportError) else Collecting.HANDED_OVER


def is_unknown(error: Exception) -> bool:
    """Whether a failed order may have made a job: it may, unless it surely was not sent, or surely was refused."""
    if isinstance(error, ApiError):
        return judge(error) is Verdict.UNKNOWN
    return not isinstance(error, (NotSentError, InvalidInputError, NotOrderedError))


_CREATE_ATTEMPTS = 4
_LONGEST_PAUSE = 30.0  # seconds that a worker slot is held for; longer ones are a matter for Airflow's retries


def create_pause(error: Exception, attempt: int) -> float | None:
    """Return the seconds to wait before the same order may be sent again in place; None if it may not.

    Args:
        error: why it failed.
        attempt: how many times it was sent, from 1.
    """
    refused_for_now = isinstance(error, ApiError) and judge(error) is Verdict.REFUSED_FOR_NOW
    if attempt >= _CREATE_ATTEMPTS or not (refused_for_now or isinstance(error, NotSentError)):
        return None
    wanted = error.retry_after if isinstance(error, ApiError) else None
    pause = wanted if wanted is not None else float(2 ** (attempt - 1))
    return pause if pause <= _LONGEST_PAUSE else None


def seconds_of(span: timedelta | None) -> float | None:
    """Return a span of time in seconds; None stays None."""
    return None if span is None else span.total_seconds()


def fingerprint_of(spec: VideoSpec | ChatSpec, conn_id: str) -> str:
    """Return a hash of everything that decides what is ordered, and from whom."""
    canonical = json.dumps([conn_id, spec.identity()], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class Ledger:
    """Keeps the record of one task instance.

    Args:
        store: `context["task_state_store"]`; None before Airflow 3.3, where nothing is remembered.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    @property
    def remembers(self) -> bool:
        return self._store is not None

    def read(self) -> Submission | None:
        """Return the record, or None if there is none.

        Raises:
            NotOrderedError: it cannot be read; that is not the same as "nothing is on record".
        """
        return self._read(lambda store: None if (value := store.get(KEY)) is None else _from_json(value))

    def read_named(self) -> Any:
        """Return what a person has written under `NAMED_KEY`, or None.

        Raises:
            NotOrderedError: it cannot be read.
        """
        return self._read(lambda store: store.get(NAMED_KEY))

    def forget_named(self) -> None:
        """Delete what `read_named` returns. A failure is logged: the record, which is written, comes first."""
        try:
            self._store.delete(NAMED_KEY)
        except Exception:
            log.exception("%s could not be deleted from the task state store; delete it by hand", NAMED_KEY)

    def _read(self, read: Callable[[Any], T]) -> T | None:
        try:
            return None if self._store is None else read(self._store)
        except Exception as error:
            raise NotOrderedError(
                f"The record of earlier orders cannot be read from the task state store, so nothing was ordered now: "
                f"{type(error).__name__}: {error}",
                permanent=False,
            ) from error

    def write(self, record: Submission) -> None:
        """Write the record before an order is sent.

        Raises:
            NotOrderedError: it cannot be written.
        """
        try:
            self._set(record)
        except Exception as error:
            raise NotOrderedError(
                f"The intent to order cannot be written to the task state store, so nothing was ordered: "
                f"{type(error).__name__}: {error}",
                permanent=False,
            ) from error

    def note(self, record: Submission) -> None:
        """Write the record after the fact. A failure is logged: it must not lose a video that was paid for."""
        try:
            self._set(record)
        except Exception:
            log.exception("Video %s: its record could not be written to the task state store", record.video_id)

    def _set(self, record: Submission) -> None:
        if self._store is not None:
            value = {"version": 1} | asdict(record) | {"state": record.state.value}
            value |= {"urls": list(record.urls), "earlier": list(record.earlier)}
            self._store.set(KEY, value, **never_expire())


def _from_json(value: Mapping[str, Any]) -> Submission:
    values = _known(Submission, value)
    kept = values.get("kept")
    parsed = {
        "state": State(values["state"]),
        "urls": tuple(values.get("urls", ())),
        "earlier": tuple(values.get("earlier", ())),
        "kept": None if kept is None else Kept(**_known(Kept, kept)),
    }
    return Submission(**values | parsed)


def _known(kind: type[Submission | Kept], value: Mapping[str, Any]) -> dict[str, Any]:
    names = {part.name for part in fields(kind)}
    return {name: part for name, part in value.items() if name in names}
