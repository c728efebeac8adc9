"""What to do next about an error, as far as that depends on Airflow: versions differ in what a retry and a Clear do."""

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
from airflow_provider_veo.orders.submission import Submission
from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS

KEEPING_THE_STORE = ', with "Keep task state and resume" ticked' if AIRFLOW_V_3_4_PLUS else ""
"""How a Clear keeps the record of an order: without this, Airflow 3.4 throws it away."""

_MAY_PASS = (TransportError, VideoTimeoutError, StatusUnknownError)
"""Errors that leave a job as it is: it can be asked for later."""


def of_a_clear(what: str = "the video") -> str:
    """Say what a retry or a Clear of a task does in this Airflow, after the task has ordered a video.

    Args:
        what: there is to go on with.
    """
    if version_compat.AIRFLOW_V_3_3_PLUS:
        return f"A retry or a Clear of the task{KEEPING_THE_STORE} goes on with {what} and orders nothing."
    return (
        "Do not clear the task: this Airflow has no task state store (3.3 and later have), so a retry or a Clear "
        "orders a new video."
    )


def to_collect(video_id: str) -> str:
    """Say how to get a video that was ordered and may still come."""
    other = "" if version_compat.AIRFLOW_V_3_3_PLUS else f"VeoDownloadOperator(video_id={video_id!r}) stores it. "
    return other + of_a_clear(f"video {video_id}")


def for_the_rest(missing: int) -> str:
    """Say what a retry of a chat call that brought too few videos does in this Airflow.

    Args:
        missing: how many videos.
    """
    if version_compat.AIRFLOW_V_3_3_PLUS:
        return f"they are on record, and a retry asks for the other {missing} only"
    return "this Airflow has no task state store (3.3 and later have), so a retry asks for all of them anew"


def of_an_order(error: VeoError) -> str:
    """Return what to do about an error of a task that orders and waits; an empty string where its text says enough."""
    if isinstance(error, VideoFailedError):
        then = "when that is mended, a Clear" if error.permanent else "a retry (max_submissions allowing) or a Clear"
        return f"There is no video to collect: {then} of the task orders another one."
    if not _is_open(error):
        return ""
    return f"{_when(error)} {to_collect(str(error.video_id))}"


def of_a_refusal(record: Submission) -> str:
    """Say how to get a video that the server does not hand over, or another one in its place.

    Args:
        record: of the order, as it is after the refusal.
    """
    assert record.withheld_since is not None
    assert record.replaced_from is not None
    cleared = f"a Clear of the task{KEEPING_THE_STORE}"
    return (
        f"The server has refused it since {_clock(record.withheld_since)}. A retry asks for it again, and orders "
        f"nothing; so does {cleared} until {_clock(record.replaced_from)}. A later Clear asks once more, and "
        "orders another video only if it is refused again; that one is charged again."
    )


def _clock(moment: float) -> str:
    return pendulum.from_timestamp(math.ceil(moment)).format("YYYY-MM-DD HH:mm:ss [UTC]")


def of_a_look(error: VeoError) -> str:
    """Return what to do about an error of a task that orders nothing."""
    return f"{_when(error)} A retry or a Clear of the task asks again, and orders nothing." if _is_open(error) else ""


def nothing_ordered(error: Exception) -> None:
    """Let an error of an order say that nothing was ordered."""
    if isinstance(error, VeoError) and not isinstance(error, NotOrderedError):
        then = "when that is mended, clear the task" if error.permanent else "a retry or a Clear of the task orders it"
        error.add(advice=f"Nothing was ordered: {then}.")


def _is_open(error: VeoError) -> bool:
    return bool(error.video_id) and isinstance(error, _MAY_PASS) and error.reason is not Reason.NOT_FOUND


def _when(error: VeoError) -> str:
    if error.reason is Reason.NETWORK:
        return "Wait until the API can be reached again."
    if isinstance(error, VideoTimeoutError):
        return "Wait until the video may be finished."
    return "Mend this first." if error.permanent else "Wait until the API answers well again."
