"""Where the bytes of a video are: the content route answers with them, with an address, or not yet.

Everything here is a decision about one answer; `client` makes the requests.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_veo.api.answers import Answer
from airflow_provider_veo.api.errors import ApiError, ContentError, ContentNotReadyError, Reason, error_from
from airflow_provider_veo.api.urls import absolute, redact
from airflow_provider_veo.api.video import find_url

MAX_HOPS = 5
"""Redirects and JSON answers followed before giving up."""

SNIFF_BYTES = 12
"""How much of a body tells whether it is a video file."""

_NOT_READY = (400, 404, 409, 425)
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Follow:
    """Look at this address next."""

    url: str


def is_video(head: bytes) -> bool:
    """Whether a file that starts like this is an MP4 or QuickTime file (ISO 14496-12: its first box is `ftyp`).

    Content types are not asked: proxies put `video/mp4` on whatever they forward.
    """
    return head[4:8] == b"ftyp"


def next_hop(answer: Answer, what: str) -> Follow:
    """Decide what an answer without video bytes leads to.

    Args:
        answer: status, headers and at least the beginning of the body.
        what: the action, for error messages.

    Raises:
        ContentNotReadyError: the server wants to be asked again.
        ApiError: the server refuses.
        ContentError: neither a video nor a way to one.
    """
    if answer.status in _REDIRECTS:
        return _followed(answer.url, answer.headers.get("location", ""), what)
    if answer.status in _NOT_READY:
        error = error_from(answer, what)
        if error.reason in (Reason.BAD_REQUEST, Reason.NOT_FOUND, Reason.SERVER):
            raise ContentNotReadyError(str(error)) from error
        raise error
    if not answer.ok:
        raise error_from(answer, what)
    text = answer.text.strip()
    url = find_url(answer.json(), answer.url) or (text if _is_bare_url(text) else None)
    if url:
        return _followed(answer.url, url, what)
    if not text:
        raise ContentNotReadyError(f"{what}: the server sent an empty body.")
    _raise_if_named_error(answer, what)
    kind = "an HTML page" if text[:1] == "<" else "something else"
    raise ContentError(f"{what}: expected a video file, got {kind} that begins with {text[:60]!r}.")


def _raise_if_named_error(answer: Answer, what: str) -> None:
    if isinstance(answer.json(), dict):
        error: ApiError = error_from(answer, what)
        if error.reason is not Reason.UNREADABLE:
            raise error


def _is_bare_url(text: str) -> bool:
    return text.startswith(("http://", "https://")) and len(text.split()) == 1


def _followed(base: str, url: str, what: str) -> Follow:
    target = absolute(base, url)
    if target is None:
        raise ContentError(f"{what}: the server points to {redact(url)!r}, which is no http(s) address.")
    return Follow(target)
