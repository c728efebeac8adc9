"""The decision about the next step of a task that orders: a task pays again only after the paid video is delivered.

A video is delivered once its task has succeeded; a task may still fail after it has stored the video. Everything here
is pure: `video` and `chat` do what a step says. docs/reliability.md has the table behind `decide`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from airflow_provider_veo.api.errors import ApiError, Reason, VeoError
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.record import Kept, OrderRecord, State

if TYPE_CHECKING:
    from airflow_provider_veo.storage.files import StoredVideo

MOST_EARLIER = 20
"""Earlier jobs whose IDs a record keeps. An ID has up to 1,024 characters, and the store takes 64 kB."""

MOST_POSTS = 16
"""Requests to order that one epoch may send, including those that were refused or never arrived."""

RECENT = 60.0
"""Seconds after an order in which some servers do not know its job yet."""

_URL_LIFETIME = 24 * 3600.0
"""Seconds for which the addresses of a chat call are valid. Source: resellers of such gateways keep files so long."""

_ABOUT_THE_ACCOUNT = frozenset({Reason.AUTHENTICATION, Reason.QUOTA})


class JobState(Enum):
    """The state of the job on record, as its server reports it now."""

    RUNNING = auto()
    """The server knows the job, and it is not finished."""
    MAY_BE_COMPLETED = auto()
    """The job is completed, or the server does not say anything about it now."""
    ENDED = auto()
    """The job failed, was cancelled or has expired."""
    GONE = auto()
    """The server does not know the job."""

    @property
    def may_have_video(self) -> bool:
        """Whether the job may still hand over a video."""
        return self in (JobState.RUNNING, JobState.MAY_BE_COMPLETED)


class Forbidden(Enum):
    """The reason why a task may not order."""

    UNKNOWN_ORDER = auto()
    """It is unknown whether the previous order made a job: a person must find out."""
    NO_ORDERS_LEFT = auto()
    """The task has sent `max_submissions` orders."""
    NO_REQUESTS_LEFT = auto()
    """The task has sent `MOST_POSTS` requests."""
    TOO_LATE = auto()
    """The deadline has passed: the task could not wait for a new job."""


@dataclass(frozen=True)
class Known:
    """Facts about the order on record that a task has looked up in this try.

    Attributes:
        named: The value by which a person names the job of an unknown order; None if there is none.
        has_looked: Whether the task has looked for the stored video.
        stored: The stored video, if the task has found it unchanged.
        job_state: The state of the job; None as long as the task has not asked for it.
        job: The job as the server describes it; None if the server does not describe it.
    """

    named: Any = None
    has_looked: bool = False
    stored: StoredVideo | None = None
    job_state: JobState | None = None
    job: Video | None = None


NOTHING_KNOWN = Known()


@dataclass(frozen=True)
class Look:
    """Look for the stored video, then decide again.

    Attributes:
        video_id: ID of the job.
        kept: The stored video on record.
    """

    video_id: str | None
    kept: Kept


@dataclass(frozen=True)
class HandOver:
    """Return the result of an earlier try, whose stored video is there unchanged.

    Attributes:
        record: The record of this try.
        kept: The stored video on record.
        stored: The stored video, at the place where this try has found it.
    """

    record: OrderRecord
    kept: Kept
    stored: StoredVideo


@dataclass(frozen=True)
class Ask:
    """Ask the server for the job on record, then decide again.

    Attributes:
        record: The record of the latest order, unchanged.
        video_id: ID of the job.
    """

    record: OrderRecord
    video_id: str


@dataclass(frozen=True)
class Follow:
    """Wait for a job, or collect its video.

    Attributes:
        record: The record of this try.
        video_id: ID of the job.
        job: The job as the server describes it; None if the server did not describe it.
    """

    record: OrderRecord
    video_id: str
    job: Video | None = None


@dataclass(frozen=True)
class Adopt:
    """Continue with the job that a person has named for an unknown order, or fail: nothing is ordered.

    Attributes:
        record: The record of the unknown order.
        named: The value that the person has written.
    """

    record: OrderRecord
    named: Any


@dataclass(frozen=True)
class Submit:
    """Send an order.

    Attributes:
        record: The record to write before the order is sent.
    """

    record: OrderRecord


@dataclass(frozen=True)
class Refuse:
    """Fail, and order nothing.

    Attributes:
        record: The record of the latest order, unchanged.
        why: Reason why the task may not order.
    """

    record: OrderRecord
    why: Forbidden


@dataclass(frozen=True)
class ReturnUrls:
    """Return the videos of earlier chat calls: all of them have arrived.

    Attributes:
        record: The record of this try.
    """

    record: OrderRecord


Step = Look | HandOver | Ask | Follow | Adopt | Submit | Refuse


def decide(record: OrderRecord | None, order: Order, task_key: str, known: Known = NOTHING_KNOWN) -> Step:
    """Return the next step of a task that orders a job.

    Args:
        record: The record of the latest order; None if there is none.
        order: The order that the task wants to send.
        task_key: Text that identifies the task instance over all its tries; see `TaskIdentity.key`.
        known: Facts that the task has looked up so far.
    """
    if record and record.is_unknown and known.named is not None:
        return Adopt(record, known.named)
    if record and _can_continue(record, order):
        if record.kept and known.stored:
            return HandOver(resume_record(record, order), record.kept, known.stored)
        if record.kept and not known.has_looked:
            return Look(record.video_id, record.kept)
        if known.job_state is None:
            return Ask(record, str(record.video_id))
        if known.job_state.may_have_video:
            is_running = known.job_state is JobState.RUNNING
            return Follow(resume_record(record, order, is_running=is_running), str(record.video_id), known.job)
    return _decide_on_order(record, order, task_key)


def decide_chat(record: OrderRecord | None, order: Order, task_key: str, videos: int) -> ReturnUrls | Submit | Refuse:
    """Return the next step of a task that orders videos by the chat call.

    A chat call makes no job that a server could be asked for: its videos are on record, and the others are lost.

    Args:
        record: The record of the latest order; None if there is none.
        order: The order that the task wants to send.
        task_key: Text that identifies the task instance over all its tries; see `TaskIdentity.key`.
        videos: Number of videos that the task wants.
    """
    urls = find_urls(record, order)
    if record and _can_continue(record, order) and len(urls) >= videos:
        return ReturnUrls(resume_record(record, order))
    step = _decide_on_order(record, order, task_key)
    return Submit(replace(step.record, urls=urls)) if isinstance(step, Submit) else step


def _can_continue(record: OrderRecord, order: Order) -> bool:
    """Return whether the same request is paid for and not delivered. A retry may collect a delivered video again."""
    return record.has_job and record.fingerprint == order.fingerprint and not is_over(record, order)


def is_over(record: OrderRecord, order: Order) -> bool:
    """Return whether a clear has left the order on record behind."""
    return was_cleared(record, order) and (record.state is State.DELIVERED or order.on_clear == "new")


def _decide_on_order(record: OrderRecord | None, order: Order, task_key: str) -> Submit | Refuse:
    """Return whether a task that has nothing to continue with may order."""
    if record is None or record.adopted or was_cleared(record, order):  # this epoch has ordered nothing yet
        return Submit(make_next_record(record, order, task_key))
    is_same = record.fingerprint == order.fingerprint
    if is_same and record.is_unknown and order.on_unknown_submission == "fail":
        return Refuse(record, Forbidden.UNKNOWN_ORDER)
    if record.submissions >= order.max_submissions:
        # A changed request counts, too: a prompt that differs at each retry must not order for ever.
        return Refuse(record, Forbidden.NO_ORDERS_LEFT)
    if is_same and (why := find_limit(record, order, order.now)):
        return Refuse(record, why)
    return Submit(make_next_record(record, order, task_key, keeps_deadline=is_same))


def find_limit(record: OrderRecord, order: Order, now: float) -> Forbidden | None:
    """Return the reason why no further request may be sent, or None.

    Args:
        record: The record of the order to be sent.
        order: The order that the task wants to send.
        now: Unix time at which the request would be sent.
    """
    if record.posts >= MOST_POSTS:
        return Forbidden.NO_REQUESTS_LEFT
    return Forbidden.TOO_LATE if now >= order.deadline(record.waiting_since) else None


def was_cleared(record: OrderRecord, order: Order) -> bool:
    """Return whether a person has cleared the task since the record was written; if not, this is a retry.

    A clear sets `max_tries` to the number of the try that it ends plus `retries`. A retry does not change `max_tries`.
    A clear does not change it either if `retries` was lowered by the number of tries; then the Dag run has seen a
    clear, and `max_tries - retries` is the number of the try that the clear has ended. If the record or Airflow lacks
    these numbers, the answer is False.

    A clear of an earlier task of a task loop gives the task instance another region, and starts its numbers anew. In
    the same region, a try with a lower number than the one on record is older: Airflow has given it up for dead, so it
    must not order as if it had been cleared. A try that has delivered its video does not run again: if another one has
    its number, the Dag run was deleted and made anew, and the order files still have the record of its predecessor.
    """
    if _are_different(record.region, order.region):
        return True
    if record.try_number is not None and order.try_number is not None:
        if order.try_number < record.try_number:
            return False
        if order.try_number == record.try_number and record.state is State.DELIVERED:
            return True
    if record.epoch != order.epoch:
        return True
    if record.try_number is None or record.clear_number is None or order.clear_number is None or order.retries is None:
        return False
    return order.clear_number > record.clear_number and order.epoch - order.retries >= record.try_number


def _are_different(known: str | None, now: str | None) -> bool:
    """Return whether two names differ; False as long as one of them is not known."""
    return known is not None and now is not None and known != now


def resume_record(record: OrderRecord, order: Order, *, is_running: bool = False) -> OrderRecord:
    """Return the record of a try that continues with an earlier try's job. After a clear, the job has a new deadline.

    Args:
        record: The record of the earlier try.
        order: The order that the task wanted to send.
        is_running: Whether the server has just reported that the job is not finished, so that nothing is withheld yet.
    """
    is_cleared = was_cleared(record, order)
    resumed = replace(
        record,
        epoch=order.epoch,
        try_number=order.try_number,
        clear_number=order.clear_number,
        region=order.region,
        server=record.server or order.server,
        by_clear=is_cleared,
        withheld_since=None if is_running else record.withheld_since,
    )
    return replace(resumed, submissions=1, posts=0, waiting_since=order.now, adopted=True) if is_cleared else resumed


def adopt_record(record: OrderRecord, order: Order, video_id: str) -> OrderRecord:
    """Return the record after a person has named the job of an unknown order. The job has a new deadline.

    Args:
        record: The record of the unknown order.
        order: The order that the task wanted to send.
        video_id: ID of the job.
    """
    adopted = replace(
        record,
        epoch=order.epoch,
        try_number=order.try_number,
        clear_number=order.clear_number,
        region=order.region,
        server=order.server,
        estimated_cost_usd=order.estimated_cost_usd,
        backend=order.backend or None,
    )
    if was_cleared(record, order):
        adopted = replace(adopted, submissions=1, posts=0)
    return replace(adopted, state=State.SUBMITTED, video_id=video_id, waiting_since=order.now)


def make_next_record(
    record: OrderRecord | None, order: Order, task_key: str, *, keeps_deadline: bool = False
) -> OrderRecord:
    """Return the record to write before an order is sent.

    An idempotency key of which no job is known is used again in every case: a server that honours the
    key then answers with the job that may exist already. Any other order has a new key.

    Args:
        record: The record of the latest order; None if there is none.
        order: The order to be sent.
        task_key: Text that identifies the task instance over all its tries.
        keeps_deadline: Whether the order repeats the one on record, so that the deadline stays.
    """
    of_this_epoch = None if record is None or record.adopted or was_cleared(record, order) else record
    submissions = of_this_epoch.submissions + 1 if of_this_epoch else 1
    return OrderRecord(
        state=State.INTENT,
        fingerprint=order.fingerprint,
        epoch=order.epoch,
        idempotency_key=_choose_key(record, order, task_key, submissions),
        submissions=submissions,
        waiting_since=record.waiting_since if record and keeps_deadline else order.now,
        sent_at=order.now,
        frames=order.frames,
        posts=of_this_epoch.posts if of_this_epoch else 0,
        try_number=order.try_number,
        clear_number=order.clear_number,
        earlier=_list_earlier(record),
        region=order.region,
        server=order.server,
        estimated_cost_usd=order.estimated_cost_usd,
        backend=order.backend or None,
    )


def _choose_key(record: OrderRecord | None, order: Order, task_key: str, submissions: int) -> str:
    has_no_job = record is not None and record.state in (State.INTENT, State.REFUSED)
    if record is not None and has_no_job and record.fingerprint == order.fingerprint:
        return record.idempotency_key
    parts = [task_key, str(order.epoch), order.fingerprint, str(submissions)]
    if record:
        # A later epoch may have the same number if `retries` is changed between two clears. No later try has the same
        # number.
        parts.append(str(order.try_number))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _list_earlier(record: OrderRecord | None) -> tuple[str, ...]:
    if record is None:
        return ()
    # A person may still name the job that the answer to an unknown order has named.
    own = (record.video_id,) if record.video_id and not record.is_unknown else ()
    return (*record.earlier, *own)[-MOST_EARLIER:]


def find_urls(record: OrderRecord | None, order: Order) -> tuple[str, ...]:
    """Return the addresses of earlier chat calls that are paid for, not delivered, and still valid."""
    if record is None or record.fingerprint != order.fingerprint or order.now >= record.sent_at + _URL_LIFETIME:
        return ()
    return () if is_over(record, order) else record.urls


def find_abandoned(record: OrderRecord | None, order: Order) -> OrderRecord | None:
    """Return the record of a paid order that no task collects, since the request has changed; None if there is none."""
    if record is None or record.fingerprint == order.fingerprint:
        return None
    return None if record.state in (State.REFUSED, State.DELIVERED, State.LOST) else record


def is_out_of_reach(record: OrderRecord, order: Order) -> bool:
    """Return whether the server of this order cannot have the video of a record in the order files any more.

    Args:
        record: The record, as the order files have it. They outlive the task's connection, and the server's videos.
        order: The order that the task wants to send.
    """
    if record.state is not State.SUBMITTED or record.video_id is None:
        return False
    return _are_different(record.server, order.server) or order.now >= record.sent_at + order.retention


def was_sent_recently(record: OrderRecord, order: Order) -> bool:
    """Return whether the order on record is so recent that some servers do not know its job yet."""
    return order.now < record.sent_at + RECENT


def read_job_state(answer: Video | VeoError, *, is_recent: bool) -> JobState:
    """Return the state of a job by the answer to a status call.

    Args:
        answer: The job, or the reason why there is none.
        is_recent: Whether the order is so recent that some servers do not know its job yet.

    Raises:
        VeoError: The answer is about the account, for example a refused key. Orders would be refused, too.
    """
    if isinstance(answer, Video):
        if not answer.may_be_there:
            return JobState.ENDED
        return JobState.MAY_BE_COMPLETED if answer.status.finished else JobState.RUNNING
    if isinstance(answer, ApiError) and answer.reason is Reason.NOT_FOUND:
        return JobState.MAY_BE_COMPLETED if is_recent else JobState.GONE
    if answer.permanent and (answer.reason in _ABOUT_THE_ACCOUNT or not isinstance(answer, ApiError)):
        raise answer
    return JobState.MAY_BE_COMPLETED
