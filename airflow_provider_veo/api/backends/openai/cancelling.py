"""What a server's answer to DELETE means for the job."""

from __future__ import annotations

from enum import Enum

from airflow_provider_veo.api.answers.answer import Answer, unwrap
from airflow_provider_veo.api.error_answers import error_from

_STOPPED = ("cancelled", "canceled", "cancelling", "canceling")
_IMPOSSIBLE = (404, 405, 501)  # no such route, or no such job (any more)


class Cancellation(Enum):
    """How far a job was cancelled. The value tells people."""

    STOPPED = "The server has cancelled video {}."
    ACCEPTED = (
        "The server has removed video {}. Whether it has also stopped the work, it does not say: if it has not, the "
        "job may still be billed."
    )
    IMPOSSIBLE = (
        "Video {} is not cancelled: this server cannot cancel jobs, or does not know this one (any more). A job that "
        "runs goes on, and may still be billed."
    )


def read_cancellation(answer: Answer, video_id: str) -> Cancellation:
    """Return what the answer to a request for cancelling says.

    "Deleted" does not mean "stopped": some servers abort the work then, others (SGLang, FastVideo) only forget the job.

    Raises:
        ApiError: the server has failed, or refuses for now.
    """
    if answer.status in _IMPOSSIBLE:
        return Cancellation.IMPOSSIBLE
    body = unwrap(answer.json()) or {}
    if not answer.ok or (body.get("error") and not body.get("status")):
        raise error_from(answer, f"Cancelling video {video_id}", about_a_job=True)
    return Cancellation.STOPPED if str(body.get("status")).lower() in _STOPPED else Cancellation.ACCEPTED
