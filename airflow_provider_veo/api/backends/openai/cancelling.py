"""Read the result of a cancellation from the answer of the server."""

from __future__ import annotations

from airflow_provider_veo.api.answers.answer import Answer, unwrap
from airflow_provider_veo.api.backends.backend import Cancellation
from airflow_provider_veo.api.error_answers import make_api_error

_STOPPED = ("cancelled", "canceled", "cancelling", "canceling")
_IMPOSSIBLE = (404, 405, 501)  # the server has no such route, or does not know the job


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
