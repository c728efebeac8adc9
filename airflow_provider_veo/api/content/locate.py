"""Where the bytes of a video are: the content route answers with them, with an address, or not yet.

Where it is missing, or refuses, the status may name an address, or hold the video itself. An address may lead away from
the API, to a CDN or an object storage: a refusal from there says nothing of the API key, which was not sent there.

Everything here is a decision about one answer; `client` makes the requests.
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
from airflow_provider_veo.api.error_answers import LONGEST_CONTENT_WAIT, error_from, reading
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
from airflow_provider_veo.api.net.signatures import is_over
from airflow_provider_veo.api.net.urls import absolute, redact
from airflow_provider_veo.api.reasons import find_reason_without_video
from airflow_provider_veo.api.video import Video, VideoStatus

MAX_HOPS = 5
"""Redirects and JSON answers followed before giving up."""

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
        offset: where in the file it begins: 0, or where an earlier transfer has broken off.
        total: size of the whole file in bytes, where the server gives a number for the bytes as they are sent.
        version: names the file's content for `If-Range`, or None.
        chunks: the bytes, in the pieces in which they arrive.
    """

    offset: int
    total: int | None
    version: str | None
    chunks: Iterator[bytes]


@dataclass(frozen=True)
class Resume:
    """Where a transfer has broken off.

    Attributes:
        offset: bytes that are there, above 0.
        total: as `ContentStream`.
        version: as `ContentStream`.
    """

    offset: int
    total: int | None
    version: str | None

    def headers(self) -> dict[str, str]:
        """Return what asks for the rest, and for all of it if the file has changed (RFC 9110, 13.1.5 and 14.2)."""
        return {"Range": f"bytes={self.offset}-"} | ({"If-Range": self.version} if self.version else {})


@dataclass(frozen=True)
class Follow:
    """Look at this address next."""

    url: str


def length_of(headers: Mapping[str, str]) -> int | None:
    """Return the bytes of a body, or None where no number is given for them as they are sent.

    Args:
        headers: of the answer, names in lower case.
    """
    length = _LENGTH.fullmatch(headers.get("content-length", ""))
    return int(length[0]) if length and not is_encoded(headers) else None


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether a body is compressed: some proxies do that to videos, against our will."""
    return headers.get("content-encoding", "identity").lower() != "identity"


def version_of(headers: Mapping[str, str]) -> str | None:
    """Return what `If-Range` may hold: a strong entity tag, or else a date (RFC 9110, 13.1.5)."""
    if is_encoded(headers):
        return None
    tag = headers.get("etag", "")
    version = tag if tag.startswith('"') else headers.get("last-modified", "")
    can_be_sent = version.isascii() and version.isprintable() and len(version) <= _LONGEST_VERSION
    return version if version and can_be_sent else None


def check_continuation(headers: Mapping[str, str], resume: Resume) -> None:
    """Check that a partial answer (206) goes on with the same file where the transfer has broken off.

    Raises:
        ContentChangedError: it does not.
    """
    found = _RANGE.fullmatch(headers.get("content-range", ""))
    same_place = found and int(found[1]) == resume.offset
    same_size = found and (resume.total is None or found[3] == str(resume.total))
    same_version = resume.version is None or version_of(headers) in (None, resume.version)
    # of a compressed file the range counts other bytes than those that are there
    if is_encoded(headers) or not (same_place and same_size and same_version):
        # whatever else stands there is not quoted: it may be what we have sent
        answered = repr(found[0]) if found else "no range that can be read"
        raise ContentChangedError(
            f"The rest of the file was asked for from byte {resume.offset}, and the server answers with {answered}."
        )


@dataclass(frozen=True)
class Asked:
    """What was asked for.

    Attributes:
        what: the action, for error messages.
        video_id: of the job; None where only an address is known.
        is_api: the API itself was asked, with the key; else a place that it has named, without.
    """

    what: str
    video_id: str | None = None
    is_api: bool = True


def next_hop(answer: Answer, asked: Asked) -> Follow:
    """Decide what an answer without video bytes leads to.

    Args:
        answer: status, headers and at least the beginning of the body.
        asked: what it answers.

    Raises:
        ContentNotReadyError: the server wants to be asked again.
        ContentGoneError: the server has thrown the file away.
        ContentChangedError: the server has no such part of the file.
        VideoFailedError: the API says that there is no video, and will be none.
        AddressRefusedError: a place that is not the API refuses.
        ApiError: the API refuses; or any server is in trouble.
        ContentError: neither a video nor a way to one.
    """
    with reading(answer, asked.what):
        return _next_hop(answer, asked)


def _next_hop(answer: Answer, asked: Asked) -> Follow:
    what = asked.what
    if answer.status in _REDIRECTS:
        return _followed(answer, answer.headers.get("location", ""), what)
    if not answer.ok:
        raise _refusal(answer, asked) if asked.is_api else _refusal_elsewhere(answer, what)
    text = answer.text.strip()
    url = find_url(answer.json(), answer.url) or (text if _is_bare_url(text) else None)
    if url:
        return _followed(answer, url, what)
    if not text:
        raise ContentNotReadyError(f"{what}: the server sent an empty body.")
    if asked.is_api and _tells_of_a_running_job(answer):
        raise ContentNotReadyError(f"{what}: the file is not there yet ({answer.said(text, 60)}).")
    if asked.is_api:
        _raise_if_named_error(answer, asked)
    kind = "an HTML page" if text[:1] == "<" else "something else"
    raise ContentError(f"{what}: expected a video file, got {kind} that begins with {answer.said(text, 60)!r}.")


def _refusal(answer: Answer, asked: Asked) -> VeoError:
    if without_video := _without_video(answer, asked):
        return without_video
    what = asked.what
    error = error_from(answer, what, LONGEST_CONTENT_WAIT, about_a_job=True)
    if answer.status == _GONE:
        return gone(what, f"The server says so ({_said(error)})")
    if answer.status == _NO_SUCH_PART:
        return ContentChangedError(str(error))
    if answer.status in _NOT_READY and error.reason in (Reason.BAD_REQUEST, Reason.NOT_FOUND, Reason.SERVER):
        not_ready = ContentNotReadyError(f"{what}: the file is not there yet ({_said(error)}).")
        not_ready.__cause__ = error
        return not_ready
    return error


def _refusal_elsewhere(answer: Answer, what: str) -> VeoError:
    error = error_from(answer, what, LONGEST_CONTENT_WAIT, about_a_job=True)
    if answer.status == _NO_SUCH_PART:
        return ContentChangedError(str(error))
    if answer.status >= _TROUBLE or answer.status in _ASK_AGAIN:
        reason = Reason.RATE_LIMITED if answer.status == _TOO_MANY else Reason.SERVER
        return ApiError(
            f"{what} failed",
            reason=reason,
            status=answer.status,
            detail=error.detail,
            retry_after=error.retry_after,
        )
    address = answer.said(redact(answer.url).removesuffix("?…"), 200)
    return AddressRefusedError(
        f"{what}: {address} refuses the file ({_said(error)}). That is not the API, and no key was sent there.",
        address,
        is_missing=answer.status == _NOT_FOUND,
        is_over=is_over(answer.url, pendulum.now("UTC")),
    )


def _without_video(answer: Answer, asked: Asked) -> VideoFailedError | None:
    """Return the error for an answer that says that a completed job has no video; None where it does not."""
    detail = answer.error()
    reason = find_reason_without_video(detail, answer.text[:LOOKED_AT])
    if asked.video_id is None or reason is None:
        return None
    said = str(detail) or answer.said(answer.text)
    return VideoFailedError(asked.video_id, "is completed without a video", reason, said)


def gone(what: str, why: str) -> ContentGoneError:
    """Return the error that says that a video is lost, and what to do."""
    return ContentGoneError(
        f"{what}: the video is gone. {why.rstrip('.')}. Gateways keep a video for a day at most. "
        "To have another one made, clear the task that ordered it; that is charged again."
    )


def _said(error: ApiError) -> str:
    return f"HTTP {error.status}: {error.detail}".rstrip(": .")


def may_be_elsewhere(refusal: VeoError) -> bool:
    """Whether the status is worth asking for an address, now that the way over the content route has failed."""
    if isinstance(refusal, (ContentChangedError, ContentCutError, ContentTooLargeError)):
        return False
    is_busy = isinstance(refusal, ApiError) and refusal.reason is Reason.RATE_LIMITED
    leads_nowhere = (ApiError, ContentError, AddressNotAllowedError, AddressUnreachableError)
    return isinstance(refusal, leads_nowhere) and not is_busy


def instead(refusal: VeoError, seen: Video | VeoError, what: str, now: pendulum.DateTime) -> str | None:
    """Return the address to take in place of the content route; None for the status itself, which may hold the video.

    Args:
        refusal: why the content route leads nowhere.
        seen: the job's status, asked for just now, or why there is none.
        what: the action, for error messages.
        now: the time.

    Raises:
        VeoError: there is no other way: the refusal, or why the content will never come.
    """
    if isinstance(seen, Video) and seen.in_doubt and isinstance(refusal, TransportError):
        raise refusal
    if error := lost(seen, what, now):
        raise error from refusal
    if not isinstance(seen, Video):
        raise refusal
    # an address that the content route names says more than a status without a word
    says_more = (ContentNotReadyError, AddressNotAllowedError, AddressUnreachableError)
    if not seen.status.finished and not isinstance(refusal, says_more):
        word = seen.status_word or seen.status.value
        raise ContentNotReadyError(f"{what}: the video is not finished (status: {word}).") from refusal
    if not seen.status.finished:
        raise refusal
    return seen.url


def told_of_both(refusal: VeoError, error: VeoError, seen: Video | VeoError, now: pendulum.DateTime) -> VeoError:
    """Return what to raise when both ways have failed.

    Args:
        refusal: why the content route leads nowhere.
        error: why the status leads nowhere.
        seen: the status.
        now: the time.
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


def lost(seen: Video | VeoError | None, what: str, now: pendulum.DateTime) -> VeoError | None:
    """Say why content that is not there will never come; None where it may still come.

    Args:
        seen: the job's status, asked for just now, or why there is none; or how its bare address answers.
        what: the action, for error messages.
        now: the time.
    """
    if isinstance(seen, ApiError) and seen.reason is Reason.NOT_FOUND:
        return gone(
            what,
            f"The server does not know it any more ({_said(seen)}). If it never did, check the id and the connection",
        )
    if not isinstance(seen, Video):
        return None
    if seen.status in (VideoStatus.FAILED, VideoStatus.CANCELLED):
        return VideoFailedError(seen.id, seen.status.value, seen.reason or Reason.UNKNOWN, seen.message)
    if seen.status is VideoStatus.EXPIRED or (seen.is_expired(now) and seen.url is None):
        when = f"It expired at {seen.expires_at.isoformat()}" if seen.expires_at else "It has expired"
        return gone(what, when)
    return None


def _raise_if_named_error(answer: Answer, asked: Asked) -> None:
    if isinstance(answer.json(), dict):
        if without_video := _without_video(answer, asked):
            raise without_video
        error: ApiError = error_from(answer, asked.what, LONGEST_CONTENT_WAIT, about_a_job=True)
        if error.reason is not Reason.UNREADABLE:
            raise error


def _tells_of_a_running_job(answer: Answer) -> bool:
    body = unwrap(answer.json())
    return body is not None and read_status(read_status_word(body)) in (VideoStatus.QUEUED, VideoStatus.RUNNING)


def _is_bare_url(text: str) -> bool:
    return text.startswith(("http://", "https://")) and len(text.split()) == 1


def _followed(answer: Answer, url: str, what: str) -> Follow:
    target = absolute(answer.url, url)
    if target is None:
        where = answer.said(redact(url), 200)
        raise ContentError(f"{what}: the server points to {where!r}, which is no http(s) address.")
    return Follow(target)
