"""Read the errors of Google's API: the reason, and whether an order has surely made no job.

An error comes in two forms: `{"error": {"code": 400, "message", "status": "INVALID_ARGUMENT", "details": [...]}}`, and
in answers of interactions `{"error": {"code": "invalid_request", "message"}}`. The reason stands in the code, the
status and `details[].reason`. The message may quote the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.error_answers import make_api_error
from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.api.verdict import Verdict

# `details[].reason` of Google's ErrorInfo. Sources: answers seen live and in public tests, 2026-10 and 2026-11
_REASON_OF_INFO = {
    "API_KEY_INVALID": Reason.AUTHENTICATION,  # with HTTP status 400
    "SERVICE_DISABLED": Reason.FORBIDDEN,
    "BILLING_DISABLED": Reason.QUOTA,
    "SPENDING_CAP_EXCEEDED": Reason.QUOTA,
}
_PER_DAY = "PerDay"  # in the name of a quota, for example GenerateRequestsPerDayPerProjectPerModel

_GENERIC = re.compile(r"request contains an invalid argument\.?", re.IGNORECASE)
"""The whole message of an error that names no parameter. A status call was seen to be answered by it once, although the
job was there at the next call."""

_NAMES_A_PARAMETER = re.compile(r"\bparameter '\w|\bat '[\w.\[\]]+'", re.IGNORECASE)
"""Words of an error about a field of the request (seen live, 2026-08). A field like `safety_settings` is no filter."""

_SURE_STATUSES = frozenset({400, 401, 402, 403, 404, 429})
"""HTTP statuses of an API that has not taken the order. 409 and 5xx may come after it was taken."""

_SURE_WITHOUT_WORDS = frozenset({401, 404, 405, 413})
"""HTTP statuses that even a web page of a server shows: the order was not passed on."""

_WORDS_OF_REFUSALS = frozenset(
    (
        *("invalid_request", "invalid_argument", "failed_precondition", "out_of_range", "unimplemented"),
        *("unauthenticated", "permission_denied", "not_found", "resource_exhausted"),
        *("authentication_error", "permission_error", "rate_limit_exceeded", "quota_exceeded", "model_not_found"),
    )
)
"""Words in `code` and `status` that mean that nothing was ordered."""


def make_google_error(answer: Answer, what: str, *, about_a_job: bool = False) -> ApiError:
    """Return the error for an answer that is not a success.

    Args:
        answer: Answer of the API.
        what: The action that failed, for example "Creating the video".
        about_a_job: Whether the request was about a job.
    """
    error = make_api_error(answer, what, about_a_job=about_a_job)
    reason = _find_reason(answer, about_a_job=about_a_job)
    if reason in (None, error.reason):
        return error
    return ApiError(
        f"{what} failed",
        reason=reason,
        status=error.status,
        detail=error.detail,
        retry_after=error.retry_after,
        job_id=error.job_id,
        answer=answer,
    )


def _find_reason(answer: Answer, *, about_a_job: bool) -> Reason | None:
    """Return the reason that the fields of an error name; None if they name none."""
    error = find_error(answer)
    if error is None or answer.ok:
        return None
    details = list(_iterate_details(error))
    named = (_REASON_OF_INFO.get(str(detail.get("reason"))) for detail in details)
    if reason := next(filter(None, named), None):
        return reason
    if answer.status == 429 and _is_quota_of_a_day(details):
        return Reason.QUOTA
    return _find_reason_of_bad_request(error, about_a_job=about_a_job) if answer.status == 400 else None


def _find_reason_of_bad_request(error: dict[str, Any], *, about_a_job: bool) -> Reason | None:
    if error.get("status") == "FAILED_PRECONDITION" and not about_a_job:
        return Reason.FORBIDDEN  # the country, or an account without billing
    message = str(error.get("message")).strip()
    if _NAMES_A_PARAMETER.search(message):
        return Reason.BAD_REQUEST
    is_generic = _GENERIC.fullmatch(message) is not None and not error.get("details")
    return Reason.SERVER if about_a_job and is_generic else None


def find_error(answer: Answer) -> dict[str, Any] | None:
    """Return the error object of an answer; None if it has none. It may stand in a list of one."""
    body = answer.json()
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) and answer.is_whole else None


def _iterate_details(error: dict[str, Any]) -> Iterator[dict[str, Any]]:
    details = error.get("details")
    yield from (detail for detail in (details if isinstance(details, list) else ()) if isinstance(detail, dict))


def _is_quota_of_a_day(details: list[dict[str, Any]]) -> bool:
    """Return whether the quota of a day is used up, and the API does not ask to come back sooner."""
    lists = [found for detail in details if isinstance(found := detail.get("violations"), list)]
    names = [str(part.get("quotaId")) for found in lists for part in found if isinstance(part, dict)]
    return any(_PER_DAY in name for name in names) and not any("retryDelay" in detail for detail in details)


def judge(error: ApiError) -> Verdict:
    """Decide whether an order that was answered by an error has surely made no job: a closed list.

    Args:
        error: Error of the create call.
    """
    answer = error.answer
    if answer is None or error.job_id:
        return Verdict.UNKNOWN
    found = find_error(answer)
    if found is None:
        is_error = isinstance(answer.json(), (dict, list))  # JSON of another form may name a job
        is_sure = answer.status in _SURE_WITHOUT_WORDS and not is_error
        return Verdict.REFUSED if is_sure else Verdict.UNKNOWN
    if answer.status not in _SURE_STATUSES or not all(_is_refusal(answer.status, word) for word in _find_codes(found)):
        return Verdict.UNKNOWN
    return Verdict.REFUSED_FOR_NOW if answer.status == 429 and not error.permanent else Verdict.REFUSED


def _find_codes(error: dict[str, Any]) -> list[Any]:
    return [error[name] for name in ("code", "status") if error.get(name) not in (None, "")]


def _is_refusal(http_status: int, code: Any) -> bool:
    """Return whether a code agrees with the HTTP status, or is a word of a refusal."""
    return str(code) == str(http_status) or str(code).lower() in _WORDS_OF_REFUSALS
