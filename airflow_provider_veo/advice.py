"""What to do next about an error, as far as that depends on Airflow: what a retry and a Clear do differs by version."""

from __future__ import annotations

from airflow_provider_veo import task_state
from airflow_provider_veo.api.errors import Reason, TransportError, VeoError, VideoTimeoutError
from airflow_provider_veo.api.polling import StatusUnknownError
from airflow_provider_veo.submission import NotOrderedError

_MAY_PASS = (TransportError, VideoTimeoutError, StatusUnknownError)
"""Errors that leave a job as it is: it can be asked for later."""


def to_collect(video_id: str) -> str:
    """Say how a task gets the video that it has ordered, and what a Clear of it does in this Airflow."""
    if task_state.STORE_EXISTS:
        return f"Clear the task then: that goes on with video {video_id} and orders nothing."
    return (
        f"VeoDownloadOperator(video_id={video_id!r}) stores it then. Do not clear the task: this Airflow has no task "
        "state store (3.3 and later have), so a retry or a Clear orders a new video."
    )


def for_the_rest() -> str:
    """Say what a retry of a chat call that brought too few videos does in this Airflow."""
    if task_state.STORE_EXISTS:
        return "those are on record, and a retry asks for the others only"
    return "this Airflow has no task state store (3.3 and later have), so a retry asks for all of them anew"


def of_an_order(error: VeoError) -> str:
    """Return what to do about an error of a task that orders and waits; an empty string where its text says enough."""
    if not _leaves_the_job(error):
        return ""
    return f"{_when(error)} {to_collect(str(error.video_id))}"


def of_a_look(error: VeoError) -> str:
    """Return what to do about an error of a task that orders nothing."""
    return f"{_when(error)} A retry or a Clear asks again then, and orders nothing." if _leaves_the_job(error) else ""


def nothing_ordered(error: Exception) -> None:
    """Let an error of an order say that nothing was ordered."""
    if isinstance(error, VeoError) and not isinstance(error, NotOrderedError):
        then = "." if error.permanent else ": a retry or a Clear of the task orders it."
        error.tell(advice=f"Nothing was ordered{then}")


def _leaves_the_job(error: VeoError) -> bool:
    return bool(error.video_id) and isinstance(error, _MAY_PASS) and error.reason is not Reason.NOT_FOUND


def _when(error: VeoError) -> str:
    if error.reason is Reason.NETWORK:
        return "Wait until the API can be reached again."
    if isinstance(error, VideoTimeoutError):
        return "Wait until the video may be finished."
    return "Wait until the API answers well again." if not error.permanent else "Mend this first."
