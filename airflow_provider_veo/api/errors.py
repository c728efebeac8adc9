"""All errors of this package.

::

    VeoError
      InvalidInputError (also a ValueError)
        AddressNotAllowedError
      TransportError
        NotSentError
          UnusableProxyError
        AddressUnreachableError
        TooSlowError
        UnpackError
      ApiError
      VideoFailedError
      VideoTimeoutError
      StatusUnknownError
      ChatIncompleteError
      ContentError
        ContentNotReadyError
        ContentCutError
        ContentChangedError
        ContentGoneError
        ContentTooLargeError
        AddressRefusedError
      StorageError
        StorageFullError
      NotOrderedError
      UnknownSubmissionError

Each error has a `reason`, and says whether the same request can succeed later (`permanent`). The operators turn
permanent errors into an exception of Airflow that fails the task without retries (`airflow_provider_veo.exceptions`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from airflow_provider_veo.api.answers.answer import Answer, ErrorDetail
from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.reasons import Reason
from airflow_provider_veo.api.verdict import Verdict

__all__ = [
    "AddressNotAllowedError",
    "AddressRefusedError",
    "AddressUnreachableError",
    "ApiError",
    "ChatIncompleteError",
    "ContentChangedError",
    "ContentCutError",
    "ContentError",
    "ContentGoneError",
    "ContentNotReadyError",
    "ContentTooLargeError",
    "InvalidInputError",
    "NotOrderedError",
    "NotSentError",
    "Reason",
    "StatusUnknownError",
    "StorageError",
    "StorageFullError",
    "TooSlowError",
    "TransportError",
    "UnknownSubmissionError",
    "UnpackError",
    "UnusableProxyError",
    "VeoError",
    "VideoFailedError",
    "VideoTimeoutError",
]


class VeoError(Exception):
    """Root of all errors of this package. All of them survive pickling and copying.

    The message describes the failure and its cause. A caller adds more facts with `add`: the text of the error then
    ends with the advice and, in parentheses, the facts that the message lacks.

    Args:
        message: Text of the error, for people.
        video_id: ID of the job that the error is about, if it is known.

    Attributes:
        reason: Category of the failure. Metrics and the Veo page show it.
        video_id: ID of the job that the error is about; None without a job, or if the id is not known.
        where: Place of the failure, for people: the connection, and the base URL of the API.
        advice: Next step for the reader, if the message does not name it.
    """

    reason: Reason = Reason.OTHER
    video_id: str | None = None
    where: tuple[str, ...] = ()
    advice: str = ""

    _is_permanent: bool | None = None
    """Overrides the answer of the reason, in the few errors whose permanence does not follow from it."""

    _LEFT_BEHIND: ClassVar[frozenset[str]] = frozenset()
    """Names of attributes that do not leave the process, since they may hold a secret."""

    def __init__(self, message: str = "", *, video_id: str | None = None) -> None:
        self.video_id = video_id
        super().__init__(message)

    @property
    def permanent(self) -> bool:
        """Whether the same request would fail again, so that a retry cannot help."""
        return self.reason.permanent if self._is_permanent is None else self._is_permanent

    def add(self, *, video_id: str | None = None, where: tuple[str, ...] = (), advice: str = "") -> None:
        """Add facts. A fact that the error has already stays.

        Args:
            video_id: ID of the job that the error is about.
            where: Place of the failure, for people.
            advice: Next step for the reader.
        """
        self.video_id = self.video_id or video_id
        self.where = self.where or where
        self.advice = self.advice or advice

    def __str__(self) -> str:
        text = super().__str__()
        if self.advice and self.advice not in text:
            text = f"{text.rstrip('.')}. {self.advice}"
        facts = (*self.where, f"video {self.video_id}" if self.video_id else "")
        missing = [fact for fact in facts if fact and not _has_fact(text, fact)]
        return f"{text} ({'; '.join(missing)})" if missing else text

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {name: value for name, value in vars(self).items() if name not in self._LEFT_BEHIND}
        return _restored, (type(self), self.args), kept


def _restored(kind: type[VeoError], args: tuple[Any, ...]) -> VeoError:
    """Return an error without calling its constructor, whose arguments are part of the message by now."""
    return kind.__new__(kind, *args)


def _has_fact(text: str, fact: str) -> bool:
    """Return whether a text has this very fact: "video 12" does not have "video 1"."""
    return re.search(rf"{re.escape(fact)}(?![\w.:-]*\w)", text, re.IGNORECASE) is not None


@contextmanager
def adding(*, video_id: str | None = None, where: tuple[str, ...] = ()) -> Iterator[None]:
    """Add facts to each `VeoError` that leaves the block.

    Args:
        video_id: ID of the job that the block is about.
        where: Place in which the block works, for people.
    """
    try:
        yield
    except VeoError as error:
        error.add(video_id=video_id, where=where)
        raise


class InvalidInputError(VeoError, ValueError):
    """An argument, a connection or a setting is wrong. Correct it: nothing was sent."""

    reason = Reason.INVALID_INPUT


class AddressNotAllowedError(InvalidInputError):
    """An address leads into a private network, so it is not asked.

    A server or a user has named the address. If it is yours, allow it with `allow_private_addresses` of the connection.
    """


class TransportError(VeoError):
    """No complete answer came, and the server may have acted on the request. Retry, except for an order."""

    reason = Reason.NETWORK


class NotSentError(TransportError):
    """No connection was made, so the request did not reach the server. Retry."""


class UnusableProxyError(NotSentError):
    """The proxy that the environment of this process names cannot be used. Correct the proxy variables."""


class AddressUnreachableError(TransportError):
    """An address that the API has named, for example of a CDN, could not be reached. Retry: the API names it again."""


class TooSlowError(TransportError):
    """The server did not answer in time, or sent or took bytes too slowly. Retry, except for an order."""


class UnpackError(TransportError):
    """The answer has a content encoding that was not requested and cannot be read. Check the proxies on the way."""


class ApiError(VeoError):
    """The server refused the request, or sent an answer that cannot be understood. The message names the next step.

    Attributes:
        status: HTTP status of the answer.
        detail: Message and code that the server sent.
        retry_after: Seconds that the server asks to wait, at most `error_answers.LONGEST_WAIT`; None if it does not.
        job_id: ID of a job that the answer names in spite of the refusal, as people can read it; or None.
        answer: The whole answer. A copy of the error has None instead: the answer may hold a secret.
        verdict: Whether the order may have made a job, if the error answers an order; else None.
    """

    answer: Answer | None = None
    verdict: Verdict | None = None
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


class VideoFailedError(VeoError):
    """The job ended without a video: it failed, expired or was cancelled. The message names the next step."""

    def __init__(self, video_id: str, status: str, reason: Reason, message: str) -> None:
        self.reason = reason
        message = message or "the server gave no reason"
        super().__init__(_sentence(f"Video {video_id} {status}", message, reason.advice), video_id=video_id)


class VideoTimeoutError(VeoError):
    """The deadline passed while the job was running, and the job may be billed. Collect the video later.

    Its reason may be that of the last failed status call; a later status call may succeed all the same.
    """

    reason = Reason.TIMEOUT
    _is_permanent = False


class StatusUnknownError(VeoError):
    """The status calls failed for good. The job may be running and billed. Look for the job at the server."""

    def __init__(self, message: str, reason: Reason, *, video_id: str | None = None) -> None:
        self.reason = reason
        super().__init__(message, video_id=video_id)


class ChatIncompleteError(VeoError):
    """A chat call ended with fewer videos than were ordered, and may be charged. A retry orders the missing ones."""

    def __init__(self, what: str, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(_sentence(what, message or "the server gave no reason", reason.advice))


class ContentError(VeoError):
    """The server did not deliver a whole video file. Retry the download."""

    reason = Reason.CONTENT


class ContentNotReadyError(ContentError):
    """The content is not there yet: some servers report `completed` some seconds before it is. Retry."""


class ContentCutError(ContentError):
    """The transfer ended before the end of the file. Retry."""


class ContentChangedError(ContentError):
    """The server cannot continue a transfer that broke off. The download has to start again."""


class ContentGoneError(ContentError):
    """The server has deleted the video. Only another order brings a video."""

    _is_permanent = True


class ContentTooLargeError(ContentError):
    """The file is larger than `max_bytes`. Raise that limit."""

    _is_permanent = True


class AddressRefusedError(ContentError):
    """An address that the API or the caller has named does not deliver the file. It was asked without the API key.

    Attributes:
        address: Address of the file, without the parts that may be secret.
        is_missing: Whether the file is not there, or not there yet.
        is_over: Whether the address, or the video, has expired.
    """

    def __init__(self, message: str, address: str, *, is_missing: bool = False, is_over: bool = False) -> None:
        self.address = address
        self.is_missing = is_missing
        self.is_over = is_over
        super().__init__(message)


class StorageError(VeoError):
    """The storage did not take a file: rights are missing, or a driver failed. Correct the storage, then retry.

    Attributes:
        kept: The `StoredVideo` in the salvage folder, which the next try takes; None if the video is not stored.
    """

    reason = Reason.STORAGE

    def __init__(self, message: str = "", *, video_id: str | None = None, kept: Any = None) -> None:
        super().__init__(message, video_id=video_id)
        self.kept = kept


class StorageFullError(StorageError):
    """The disk has no room for the file. Make room, then retry."""


class NotOrderedError(VeoError):
    """Nothing was ordered, since an order might be paid twice, or for nothing, or without a record.

    The message names the next step. `permanent` is True if a retry would not order either.
    """

    reason = Reason.NOT_ORDERED

    def __init__(self, message: str, *, permanent: bool = True, video_id: str | None = None) -> None:
        self._is_permanent = permanent
        super().__init__(message, video_id=video_id)


class UnknownSubmissionError(VeoError):
    """It is unknown whether an order made a job. Look for the job at the server; the message names the next step.

    `permanent` is True if a retry must not order again.
    """

    reason = Reason.UNKNOWN_SUBMISSION

    def __init__(self, message: str, *, permanent: bool, video_id: str | None = None) -> None:
        self._is_permanent = permanent
        super().__init__(message, video_id=video_id)


class CausedByVeoError(Exception):
    """Base of exceptions of other frameworks that stand for a `VeoError`. They have its text, reason and job.

    Args:
        cause: The original error, a `VeoError`.
    """

    def __init__(self, cause: VeoError) -> None:
        super().__init__(str(cause))
        self.cause = cause

    @property
    def reason(self) -> Reason:
        """Category of the failure."""
        return self.cause.reason

    @property
    def video_id(self) -> str | None:
        """ID of the job that the error is about; None without a job, or if the id is not known."""
        return self.cause.video_id

    def __str__(self) -> str:
        return str(self.cause)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.cause,)


def _sentence(what: str, message: str, advice: str) -> str:
    message = make_line(message)
    text = f"{what}: {message}" if message else what
    return f"{text.rstrip('.')}. {advice}" if advice else text
