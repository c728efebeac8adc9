"""Answers of servers: only this module turns received bytes into an `Answer`.

Every text of an answer can be stored. A text for people goes through `Answer.quote`, which returns one bounded line
without secrets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_veo.api.answers.json_text import find_objects, parse_head, parse_json
from airflow_provider_veo.api.answers.masking import Mask, make_mask
from airflow_provider_veo.api.answers.own_words import NO_TEXTS, OwnWords
from airflow_provider_veo.api.answers.text import LOOKED_AT, MESSAGE_LIMIT, is_plain_text, make_line, make_storable

_LONGEST_HEADER = 16_384  # characters; a longer header is dropped, since a cut address would be another address


@dataclass(frozen=True)
class Answer:
    """An answer of the server.

    Attributes:
        status: HTTP status of the answer.
        text: Decoded body; only its beginning if `is_cut`.
        headers: Headers; their names are in lower case.
        url: Address of the request, against which relative addresses in the body are resolved.
        is_cut: Whether the body was longer than this call allows.
        mask: Mask that hides secrets in texts for people.
        method: HTTP method of the request.
        own: Texts of the order. Empty if a job is asked for, since its order is not known then.
    """

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    is_cut: bool = False
    mask: Mask = field(default=Mask(), repr=False)
    method: str = "GET"
    own: OwnWords = field(default=NO_TEXTS, repr=False)

    @classmethod
    def of(
        cls,
        status: int,
        body: bytes,
        headers: Iterable[tuple[str, str]],
        url: str,
        *,
        is_cut: bool = False,
        secrets: Collection[str] = (),
        method: str = "GET",
        own: OwnWords = NO_TEXTS,
    ) -> Answer:
        """Return an answer for received bytes. The body is read as UTF-8 even if the server names another charset.

        Args:
            status: HTTP status of the answer.
            body: Body without its content encoding.
            headers: Names and values of the headers.
            url: Address of the request.
            is_cut: Whether `body` is only the beginning of the body.
            secrets: The API key, and other sent values that must not be shown.
            method: HTTP method of the request.
            own: Texts of the order.
        """
        kept: dict[str, str] = {}
        for name, value in headers:
            if len(value) <= _LONGEST_HEADER:
                kept.setdefault(make_storable(name.lower()), make_storable(value))
        text = make_storable(body.decode("utf-8-sig", "replace"))
        return cls(status, text, kept, url, is_cut, make_mask(tuple(secrets)), method, own)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the parsed body; None if it is not JSON. From a cut or damaged body, return the readable beginning."""
        whole = None if self.is_cut else parse_json(self.text)
        return whole if whole is not None else parse_head(self.text) or None

    @property
    def is_whole(self) -> bool:
        """Whether the body is complete and valid JSON."""
        return not self.is_cut and parse_json(self.text) is not None

    def quote(self, text: str, limit: int = MESSAGE_LIMIT) -> str:
        """Return a text of the server as one line for people, without secrets."""
        return make_line(self.mask.hide(text[:LOOKED_AT]), limit)

    def error(self, *, opens_texts: bool = True) -> ErrorDetail:
        """Return the error that the body describes.

        Args:
            opens_texts: Whether to read error bodies in the middle of texts, too. `read_error` explains them.
        """
        own = self.own if opens_texts else None
        found = read_error(self.json(), own=own)
        if not (found.message or found.code):
            found = read_error(self.text, own=own)
        return ErrorDetail(
            self.quote(found.message, ERROR_LIMIT), self.quote(found.code, _CODE_LIMIT), found.http_status
        )


ID_LIMIT = 1_024
"""Longest ID of a job, in characters. It must fit into addresses and database rows. LiteLLM's have up to 410."""

_ID_KEYS = ("id", "task_id", "video_id")


def unwrap(body: Any) -> dict[str, Any] | None:
    """Return the innermost object of `{"data": {...}}` envelopes that looks like a video; None without an object."""
    for _ in range(3):
        if not isinstance(body, dict):
            return None
        data = body.get("data")
        if isinstance(data, list) and len(data) == 1:
            data = data[0]
        looks_like_video = any(key in body for key in (*_ID_KEYS, "status", "url", "video_url"))
        if looks_like_video or not isinstance(data, dict):
            return body
        body = data
    return body if isinstance(body, dict) else None


def find_id(body: Mapping[str, Any]) -> str | None:
    """Return the ID of the job in a body, exactly as the server wrote it; None if there is no ID."""
    values = [body.get(key) for key in _ID_KEYS]
    texts = (value for value in values if isinstance(value, str) and value.strip())
    return next(texts, None) or next((str(value) for value in values if type(value) is int), None)


def find_names(body: Any) -> list[str]:
    """Return the IDs in a list such as a list of models: `{"data": [{"id": ...}]}`."""
    listed = body.get("data") if isinstance(body, dict) else None
    found = (item.get("id") for item in listed if isinstance(item, dict)) if isinstance(listed, list) else ()
    return [name for name in found if isinstance(name, str)]


def is_usable_id(video_id: str) -> bool:
    """Return whether later calls can use this ID of a job, and databases and logs can hold it."""
    return 0 < len(video_id) <= ID_LIMIT and is_plain_text(video_id) and video_id.strip() not in ("", ".", "..")


def find_job_id(answer: Answer) -> str | None:
    """Return the ID of a job that any kind of answer names, as a line for people; None if there is no ID."""
    body = unwrap(answer.json())
    found = None if body is None else find_id(body)
    return found and answer.quote(found, ID_LIMIT)


@dataclass(frozen=True)
class ErrorDetail:
    """The parts of an error body.

    Attributes:
        message: Text for people; empty if there is none.
        code: Error codes, outermost first, joined by "/".
        http_status: HTTP status from 400 to 599 that the body names; None if it names none.
    """

    message: str = ""
    code: str = ""
    http_status: int | None = None

    def __str__(self) -> str:
        message = make_line(self.message)
        if self.code and self.code.lower() not in message.lower():
            return f"{message} [{self.code}]".strip()
        return message


ERROR_LIMIT = 5_000
"""Number of characters of an error in which its reason is searched."""

MESSAGE_KEYS = ("message", "detail", "msg", "error_message", "fail_reason", "reason")
_CODE_KEYS = ("code", "type")
_CODE_LIMIT = 200  # characters
_DEPTH = 6
_TAG = re.compile(r"(?is)<(script|style)\b.*?</\1>|<[^<>]{0,2000}>")


def read_error(body: Any, depth: int = _DEPTH, own: OwnWords | None = NO_TEXTS) -> ErrorDetail:
    """Return message and code of an error body as bounded lines. Servers use many shapes of such bodies.

    Known shapes: `{"error": {"message", "type", "code"}}`, `{"error": "text"}`, new-api's
    `{"code", "message": "<JSON of the upstream>", "data": null}`, LiteLLM's text with the upstream's body in it,
    FastAPI's `{"detail": ...}`, plain text, HTML.

    Args:
        body: Text of the answer, or a parsed part of it.
        depth: Number of nested bodies to open.
        own: Texts of the order. A body inside a text is not opened if it only quotes the order. None: no body in the
            middle of a text is opened.
    """
    if isinstance(body, str):
        return _read_text(body, depth, own)
    if isinstance(body, list):
        parts = [read_error(item, depth - 1, own) for item in body[:5]] if depth else []
        return ErrorDetail(make_line("; ".join(part.message for part in parts if part.message), ERROR_LIMIT))
    if isinstance(body, dict) and depth:
        return _read_object(body, depth, own)
    return ErrorDetail()


def _read_text(text: str, depth: int, own: OwnWords | None) -> ErrorDetail:
    stripped = text.strip()
    if stripped[:1] == "<":
        stripped = _TAG.sub(" ", stripped[:ERROR_LIMIT])
    elif depth and not (own and own.cover(stripped[:LOOKED_AT])):
        parsed = parse_json(stripped) if stripped[:1] in ("{", "[") else None
        if parsed is not None:
            return read_error(parsed, depth - 1, own)
        if own:
            return _read_embedded(stripped, depth, own)
    return ErrorDetail(make_line(stripped, ERROR_LIMIT))


def _read_embedded(text: str, depth: int, own: OwnWords) -> ErrorDetail:
    """Read a text that may contain the error body of an upstream. The upstream's message replaces that body."""
    for found in find_objects(text):
        inner = read_error(found.value, depth - 1, own)
        if (inner.message or inner.code) and not own.cover(text[found.start : found.end]):
            message = f"{text[: found.start]}{inner.message}{text[found.end : LOOKED_AT]}" if inner.message else text
            return replace(inner, message=make_line(message, ERROR_LIMIT))
    return ErrorDetail(make_line(text, ERROR_LIMIT))


def _read_object(body: dict[str, Any], depth: int, own: OwnWords | None) -> ErrorDetail:
    if isinstance(where := body.get("loc"), list) and isinstance(complaint := body.get("msg"), str):
        # FastAPI names the field and the complaint separately
        place = ".".join(str(part) for part in where if isinstance(part, (str, int)))
        return ErrorDetail(make_line(f"{place}: {complaint}", ERROR_LIMIT))
    code = next((body[key] for key in _CODE_KEYS if isinstance(body.get(key), (str, int)) and body[key]), "")
    message = next((body[key] for key in ("error", *MESSAGE_KEYS) if body.get(key)), "")
    inner = read_error(message, depth - 1, own)
    codes = [make_line(str(code), ERROR_LIMIT)] if code and not isinstance(code, bool) else []
    if inner.code and inner.code not in codes:
        codes.append(inner.code)
    return ErrorDetail(inner.message, "/".join(codes), inner.http_status or _http_status(code))


def _http_status(code: Any) -> int | None:
    number = int(code) if str(code).isdecimal() and len(str(code)) == 3 else 0
    return number if 400 <= number < 600 else None
