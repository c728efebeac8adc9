"""The meaning of a failed request to order: whether it may have made a job, and whether to send it again at once."""

from __future__ import annotations

from airflow_provider_veo.api.errors import ApiError, InvalidInputError, NotOrderedError, NotSentError
from airflow_provider_veo.api.verdict import Verdict

_MOST_ATTEMPTS = 4
_LONGEST_PAUSE = 30.0
"""Seconds for which a task holds its worker slot between two requests. Airflow's retries take longer pauses."""


def is_unknown(error: Exception) -> bool:
    """Return whether a failed order may have made a job.

    It may have, unless the request was surely not sent, or surely refused.
    """
    if isinstance(error, ApiError):
        return error.verdict in (None, Verdict.UNKNOWN)
    return not isinstance(error, (NotSentError, InvalidInputError, NotOrderedError))


def find_pause(error: Exception, attempt: int) -> float | None:
    """Return the seconds to wait before the task sends the same order again; None if it must not.

    Args:
        error: The failure of the latest request.
        attempt: Number of requests that were sent, from 1.
    """
    is_refused_for_now = isinstance(error, ApiError) and error.verdict is Verdict.REFUSED_FOR_NOW
    if attempt >= _MOST_ATTEMPTS or not (is_refused_for_now or isinstance(error, NotSentError)):
        return None
    wanted = error.retry_after if isinstance(error, ApiError) else None
    pause = wanted if wanted is not None else float(2 ** (attempt - 1))
    return pause if pause <= _LONGEST_PAUSE else None
