"""Read the errors of Google Cloud: the error to raise, and whether an order has surely made no job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.backend import Verdict
from airflow_provider_veo.api.error_answers import make_api_error
from airflow_provider_veo.api.errors import ApiError, Reason

# `details[].reason` of Google's errors, where the HTTP status alone would mean another reason
_REASON_OF_DETAIL: Mapping[str, Reason] = MappingProxyType(
    {
        "API_KEY_INVALID": Reason.AUTHENTICATION,
        "BILLING_DISABLED": Reason.QUOTA,
        "SPENDING_CAP_EXCEEDED": Reason.QUOTA,
    }
)

# HTTP statuses, with the statuses of Google's error body. A 5xx may come after the order was taken.
_REFUSALS: Mapping[int, frozenset[str]] = MappingProxyType(
    {
        400: frozenset({"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"}),
        401: frozenset({"UNAUTHENTICATED"}),
        403: frozenset({"PERMISSION_DENIED"}),
        404: frozenset({"NOT_FOUND"}),
        429: frozenset({"RESOURCE_EXHAUSTED"}),
        501: frozenset({"UNIMPLEMENTED"}),
    }
)
_NOT_PASSED_ON = frozenset({401, 403, 404, 405, 413})
"""HTTP statuses of a proxy or a web server that has passed no order on. Its body is not Google's error."""


def make_error(answer: Answer, action: str, *, about_a_job: bool = False) -> ApiError:
    """Return the error for an answer that is not a success.

    Args:
        answer: Answer of the server.
        action: The action that failed, for example "Creating the video".
        about_a_job: Whether the request was about a job.
    """
    error = make_api_error(answer, action, about_a_job=about_a_job)
    details = _iterate_reasons(_find_error(answer) or {})
    reason = next((_REASON_OF_DETAIL[name] for name in details if name in _REASON_OF_DETAIL), error.reason)
    if reason is error.reason:
        return error
    return ApiError(
        f"{action} failed",
        reason=reason,
        status=error.status,
        detail=error.detail,
        retry_after=error.retry_after,
        job_id=error.job_id,
        answer=answer,
    )


def judge(error: ApiError) -> Verdict:
    """Decide whether an order that was answered by an error has surely made no job: a closed list.

    Args:
        error: Error of the call that ordered.
    """
    answer = error.answer
    if answer is None or answer.ok or error.job_id or "/operations/" in answer.text:
        return Verdict.UNKNOWN
    found = _find_error(answer)
    if found is None:
        return Verdict.REFUSED if answer.status in _NOT_PASSED_ON else Verdict.UNKNOWN
    if found.get("code") != answer.status or found.get("status") not in _REFUSALS.get(answer.status, ()):
        return Verdict.UNKNOWN
    return Verdict.REFUSED_FOR_NOW if answer.status == 429 and not error.permanent else Verdict.REFUSED


def _find_error(answer: Answer) -> dict[str, Any] | None:
    """Return Google's error object in a whole answer; None if the answer is something else."""
    body = answer.json() if answer.is_whole else None
    if isinstance(body, list) and len(body) == 1:  # the official client takes a list, too
        body = body[0]
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else None


def _iterate_reasons(error: Mapping[str, Any]) -> Iterator[str]:
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        reason = detail.get("reason") if isinstance(detail, dict) else None
        if isinstance(reason, str):
            yield reason
