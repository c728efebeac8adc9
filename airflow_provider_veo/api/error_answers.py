"""An answer that is no success becomes the error to raise, with the reason and the pause that it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime

from airflow_provider_veo.api.answers.answer import Answer, ErrorDetail, find_job_id
from airflow_provider_veo.api.answers.text import LOOKED_AT
from airflow_provider_veo.api.errors import ApiError, Reason, VeoError
from airflow_provider_veo.api.reasons import reason_of, reason_of_answer_about_a_job, reason_of_order

LONGEST_WAIT = 3_600.0
"""Seconds; a server that asks to wait longer is asked again all the same."""

LONGEST_CONTENT_WAIT = 600.0
"""Seconds; the same for a video that was paid for: some servers keep it for an hour only."""


def error_from(answer: Answer, what: str, longest_wait: float = LONGEST_WAIT, *, about_a_job: bool = False) -> ApiError:
    """Turn an answer that is no success into the error to raise.

    Args:
        answer: any answer; one with a 2xx status counts as unreadable unless its body names an error.
        what: the failed action, for example "Creating the video".
        longest_wait: seconds; see `retry_after`.
        about_a_job: it answers a question about a job, so that its texts may quote a prompt that is not known here:
            statuses and codes say why, and no text.
    """
    detail = answer.error(opens_texts=not about_a_job)
    return ApiError(
        f"{what} failed",
        reason=_reason(answer, detail, about_a_job=about_a_job),
        status=answer.status,
        detail=detail,
        retry_after=pause_asked_by(answer, longest_wait),
        job_id=find_job_id(answer),
        answer=answer,
    )


def _reason(answer: Answer, detail: ErrorDetail, *, about_a_job: bool) -> Reason:
    reason = _reason_of_any(answer, detail, about_a_job=about_a_job)
    return reason_of_order(reason, answer.status) if answer.method == "POST" else reason


def _reason_of_any(answer: Answer, detail: ErrorDetail, *, about_a_job: bool) -> Reason:
    status = answer.status
    if answer.ok:
        # Some gateways put the status into the body: 200 with {"code": 400, "message": ...}
        if detail.http_status is None and not detail.code:
            return Reason.UNREADABLE
        status = detail.http_status or (500 if about_a_job else 400)
    elif 300 <= status < 400:
        return Reason.UNREADABLE
    return reason_of_answer_about_a_job(detail, status) if about_a_job else reason_of(detail, status, answer.own)


def unreadable(answer: Answer, what: str, why: str) -> ApiError:
    """Return the error for an answer of which nobody knows what it means.

    Args:
        answer: of the server.
        what: the failed action.
        why: it cannot be read.
    """
    return ApiError(
        f"{what} failed",
        reason=Reason.UNREADABLE,
        status=answer.status,
        detail=ErrorDetail(why),
        job_id=find_job_id(answer),
    )


def no_such_job(answer: Answer, what: str) -> ApiError:
    """Return the error for a success that says that there is no such job.

    Args:
        answer: of the server.
        what: the failed action.
    """
    detail = ErrorDetail("the server does not know it")
    return ApiError(f"{what} failed", reason=Reason.NOT_FOUND, status=answer.status, detail=detail)


@contextmanager
def reading(answer: Answer, what: str) -> Iterator[None]:
    """Turn each exception that reading an answer raises into an `ApiError`.

    Raises:
        ApiError: in place of an exception that is no `VeoError`.
    """
    try:
        yield
    except VeoError:
        raise
    except Exception as error:
        why = f"the answer cannot be read: {type(error).__name__}: {answer.quote(str(error))}"
        raise unreadable(answer, what, why) from error


@dataclass(frozen=True)
class _DelayHeader:
    name: str
    unit: float


_DELAY_HEADERS = (
    _DelayHeader("retry-after-ms", 0.001),
    _DelayHeader("retry-after", 1.0),
    # LiteLLM's proxy hides the upstream's header under this name
    _DelayHeader("llm_provider-retry-after", 1.0),
    _DelayHeader("openai-poll-after-ms", 0.001),
)


def retry_after(headers: Mapping[str, str], longest: float = LONGEST_WAIT) -> float | None:
    """Return the seconds that the server asks to wait, or None. A date is one of the server's clock, as its `Date` is.

    Args:
        headers: of the answer, names in lower case.
        longest: seconds; a longer wait is shortened to this.
    """
    for header in _DELAY_HEADERS:
        value = headers.get(header.name)
        if value is None:
            continue
        try:
            seconds = float(value) * header.unit
        except ValueError:
            seconds = _seconds_until(value, headers.get("date", ""))
        if 0 <= seconds < float("inf"):
            return min(seconds, longest)
    return None


def _seconds_until(http_date: str, date_header: str) -> float:
    try:
        then = parsedate_to_datetime(http_date)
        now = parsedate_to_datetime(date_header).timestamp()
        if then.tzinfo is None:
            then = then.replace(tzinfo=timezone.utc)
        return max(0.0, then.timestamp() - now)
    except Exception:  # noqa: BLE001 - dates are odd in many ways, and a wait can be done without
        return -1.0


# Google's RetryInfo, as it is and in the texts of those who pass it on
_DELAY = re.compile(r"""retryDelay[\\"']{1,12}\s{0,9}:\s{0,9}[\\"']{1,12}(\d{1,6}(?:\.\d{1,12})?)s""")
_LONGEST_WAIT_IN_TEXT = 120.0  # seconds; where the order is not known, it may be a prompt that says such a thing


def pause_asked_by(answer: Answer, longest: float = LONGEST_WAIT) -> float | None:
    """Return the seconds that an answer asks to wait, in a header or (Google's `retryDelay`) in its body, or None.

    Args:
        answer: of the server.
        longest: seconds; a longer wait is shortened to this.
    """
    seconds = retry_after(answer.headers, longest)
    if seconds is not None or not _is_rate_limit(answer):
        return seconds
    found = _DELAY.search(answer.own.remove_from(answer.text[:LOOKED_AT]))
    most = longest if answer.own.texts else min(longest, _LONGEST_WAIT_IN_TEXT)
    return min(float(found[1]), most) if found else None


def _is_rate_limit(answer: Answer) -> bool:
    return answer.status == 429 or (answer.ok and answer.error(opens_texts=False).http_status == 429)
