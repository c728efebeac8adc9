"""Turn an answer that is not a success into the error to raise, with its reason and the pause that it asks for."""

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
from airflow_provider_veo.api.reasons import find_reason, find_reason_of_order, find_reason_of_status_call

LONGEST_WAIT = 3_600.0
"""Seconds. A server that asks for a longer wait is asked again after this time."""

LONGEST_CONTENT_WAIT = 600.0
"""Seconds. The same limit for the download of a paid video: some servers keep a video for an hour only."""


def make_api_error(
    answer: Answer, what: str, longest_wait: float = LONGEST_WAIT, *, about_a_job: bool = False
) -> ApiError:
    """Return the error for an answer that is not a success.

    Args:
        answer: Any answer. One with a 2xx status counts as unreadable unless its body names an error.
        what: The action that failed, for example "Creating the video".
        longest_wait: Seconds that the error asks to wait at most.
        about_a_job: Whether the request was about a job. The answer may then quote a prompt that is not known here, so
            only statuses and codes decide on the reason.
    """
    detail = answer.error(opens_texts=not about_a_job)
    reason = _find_reason(answer, detail, about_a_job=about_a_job)
    is_order = answer.method == "POST" and not about_a_job  # Google's status calls are POST requests, too
    return ApiError(
        f"{what} failed",
        reason=find_reason_of_order(reason, answer.status) if is_order else reason,
        status=answer.status,
        detail=detail,
        retry_after=find_asked_pause(answer, longest_wait),
        job_id=find_job_id(answer),
        answer=answer,
    )


def _find_reason(answer: Answer, detail: ErrorDetail, *, about_a_job: bool) -> Reason:
    status = answer.status
    if answer.ok:
        # Some gateways put the status into the body: 200 with {"code": 400, "message": ...}
        if detail.http_status is None and not detail.code:
            return Reason.UNREADABLE
        status = detail.http_status or (500 if about_a_job else 400)
    elif 300 <= status < 400:
        return Reason.UNREADABLE
    return find_reason_of_status_call(detail, status) if about_a_job else find_reason(detail, status, answer.own)


def make_unreadable_error(answer: Answer, what: str, why: str) -> ApiError:
    """Return the error for an answer that cannot be understood.

    Args:
        answer: Answer of the server.
        what: The action that failed, for example "Creating the video".
        why: Reason why the answer cannot be understood, as a part of a sentence.
    """
    return ApiError(
        f"{what} failed",
        reason=Reason.UNREADABLE,
        status=answer.status,
        detail=ErrorDetail(why),
        job_id=find_job_id(answer),
    )


def make_no_such_job_error(answer: Answer, what: str) -> ApiError:
    """Return the error for an answer that reports success, and says that there is no such job.

    Args:
        answer: Answer of the server.
        what: The action that failed, for example "Asking for the video".
    """
    detail = ErrorDetail("the server does not know it")
    return ApiError(f"{what} failed", reason=Reason.NOT_FOUND, status=answer.status, detail=detail)


@contextmanager
def reading(answer: Answer, what: str) -> Iterator[None]:
    """Turn each exception that is raised while an answer is read into an `ApiError`.

    Args:
        answer: Answer of the server.
        what: The action that fails, for example "Asking for the video".

    Raises:
        ApiError: The block raised an exception that is not a `VeoError`.
    """
    try:
        yield
    except VeoError:
        raise
    except Exception as error:
        why = f"the answer cannot be read: {type(error).__name__}: {answer.quote(str(error))}"
        raise make_unreadable_error(answer, what, why) from error


@dataclass(frozen=True)
class _DelayHeader:
    name: str
    unit: float


_DELAY_HEADERS = (
    _DelayHeader("retry-after-ms", 0.001),
    _DelayHeader("retry-after", 1.0),
    # LiteLLM's proxy passes the upstream's header on under this name
    _DelayHeader("llm_provider-retry-after", 1.0),
    _DelayHeader("openai-poll-after-ms", 0.001),
)


def retry_after(headers: Mapping[str, str], longest: float = LONGEST_WAIT) -> float | None:
    """Return the seconds that the headers of an answer ask to wait, or None.

    A date is compared with the answer's own `Date`, since the server's clock may differ from ours.

    Args:
        headers: Headers of the answer, with names in lower case.
        longest: Seconds to which a longer wait is shortened.
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
    except Exception:  # noqa: BLE001 - a date can be wrong in many ways, and the wait is optional
        return -1.0


# Google's RetryInfo, as Google sends it and as gateways quote it
_DELAY = re.compile(r"""retryDelay[\\"']{1,12}\s{0,9}:\s{0,9}[\\"']{1,12}(\d{1,6}(?:\.\d{1,12})?)s""")
_LONGEST_WAIT_IN_TEXT = 120.0  # seconds; if the order is not known, the text may quote a prompt


def find_asked_pause(answer: Answer, longest: float = LONGEST_WAIT) -> float | None:
    """Return the seconds that an answer asks to wait, or None. They stand in a header or in Google's `retryDelay`.

    Args:
        answer: Answer of the server.
        longest: Seconds to which a longer wait is shortened.
    """
    seconds = retry_after(answer.headers, longest)
    if seconds is not None or not _is_rate_limit(answer):
        return seconds
    found = _DELAY.search(answer.own.remove_from(answer.text[:LOOKED_AT]))
    most = longest if answer.own.texts else min(longest, _LONGEST_WAIT_IN_TEXT)
    return min(float(found[1]), most) if found else None


def _is_rate_limit(answer: Answer) -> bool:
    return answer.status == 429 or (answer.ok and answer.error(opens_texts=False).http_status == 429)
