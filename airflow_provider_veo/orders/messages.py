"""The errors of a task that may not order, or whose order is unknown."""

from __future__ import annotations

import pendulum

from airflow_provider_veo.api.errors import NotOrderedError, UnknownSubmissionError
from airflow_provider_veo.orders.decision import MOST_POSTS, Forbidden
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.record import OrderRecord


def make_limit_error(why: Forbidden, record: OrderRecord, order: Order) -> NotOrderedError:
    """Return the error of a task that has reached a limit.

    Args:
        why: Limit that the task has reached; any value except `Forbidden.UNKNOWN_ORDER`.
        record: The record of the latest order.
        order: The order that the task wanted to send.
    """
    if why is Forbidden.NO_ORDERS_LEFT:
        return NotOrderedError(
            f"This task has sent {record.submissions} orders since it was last cleared (the latest: "
            f"{_describe_result(record)}), and max_submissions={order.max_submissions} allows no more. "
            "Clear the task to order again."
        )
    if why is Forbidden.NO_REQUESTS_LEFT:
        return NotOrderedError(
            f"This task has sent {record.posts} requests to order since it was last cleared, and it may send "
            f"{MOST_POSTS} at most. They were refused, did not arrive, or made jobs without a video: the errors of the "
            "earlier tries say why. Clear the task to order again."
        )
    wanted = f"another one (the latest: {_describe_result(record)})" if record.posts else "an order"
    return NotOrderedError(
        f"Nothing was ordered now: the time for {wanted} is over (timeout {order.timeout:g} s from "
        f"{format_time(record.waiting_since)}{_describe_execution_timeout(order)}). Clear the task to order again."
    )


def make_unknown_error(
    record: OrderRecord, order: Order, task: TaskIdentity, *, base_url: str, cause: str, leads: str
) -> UnknownSubmissionError:
    """Return the error of a task whose order is unknown.

    Args:
        record: The record of the order.
        order: The order that the task wants.
        task: Identity of the task instance.
        base_url: Address of the server, without secrets.
        cause: The reason why there is no answer, as a sentence.
        leads: Sentences that help to find the job or its videos.
    """
    permanent = order.on_unknown_submission == "fail"
    then = (
        "If it is not there, clear this task: that orders a new video. "
        "(on_unknown_submission='resubmit' lets retries order again without asking.)"
        if permanent
        else "If it is not there, do nothing: a retry will order again, with the same idempotency key."
    )
    return UnknownSubmissionError(
        f"It is unknown whether a video was ordered. {cause.rstrip('.')}. ({task}; sent {format_time(record.sent_at)} "
        f"to {base_url}, connection {order.conn_id!r}, model {order.model}; request fingerprint {record.fingerprint}; "
        f"Idempotency-Key {record.idempotency_key}.) Look in the gateway's console for a job of that time and "
        f"model: if it is there, its video may have been billed. {leads} {then}",
        permanent=permanent,
        video_id=record.video_id,
    )


def describe_collecting(record: OrderRecord) -> str:
    """Return a sentence about the way to the videos of an order that no task continues with."""
    if record.kept:
        return f"Its video, {record.video_id}, is stored at {record.kept.path}."
    if record.video_id:
        return f"VeoDownloadOperator(video_id={record.video_id!r}) stores its video, {record.video_id}."
    if record.urls:
        return f"VeoDownloadOperator(url=...) stores its {len(record.urls)} videos, whose addresses are on record."
    return "VeoDownloadOperator stores it by the job's id."


def format_time(moment: float) -> str:
    """Return a Unix time in ISO 8601, in whole seconds."""
    return pendulum.from_timestamp(int(moment)).to_iso8601_string()


def _describe_result(record: OrderRecord) -> str:
    return f"video {record.video_id}" if record.video_id else f"{len(record.urls)} videos came of it"


def _describe_execution_timeout(order: Order) -> str:
    if order.execution_timeout is None:
        return ""
    return f", and execution_timeout {order.execution_timeout:g} s from {format_time(order.now)}"
