"""What can go wrong with the video API, and what it means.

`Reason` says *why*; whether trying again can help and what to do follow from it, for an HTTP error and for
a job that failed alike. Servers agree neither on status codes nor on body shapes, so the reason is found
from the status, the code and the message together.

Other modules of this package have some errors of their own; each of them is a `VeoError`, too, and the operators turn
those that are permanent into an exception of Airflow. Each says connection, host and video where they are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, ClassVar

from airflow_provider_veo.api.answers import WORDS_LIMIT, Answer, ErrorDetail, seen_id
from airflow_provider_veo.api.text import for_people

LONGEST_WAIT = 3_600.0
"""Seconds; a server that asks to wait longer is asked again all the same."""

LONGEST_CONTENT_WAIT = 600.0
"""Seconds; the same for a video that was paid for: some servers keep it for an hour only."""


class Reason(str, Enum):
    """Why there is no video, in one word: the server's reasons first, then those of this side."""

    AUTHENTICATION = "authentication"
    FORBIDDEN = "forbidden"
    QUOTA = "quota"
    MODERATION = "moderation"
    MODEL_UNAVAILABLE = "model_unavailable"
    BAD_REQUEST = "bad_request"
    REQUEST_FORMAT = "request_format"
    NOT_FOUND = "not_found"
    NO_ROUTE = "no_route"
    RATE_LIMITED = "rate_limited"
    SERVER = "server"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"

    INVALID_INPUT = "invalid_input"
    NOT_ORDERED = "not_ordered"
    UNKNOWN_SUBMISSION = "unknown_submission"
    TIMEOUT = "timeout"
    NETWORK = "network"
    CONTENT = "content"
    STORAGE = "storage"
    OTHER = "other"

    def __str__(self) -> str:
        return self.value  # Python 3.11 and later would write the member's name

    @property
    def permanent(self) -> bool:
        """Whether the same request would fail again, so that a retry only loses time."""
        return self in _ADVICE_FOR_PERMANENT

    @property
    def advice(self) -> str:
        """What to do about it, or an empty string where waiting is all there is."""
        return _ADVICE_FOR_PERMANENT.get(self) or _ADVICE_FOR_PASSING.get(self, "")


_ADVICE_FOR_PERMANENT = {
    Reason.AUTHENTICATION: "Check the API key (password) and auth_scheme of the Airflow connection.",
    Reason.FORBIDDEN: "The API key may not do this: check its group, model list and billing mode in the gateway.",
    Reason.QUOTA: "The account is out of money or quota: top it up.",
    Reason.MODERATION: "The content filter refused it: change the prompt or the frames.",
    Reason.MODEL_UNAVAILABLE: "The gateway has no channel for this model: choose another model, or ask its operator.",
    Reason.BAD_REQUEST: "The server does not accept the request: check model, seconds, size, frames and extra_body.",
    Reason.REQUEST_FORMAT: (
        "The server did not read the request's fields: in the Airflow connection, set request_format "
        'to "multipart" (or to "json", if it is "multipart" now).'
    ),
    Reason.NOT_FOUND: "The server does not know it (any more): results are kept for a day at most.",
    Reason.NO_ROUTE: (
        "There is no such route here: check that the connection's host is the base URL of a video API, like "
        "https://api.example.com, and whether this server offers the call."
    ),
    Reason.INVALID_INPUT: "Correct what the message names.",
}
_ADVICE_FOR_PASSING = {
    Reason.RATE_LIMITED: "Lower the number of parallel tasks (an Airflow pool) if this goes on.",
    Reason.UNREADABLE: "Check that the connection's host is the base URL of a video API and not of a web page.",
}


class VeoError(Exception):
    """Root of every error of this package. All of them survive pickling and copying.

    The message says what happened and why. What only a caller knows is told afterwards, see `tell`, and stands behind
    the message.

    Args:
        message: for people.
        video_id: see below.

    Attributes:
        permanent: trying the same again cannot help.
        reason: why, in one word: the word of the metrics.
        video_id: of the job that it is about; None where there is none, or where it is not known.
        place: where it happened, as people call it: the connection, and the API's base URL.
        advice: what to do next, where the message does not say it.
    """

    permanent = False
    reason: Reason = Reason.OTHER
    video_id: str | None = None
    place: tuple[str, ...] = ()
    advice: str = ""
    _LEFT_BEHIND: ClassVar[frozenset[str]] = frozenset()
    """Attributes that do not leave the process, since they may hold a secret."""

    def __init__(self, message: str = "", *, video_id: str | None = None) -> None:
        self.video_id = video_id
        super().__init__(message)

    def tell(self, *, video_id: str | None = None, place: tuple[str, ...] = (), advice: str = "") -> None:
        """Add what a caller knows of the error. What is known already stays. For the arguments see the attributes."""
        self.video_id = self.video_id or video_id
        self.place = self.place or place
        self.advice = self.advice or advice

    def __str__(self) -> str:
        text = super().__str__()
        if self.advice and self.advice not in text:
            text = f"{text.rstrip('.')}. {self.advice}"
        facts = (*self.place, f"video {self.video_id}" if self.video_id else "")
        missing = [fact for fact in facts if fact and not _is_said(fact, text)]
        return f"{text} ({'; '.join(missing)})" if missing else text

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {name: value for name, value in vars(self).items() if name not in self._LEFT_BEHIND}
        return _restored, (type(self), self.args), kept


def _restored(kind: type[VeoError], args: tuple[Any, ...]) -> VeoError:
    """Return an error without calling its constructor, whose arguments are not kept: its message is made of them."""
    return kind.__new__(kind, *args)


def _is_said(fact: str, text: str) -> bool:
    """Whether a text has this very fact: "video 1" is not said by "video 12"."""
    return re.search(rf"{re.escape(fact)}(?![\w.:-]*\w)", text, re.IGNORECASE) is not None


@contextmanager
def telling(*, video_id: str | None = None, place: tuple[str, ...] = ()) -> Iterator[None]:
    """Let each error that passes know which job and which place it is about; see `VeoError`."""
    try:
        yield
    except VeoError as error:
        error.tell(video_id=video_id, place=place)
        raise


class InvalidInputError(VeoError, ValueError):
    """The caller's input is wrong. Raised before any request leaves the machine."""

    permanent = True
    reason = Reason.INVALID_INPUT


class AddressNotAllowedError(InvalidInputError):
    """An address that a server or a user has named is not asked: it leads into a private network."""


class TransportError(VeoError):
    """No complete answer came. Nobody knows whether the server has acted on the request."""

    reason = Reason.NETWORK


class NotSentError(TransportError):
    """The connection was never made: the request surely did not arrive."""


class TooSlowError(TransportError):
    """The server did not answer in time, or sent or took its bytes too slowly."""


class ApiError(VeoError):
    """The server answered, and the answer is a refusal or cannot be understood.

    Attributes:
        reason: what it means.
        status: the HTTP status.
        detail: message and code of the server, as found in the body.
        retry_after: seconds the server asks to wait, at most `LONGEST_WAIT`; or None.
        job_id: of the job that the answer names all the same, as people can read it; or None.
        answer: all of it, or None; see `refusals.judge`. A copy has none: it may hold what must not be shown.
    """

    answer: Answer | None = None
    _LEFT_BEHIND = frozenset({"answer"})

    def __init__(
        self,
        what: str,
        *,
        reason: Reason,
        status: int,
        detail: ErrorDetail | None = None,
        retry_after: float | None = None,
        job_id: str | None = None,
        answer: Answer | None = None,
    ) -> None:
        self.reason = reason
        self.status = status
        self.detail = detail or ErrorDetail()
        self.retry_after = retry_after
        self.job_id = job_id
        self.answer = answer
        super().__init__(_sentence(f"{what} (HTTP {status})", str(self.detail), reason.advice))

    @property
    def permanent(self) -> bool:  # type: ignore[override]
        return self.reason.permanent


class VideoFailedError(VeoError):
    """The job ended without a video: failed, cancelled or expired. Such jobs are not charged (seed gateway)."""

    def __init__(self, video_id: str, status: str, reason: Reason, message: str) -> None:
        self.reason = reason
        message = message or "the server gave no reason"
        super().__init__(_sentence(f"Video {video_id} {status}", message, reason.advice), video_id=video_id)

    @property
    def permanent(self) -> bool:  # type: ignore[override]
        return self.reason.permanent


class ChatIncompleteError(VeoError):
    """A chat call ended with fewer videos than were ordered. The seed gateway charges for it all the same."""

    def __init__(self, what: str, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(_sentence(what, message or "the server gave no reason", reason.advice))

    @property
    def permanent(self) -> bool:  # type: ignore[override]
        return self.reason.permanent


class VideoTimeoutError(VeoError):
    """The deadline passed while the job was still running. The job goes on, and is billed when it completes."""

    reason = Reason.TIMEOUT


class ContentError(VeoError):
    """What the server delivered is not a whole video file."""

    reason = Reason.CONTENT


class ContentNotReadyError(ContentError):
    """The content is not there yet; some servers say `completed` seconds before it is."""


class ContentCutError(ContentError):
    """The transfer ended before the end of the file."""


class ContentChangedError(ContentError):
    """The server cannot go on where a transfer has broken off: it has to begin anew."""


class ContentGoneError(ContentError):
    """The video was there, and the server has thrown it away: what was paid for can only be made anew."""

    permanent = True


class AddressRefusedError(ContentError):
    """An address that the API has named, or the caller, does not hand out the file. It was asked without the key.

    Attributes:
        address: of the file, without what may be secret in it.
        is_missing: the file is not there, or not yet.
        is_over: the time of the address, or of the video, has passed.
    """

    def __init__(self, message: str, address: str, *, is_missing: bool = False, is_over: bool = False) -> None:
        self.address = address
        self.is_missing = is_missing
        self.is_over = is_over
        super().__init__(message)


class ContentTooLargeError(ContentError):
    """The file is larger than the caller allows."""

    permanent = True


class StorageFullError(VeoError):
    """The disk has no room for the file."""

    reason = Reason.STORAGE


# Seen in the wild; sources: QuantumNous/new-api (quota_not_enough, model_not_found, task_not_exist), the gateway's
# and its resellers' documentation and logs, Google's PUBLIC_ERROR_* words, OpenAI's error codes, LiteLLM 1.106.2.
_REASON_OF_WORDS = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        # LiteLLM's 400 to any key but the master key, where it has no database to look others up in
        (Reason.AUTHENTICATION, r"no connected db"),
        (
            Reason.QUOTA,
            (
                r"quota_not_enough|quota.{0,60}not enough"
                r"|insufficient[ _-]?(user[ _-]?|account[ _-]?)?(quota|balance|funds|credit)"
                r"|balance.{0,20}(insufficient|not enough|too low)|billing_(hard_limit|not_active)"
                r"|余额不足|额度不足|配额不足|欠费"
            ),
        ),
        (Reason.NOT_FOUND, r"task_not_(exist|found)|task not (exist|found)|video not found"),
        (
            Reason.MODEL_UNAVAILABLE,
            (
                r"no available channel|model_not_found|model.{0,40}(not found|does not exist|not available)"
                r"|no longer available|unsupported_model|无可用渠道|模型不存在"
            ),
        ),
        (
            Reason.MODERATION,
            (
                r"moderation|content[ _-]?(policy|filter)|policy[ _-]violation|safety|responsible ai|\brai\b"
                r"|sensitive content|PUBLIC_ERROR_(?!.*(QUOTA|RATE|HIGH_TRAFFIC))|prohibited|敏感|违规|审核"
            ),
        ),
    )
)
# Every order has a prompt. A server that misses it has read no field, since it wants another format. FastAPI's words,
# and vLLM's for the same.
_FIELDS_NOT_READ = re.compile(r"\bbody\W{1,6}prompt\W.{0,20}field required", re.IGNORECASE)
# The soundtrack filter of the seed's gateway often lets the same prompt pass at the next try: no moderation.
_FLAKY_FILTER = re.compile(r"\w{0,40}AUDIO_FILTERED\w{0,40}", re.IGNORECASE)

_REASON_OF_STATUS = {
    401: Reason.AUTHENTICATION,
    402: Reason.QUOTA,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    408: Reason.SERVER,
    410: Reason.NOT_FOUND,
    415: Reason.REQUEST_FORMAT,
    425: Reason.SERVER,
    429: Reason.RATE_LIMITED,
}


def reason_of(detail: ErrorDetail, status: int | None = None) -> Reason:
    """Say why, from the server's words and (for an HTTP error) the status.

    The words go first: "no money" comes as 402, 403 or 429, "no such model" as 404 or 503, and an unknown task
    as 400.
    """
    if status == 401:  # no word can make a refused key anything else
        return Reason.AUTHENTICATION
    if status in (400, 422) and _FIELDS_NOT_READ.search(detail.message[:WORDS_LIMIT]):
        return Reason.REQUEST_FORMAT
    words = _FLAKY_FILTER.sub("", f"{detail.code} {detail.message}"[:WORDS_LIMIT])
    for reason, pattern in _REASON_OF_WORDS:
        if pattern.search(words):
            return reason
    if status is None:
        return Reason.UNKNOWN
    return _REASON_OF_STATUS.get(status) or (Reason.SERVER if status >= 500 else Reason.BAD_REQUEST)


_NO_ROUTE = (404, 405, 410, 501)
"""HTTP statuses of an address that takes no orders."""


def _reason_of_order(reason: Reason, status: int) -> Reason:
    """Return what a reason means of a call that names no job, so that the server cannot have forgotten it."""
    if status in _NO_ROUTE and reason in (Reason.NOT_FOUND, Reason.BAD_REQUEST, Reason.SERVER):
        return Reason.NO_ROUTE
    return Reason.BAD_REQUEST if reason is Reason.NOT_FOUND else reason


def error_from(answer: Answer, what: str, longest_wait: float = LONGEST_WAIT) -> ApiError:
    """Turn an answer that is no success into the error to raise.

    Args:
        answer: any answer; one with a 2xx status counts as unreadable unless its body names an error.
        what: the failed action, for example "Creating the video".
        longest_wait: seconds; see `retry_after`.
    """
    detail = answer.error()
    status = answer.status
    if answer.ok:
        # Some gateways put the status into the body: 200 with {"code": 400, "message": ...}
        hidden = detail.http_status
        known = hidden is not None or bool(detail.code)
        reason = reason_of(detail, hidden or 400) if known else Reason.UNREADABLE
    elif 300 <= status < 400:
        reason = Reason.UNREADABLE
    else:
        reason = reason_of(detail, status)
    if answer.method == "POST":
        reason = _reason_of_order(reason, status)
    return ApiError(
        f"{what} failed",
        reason=reason,
        status=status,
        detail=detail,
        retry_after=retry_after(answer.headers, longest_wait),
        job_id=seen_id(answer),
        answer=answer,
    )


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
        job_id=seen_id(answer),
    )


@contextmanager
def reading(answer: Answer, what: str) -> Iterator[None]:
    """Let whatever goes wrong while an answer is read be an error of this module.

    Raises:
        ApiError: in place of an exception that is no `VeoError`.
    """
    try:
        yield
    except VeoError:
        raise
    except Exception as error:
        why = f"the answer cannot be read: {type(error).__name__}: {answer.said(str(error))}"
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


def _sentence(what: str, message: str, advice: str) -> str:
    message = for_people(message)
    text = f"{what}: {message}" if message else what
    return f"{text.rstrip('.')}. {advice}" if advice else text
