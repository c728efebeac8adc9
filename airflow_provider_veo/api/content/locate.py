"""Find the bytes of a video.

The content route answers with them, or with an address, or asks for patience. If the route does not exist or refuses,
the status of the job may name an address, or hold the video itself. An address may lead away from the API, to a CDN or
an object storage. A refusal from there says nothing about the API key, which was not sent there.

Each function here decides about one answer; `source` sends the requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pendulum

from airflow_provider_veo.api.answers.answer import Answer, unwrap
from airflow_provider_veo.api.answers.text import LOOKED_AT
from airflow_provider_veo.api.backends.openai.endings import read_status_word
from airflow_provider_veo.api.backends.openai.status_words import read_status
from airflow_provider_veo.api.backends.openai.videos import find_url
from airflow_provider_veo.api.error_answers import LONGEST_CONTENT_WAIT, make_api_error, reading
from airflow_provider_veo.api.errors import (
    AddressNotAllowedError,
    AddressRefusedError,
    AddressUnreachableError,
    ApiError,
    ContentChangedError,
    ContentCutError,
    ContentError,
    ContentGoneError,
    ContentNotReadyError,
    ContentTooLargeError,
    InvalidInputError,
    Reason,
    TransportError,
    VeoError,
    VideoFailedError,
)
from airflow_provider_veo.api.net.signatures import is_expired
from airflow_provider_veo.api.net.urls import redact, resolve_url
from airflow_provider_veo.api.reasons import find_reason_without_video
from airflow_provider_veo.api.video import Video, VideoStatus

MAX_HOPS = 5
"""Redirects and JSON answers that are followed before the download is given up."""

_NOT_READY = (400, 404, 409, 425)
_NOT_FOUND, _GONE, _NO_SUCH_PART, _TOO_MANY, _TROUBLE = 404, 410, 416, 429, 500
_ASK_AGAIN = (408, 425, _TOO_MANY)
_REDIRECTS = (301, 302, 303, 307, 308)
_LENGTH = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_LONGEST_VERSION = 1_024  # characters; it is sent back in a header


@dataclass(frozen=True)
class ContentStream:
    """The body of a video that is being downloaded.

    Attributes:
        offset: Byte of the file at which it begins: 0, or where an earlier transfer broke off.
        total: Size of the whole file in bytes, or None if the server gives no size of the bytes that it sends.
        version: Name of the file's version for `If-Range`, or None.
        chunks: The bytes, in pieces.
    """

    offset: int
    total: int | None
    version: str | None
    chunks: Iterator[bytes]


@dataclass(frozen=True)
class Resume:
    """The place where a transfer broke off.

    Attributes:
        offset: Bytes that have arrived, above 0.
        total: Size of the whole file in bytes, or None.
        version: Name of the file's version for `If-Range`, or None.
    """

    offset: int
    total: int | None
    version: str | None

    def headers(self) -> dict[str, str]:
        """Return headers that ask for the rest, or for the whole file if it has changed (RFC 9110, 13.1.5 and 14.2)."""
        return {"Range": f"bytes={self.offset}-"} | ({"If-Range": self.version} if self.version else {})


def read_length(headers: Mapping[str, str]) -> int | None:
    """Return the size of a body in bytes, or None if the headers give no size of the bytes that are sent.

    Args:
        headers: Headers of the answer, with names in lower case.
    """
    length = _LENGTH.fullmatch(headers.get("content-length", ""))
    return int(length[0]) if length and not is_encoded(headers) else None


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Return whether a body is compressed. Some proxies compress videos although the request forbids it."""
    return headers.get("content-encoding", "identity").lower() != "identity"


def read_version(headers: Mapping[str, str]) -> str | None:
    """Return a value for `If-Range`: a strong entity tag, or else a date, or None (RFC 9110, 13.1.5)."""
    if is_encoded(headers):
        return None
    tag = headers.get("etag", "")
    version = tag if tag.startswith('"') else headers.get("last-modified", "")
    can_be_sent = version.isascii() and version.isprintable() and len(version) <= _LONGEST_VERSION
    return version if version and can_be_sent else None


def check_continuation(headers: Mapping[str, str], resume: Resume) -> None:
    """Check that a partial answer (206) continues the same file at the byte where the transfer broke off.

    Args:
        headers: Headers of the answer, with names in lower case.
        resume: The place where the transfer broke off.

    Raises:
        ContentChangedError: The answer is another file or another part.
    """
    found = _RANGE.fullmatch(headers.get("content-range", ""))
    same_place = found and int(found[1]) == resume.offset
    same_size = found and (resume.total is None or found[3] == str(resume.total))
    same_version = resume.version is None or read_version(headers) in (None, resume.version)
    # the range of a compressed file counts other bytes than the ones that have arrived
    if is_encoded(headers) or not (same_place and same_size and same_version):
        # other text in the header is not quoted: the server may repeat a secret from the request
        answered = repr(found[0]) if found else "no range that can be read"
        raise ContentChangedError(
            f"The rest of the file was asked for from byte {resume.offset}, and the server answers with {answered}."
        )


@dataclass(frozen=True)
class Asked:
    """A request for content.

    Attributes:
        action: The download in words, for error messages.
        video_id: ID of the job, or None if only an address is known.
        is_api: Whether the API itself was asked, or its bucket, with the key. If False, an address was asked that the
            API has named, without the key.
    """

    action: str
    video_id: str | None = None
    is_api: bool = True


def find_next_hop(answer: Answer, asked: Asked) -> str:
    """Return the address to which an answer without video bytes leads.

    Args:
        answer: The answer, with at least the beginning of its body.
        asked: The request that it answers.

    Raises:
        ContentNotReadyError: The server wants to be asked again.
        ContentGoneError: The server has deleted the file.
        ContentChangedError: The server has no such part of the file.
        VideoFailedError: The API says that there is no video, and that there will be none.
        AddressRefusedError: A server that is not the API refuses.
        ApiError: The API refuses; or any server is in trouble.
        ContentError: The answer holds neither a video nor an address.
    """
    with reading(answer, asked.action):
        return _read_hop(answer, asked)


def _read_hop(answer: Answer, asked: Asked) -> str:
    action = asked.action
    if answer.status in _REDIRECTS:
        return _absolute(answer, answer.headers.get("location", ""), action)
    if not answer.ok:
        raise _refusal_of_api(answer, asked) if asked.is_api else _refusal_elsewhere(answer, action)
    text = answer.text.strip()
    url = find_url(answer.json(), answer.url) or (text if _is_bare_url(text) else None)
    if url:
        return _absolute(answer, url, action)
    if not text:
        raise ContentNotReadyError(f"{action}: the server sent an empty body.")
    if asked.is_api and _has_running_status(answer):
        raise ContentNotReadyError(f"{action}: the file is not there yet ({answer.quote(text, 60)}).")
    if asked.is_api:
        _raise_if_named_error(answer, asked)
    kind = "an HTML page" if text[:1] == "<" else "something else"
    raise ContentError(f"{action}: expected a video file, got {kind} that begins with {answer.quote(text, 60)!r}.")


def _refusal_of_api(answer: Answer, asked: Asked) -> VeoError:
    if without_video := _without_video(answer, asked):
        return without_video
    action = asked.action
    error = make_api_error(answer, action, LONGEST_CONTENT_WAIT, about_a_job=True)
    if answer.status == _GONE:
        return make_gone_error(action, f"The server says so ({_text_of(error)})")
    if answer.status == _NO_SUCH_PART:
        return ContentChangedError(str(error))
    if answer.status in _NOT_READY and error.reason in (Reason.BAD_REQUEST, Reason.NOT_FOUND, Reason.SERVER):
        not_ready = ContentNotReadyError(f"{action}: the file is not there yet ({_text_of(error)}).")
        not_ready.__cause__ = error
        return not_ready
    return error


def _refusal_elsewhere(answer: Answer, action: str) -> VeoError:
    error = make_api_error(answer, action, LONGEST_CONTENT_WAIT, about_a_job=True)
    if answer.status == _NO_SUCH_PART:
        return ContentChangedError(str(error))
    if answer.status >= _TROUBLE or answer.status in _ASK_AGAIN:
        reason = Reason.RATE_LIMITED if answer.status == _TOO_MANY else Reason.SERVER
        return ApiError(
            f"{action} failed",
            reason=reason,
            status=answer.status,
            detail=error.detail,
            retry_after=error.retry_after,
        )
    address = answer.quote(redact(answer.url).removesuffix("?…"), 200)
    return AddressRefusedError(
        f"{action}: {address} refuses the file ({_text_of(error)}). That is not the API, and no key was sent there.",
        address,
        is_missing=answer.status == _NOT_FOUND,
        is_over=is_expired(answer.url, pendulum.now("UTC")),
    )


def _without_video(answer: Answer, asked: Asked) -> VideoFailedError | None:
    """Return an error if an answer says that a completed job has no video; else None."""
    detail = answer.error()
    reason = find_reason_without_video(detail, answer.text[:LOOKED_AT])
    if asked.video_id is None or reason is None:
        return None
    said = str(detail) or answer.quote(answer.text)
    return VideoFailedError(asked.video_id, "is completed without a video", reason, said)


def make_gone_error(action: str, why: str) -> ContentGoneError:
    """Return the error of a lost video, with the next step.

    Args:
        action: The download in words.
        why: Evidence for the loss, as a sentence.
    """
    return ContentGoneError(
        f"{action}: the video is gone. {why.rstrip('.')}. Gateways keep a video for a day at most. "
        "To have another one made, clear the task that ordered it; that is charged again."
    )


def _text_of(error: ApiError) -> str:
    return f"HTTP {error.status}: {error.detail}".rstrip(": .")


def may_be_elsewhere(refusal: VeoError) -> bool:
    """Return whether the job's status may name another address, now that the content route has failed.

    Args:
        refusal: Failure of the content route.
    """
    if isinstance(refusal, (ContentChangedError, ContentCutError, ContentTooLargeError)):
        return False
    is_busy = isinstance(refusal, ApiError) and refusal.reason is Reason.RATE_LIMITED
    leads_nowhere = (ApiError, ContentError, AddressNotAllowedError, AddressUnreachableError)
    return isinstance(refusal, leads_nowhere) and not is_busy


def choose_address(refusal: VeoError, seen: Video | VeoError, action: str, now: pendulum.DateTime) -> str | None:
    """Return the address to ask instead of the content route; None for the status itself, which may hold the video.

    Args:
        refusal: Failure of the content route.
        seen: The job's status, asked for just now, or the reason why there is none.
        action: The download in words, for error messages.
        now: The current time, in UTC.

    Raises:
        VeoError: There is no other address. It is the refusal, or says why the content will never come.
    """
    if isinstance(seen, Video) and seen.in_doubt and isinstance(refusal, TransportError):
        raise refusal
    if error := explain_loss(seen, action, now):
        raise error from refusal
    if not isinstance(seen, Video):
        raise refusal
    # an address that the content route names says more than an unfinished status
    says_more = (ContentNotReadyError, AddressNotAllowedError, AddressUnreachableError)
    if not seen.status.finished and not isinstance(refusal, says_more):
        status = seen.status_word or seen.status.value
        raise ContentNotReadyError(f"{action}: the video is not finished (status: {status}).") from refusal
    if not seen.status.finished:
        raise refusal
    return seen.url


def choose_error(refusal: VeoError, error: VeoError, seen: Video | VeoError, now: pendulum.DateTime) -> VeoError:
    """Return the error to raise when both the content route and the status have failed.

    Args:
        refusal: Failure of the content route.
        error: Failure to open the content by the job's status.
        seen: The job's status, or the reason why there is none.
        now: The current time, in UTC.
    """
    if isinstance(error, VideoFailedError):
        return error
    if not isinstance(seen, Video) or seen.url is None:
        return refusal
    if isinstance(error, AddressRefusedError):
        error.is_over = error.is_over or seen.is_expired(now)
        return error
    if isinstance(refusal, ContentNotReadyError) and isinstance(error, (ContentError, InvalidInputError)):
        both = ContentNotReadyError(f"{refusal} The address in its status does not help: {error}")
        both.__cause__ = refusal.__cause__
        return both
    return error


def explain_loss(seen: Video | VeoError | None, action: str, now: pendulum.DateTime) -> VeoError | None:
    """Return an error that says why missing content will never come; None if it may still come.

    Args:
        seen: The job's status, asked for just now, or the reason why there is none; or the error of the video's
            address.
        action: The download in words, for error messages.
        now: The current time, in UTC.
    """
    if isinstance(seen, ApiError) and seen.reason is Reason.NOT_FOUND:
        forgotten = f"The server does not know it any more ({_text_of(seen)})"
        return make_gone_error(action, f"{forgotten}. If it never did, check the id and the connection")
    if not isinstance(seen, Video):
        return None
    if seen.status in (VideoStatus.FAILED, VideoStatus.CANCELLED):
        return VideoFailedError(seen.id, seen.status.value, seen.reason or Reason.UNKNOWN, seen.message)
    if seen.status is VideoStatus.EXPIRED or (seen.is_expired(now) and seen.url is None):
        when = f"It expired at {seen.expires_at.isoformat()}" if seen.expires_at else "It has expired"
        return make_gone_error(action, when)
    return None


def _raise_if_named_error(answer: Answer, asked: Asked) -> None:
    if isinstance(answer.json(), dict):
        if without_video := _without_video(answer, asked):
            raise without_video
        error: ApiError = make_api_error(answer, asked.action, LONGEST_CONTENT_WAIT, about_a_job=True)
        if error.reason is not Reason.UNREADABLE:
            raise error


def _has_running_status(answer: Answer) -> bool:
    body = unwrap(answer.json())
    return body is not None and read_status(read_status_word(body)) in (VideoStatus.QUEUED, VideoStatus.RUNNING)


def _is_bare_url(text: str) -> bool:
    return text.startswith(("http://", "https://")) and len(text.split()) == 1


def _absolute(answer: Answer, url: str, action: str) -> str:
    target = resolve_url(answer.url, url)
    if target is None:
        where = answer.quote(redact(url), 200)
        raise ContentError(f"{action}: the server points to {where!r}, which is not an http(s) address.")
    return target
