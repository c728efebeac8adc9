"""The advice after an error that depends on Airflow, whose versions differ in retries and clears."""

from __future__ import annotations

import math

import pendulum

from airflow_provider_veo import version_compat
from airflow_provider_veo.api.errors import (
    NotOrderedError,
    Reason,
    StatusUnknownError,
    TransportError,
    VeoError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.orders import order_files
from airflow_provider_veo.orders.order import OnClear
from airflow_provider_veo.orders.record import OrderRecord
from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS

KEEPING_THE_STORE = ', with "Keep task state and resume" ticked' if AIRFLOW_V_3_4_PLUS else ""
"""How a clear keeps the values in Airflow's task state store. Without this, Airflow 3.4 deletes them."""

_JOB_UNCHANGED = (TransportError, VideoTimeoutError, StatusUnknownError)
"""Errors that leave a job unchanged, so that the task can ask for it later."""


def remembers_orders() -> bool:
    """Return whether a retry finds the order of an earlier try."""
    return version_compat.AIRFLOW_V_3_3_PLUS or order_files.are_kept()


def describe_clear(found: str = "the video", on_clear: OnClear = "collect") -> str:
    """Return sentences about the effect of a retry or a clear of a task that has ordered a video.

    Args:
        found: The video or the job with which the task would continue.
        on_clear: Action of the task after a clear.
    """
    if not remembers_orders():
        return (
            "Do not clear the task: this Airflow has no task state store (3.3 and later have), so a retry or a clear "
            "orders a new video."
        )
    if on_clear == "new":
        return (
            f"A retry of the task continues with {found} and orders nothing. A clear orders a new video, which is "
            "charged again, since on_clear is 'new'."
        )
    if _clear_needs_tick():
        return (
            f"A retry of the task continues with {found} and orders nothing. So does a clear{KEEPING_THE_STORE}; "
            "without the tick, a clear orders a new video, which is charged again."
        )
    return f"A retry or a clear of the task continues with {found} and orders nothing."


def advise_on_job(video_id: str, on_clear: OnClear = "collect") -> str:
    """Return sentences about the way to the video of a job that may still be collected.

    Args:
        video_id: ID of the job.
        on_clear: Action of the task after a clear.
    """
    is_found = remembers_orders() and on_clear == "collect"
    other = "" if is_found else f"VeoDownloadOperator(video_id={video_id!r}) stores it. "
    return other + describe_clear(f"video {video_id}", on_clear)


def describe_rest(missing: int) -> str:
    """Return a clause about the effect of a retry after a chat call that brought too few videos.

    Args:
        missing: Number of missing videos.
    """
    if remembers_orders():
        return f"they are on record, and a retry orders the other {missing} only"
    return "this Airflow has no task state store (3.3 and later have), so a retry orders all of them again"


def advise_on_order(error: VeoError, on_clear: OnClear = "collect") -> str:
    """Return advice about an error of a task that orders and waits; an empty string if the error says enough.

    Args:
        error: The error that ends the task.
        on_clear: Action of the task after a clear.
    """
    if isinstance(error, VideoFailedError):
        then = "when that is corrected, a clear" if error.permanent else "a retry (max_submissions allowing) or a clear"
        return f"There is no video to collect: {then} of the task orders another one."
    if not _leaves_job_open(error):
        return ""
    return f"{_say_when(error)} {advise_on_job(str(error.video_id), on_clear)}"


def advise_on_withheld(record: OrderRecord, on_clear: OnClear = "collect") -> str:
    """Return advice about a video that the server withholds; an empty string if the record has no refusal.

    Args:
        record: The record of the order, after the refusal.
        on_clear: Action of the task after a clear.
    """
    if record.withheld_since is None or record.replaceable_from is None:
        return ""
    begin = f"The server has refused it since {_format_up(record.withheld_since)}. "
    if not remembers_orders() or on_clear == "new":
        return begin + advise_on_job(str(record.video_id), on_clear)
    clear = f"a clear of the task{KEEPING_THE_STORE if _clear_needs_tick() else ''}"
    until = _format_up(record.replaceable_from)
    return (
        f"{begin}A retry asks for it again, and orders nothing; so does {clear} until {until}. A later clear asks once "
        "more, and orders another video only if it is refused again; that one is charged again."
    )


def _clear_needs_tick() -> bool:
    """Return whether a clear forgets the order, unless its user ticks a box."""
    return version_compat.AIRFLOW_V_3_4_PLUS and not order_files.are_kept()


def _format_up(moment: float) -> str:
    """Return a Unix time, rounded up to whole seconds: a clear at the time that a message names must be late enough."""
    return pendulum.from_timestamp(math.ceil(moment)).format("YYYY-MM-DD HH:mm:ss [UTC]")


def advise_on_read(error: VeoError) -> str:
    """Return advice about an error of a task that orders nothing; an empty string if the error says enough."""
    if not _leaves_job_open(error):
        return ""
    return f"{_say_when(error)} A retry or a clear of the task asks again, and orders nothing."


def add_nothing_ordered(error: Exception) -> None:
    """Add to the error of an order that nothing was ordered.

    Args:
        error: The error. It stays unchanged if it already says so, or if it belongs to another package.
    """
    if isinstance(error, VeoError) and not isinstance(error, NotOrderedError):
        then = (
            "when that is corrected, clear the task" if error.permanent else "a retry or a clear of the task orders it"
        )
        error.add(advice=f"Nothing was ordered: {then}.")


def _leaves_job_open(error: VeoError) -> bool:
    return bool(error.video_id) and isinstance(error, _JOB_UNCHANGED) and error.reason is not Reason.NOT_FOUND


def _say_when(error: VeoError) -> str:
    if error.reason is Reason.NETWORK:
        return "Wait until the API can be reached again."
    if isinstance(error, VideoTimeoutError):
        return "Wait until the video may be finished."
    return "Correct this first." if error.permanent else "Wait until the API works again."
