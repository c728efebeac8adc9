"""Read the result of a cancellation from the answer of the server."""

from __future__ import annotations

from enum import Enum

from airflow_provider_veo.api.answers.answer import Answer, unwrap
from airflow_provider_veo.api.error_answers import make_api_error

_STOPPED = ("cancelled", "canceled", "cancelling", "canceling")
_IMPOSSIBLE = (404, 405, 501)  # the server has no such route, or does not know the job


class Cancellation(Enum):
    """The result of a cancellation. Each value is a sentence for people; {} is the ID of the job."""

    STOPPED = "The server has cancelled video {}."
    ACCEPTED = (
        "The server has removed video {}. It does not say whether it has also stopped the work. A job that still runs "
        "may be billed."
    )
    IMPOSSIBLE = (
        "Video {} is not cancelled: the server cannot cancel jobs, or does not know this one. A job that still runs "
        "may be billed."
    )


def read_cancellation(answer: Answer, video_id: str) -> Cancellation:
    """Return the result of a cancellation.

    "Deleted" does not mean "stopped": some servers then stop the work, others (SGLang, FastVideo) only forget the job.

    Args:
        answer: Answer to the request that cancels the job.
        video_id: ID of the job.

    Raises:
        ApiError: The server has failed, or refuses for now.
    """
    if answer.status in _IMPOSSIBLE:
        return Cancellation.IMPOSSIBLE
    body = unwrap(answer.json()) or {}
    if not answer.ok or (body.get("error") and not body.get("status")):
        raise make_api_error(answer, f"Cancelling video {video_id}", about_a_job=True)
    return Cancellation.STOPPED if str(body.get("status")).lower() in _STOPPED else Cancellation.ACCEPTED
