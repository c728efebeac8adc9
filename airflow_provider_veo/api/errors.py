"""What can go wrong with the video API, and what it means.

`Reason` says *why*; whether trying again can help and what to do follow from it, for an HTTP error and for
a job that failed alike. `reasons` finds it in a server's words, and `error_answers` turns an answer into an error.

All errors of this package are here, and each is a `VeoError`. The operators turn those that are permanent into an
exception of Airflow. Each says connection, host and video where they are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, ClassVar

from airflow_provider_veo.api.answers.answer import Answer, ErrorDetail
from airflow_provider_veo.api.answers.text import make_line


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
    Reason.NOT_FOUND: "Check the id and the connection, and how long this server keeps its jobs.",
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

    The message says what happened and why. A caller adds the facts that only it knows, see `tell`: they stand behind
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
        """Add facts that a caller knows; those that are known already stay. For the arguments see the attributes."""
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


class UnusableProxyError(NotSentError):
    """The proxy that this process's environment names cannot be used; no server has a part in that."""


class AddressUnreachableError(TransportError):
    """A place that the API has just named could not be reached: a CDN, an object storage."""


class TooSlowError(TransportError):
    """The server did not answer in time, or sent or took its bytes too slowly."""


class ApiError(VeoError):
    """The server answered, and the answer is a refusal or cannot be understood.

    Attributes:
        reason: what it means.
        status: the HTTP status.
        detail: message and code of the server, as found in the body.
        retry_after: seconds the server asks to wait, at most `error_answers.LONGEST_WAIT`; or None.
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


class StatusUnknownError(VeoError):
    """Asking for the status failed for good. The job itself may be well, and may be billed."""

    def __init__(self, message: str, reason: Reason, *, video_id: str | None = None) -> None:
        self.reason = reason
        super().__init__(message, video_id=video_id)

    @property
    def permanent(self) -> bool:  # type: ignore[override]
        return self.reason.permanent


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


class StorageError(VeoError):
    """A file could not be stored, and that is the storage's fault: rights, a full disk, a driver that fails.

    Attributes:
        kept: where the video is safe meanwhile, for the next try: see `storage.files.StoredVideo`; None if nowhere.
    """

    reason = Reason.STORAGE

    def __init__(self, message: str = "", *, video_id: str | None = None, kept: Any = None) -> None:
        super().__init__(message, video_id=video_id)
        self.kept = kept


class StorageFullError(StorageError):
    """The disk has no room for the file."""


class NotOrderedError(VeoError):
    """Nothing was ordered: it would risk paying twice, or for nothing, or without a record.

    Attributes:
        permanent: a retry would not order either.
    """

    reason = Reason.NOT_ORDERED

    def __init__(self, message: str, *, permanent: bool = True, video_id: str | None = None) -> None:
        self.permanent = permanent
        super().__init__(message, video_id=video_id)


class UnknownSubmissionError(VeoError):
    """Nobody knows whether an order made a job.

    Attributes:
        permanent: a retry must not order again.
    """

    reason = Reason.UNKNOWN_SUBMISSION

    def __init__(self, message: str, *, permanent: bool, video_id: str | None = None) -> None:
        self.permanent = permanent
        super().__init__(message, video_id=video_id)


def _sentence(what: str, message: str, advice: str) -> str:
    message = make_line(message)
    text = f"{what}: {message}" if message else what
    return f"{text.rstrip('.')}. {advice}" if advice else text
