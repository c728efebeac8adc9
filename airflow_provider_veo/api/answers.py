"""An HTTP answer as plain data, and how to read what it says when it is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A complete answer of the server.

    Attributes:
        status: the HTTP status.
        text: the decoded body.
        headers: names in lower case.
        url: what was asked, to resolve relative addresses in the body.
    """

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the parsed body, or None where it is not JSON."""
        return parse_json(self.text)


@dataclass(frozen=True)
class ErrorDetail:
    """What an error body says.

    Attributes:
        message: for people; empty where there is none.
        code: the machine's words for it, outermost first, joined by "/".
        http_status: a status between 400 and 599 that the body carries, or None.
    """

    message: str = ""
    code: str = ""
    http_status: int | None = None

    def __str__(self) -> str:
        if self.code and self.code.lower() not in self.message.lower():
            return f"{self.message} [{self.code}]".strip()
        return self.message


def parse_json(text: str) -> Any:
    """Parse JSON, None where it is none. Deeply nested garbage counts as none, too."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


_MESSAGE_KEYS = ("message", "detail", "msg", "error_message", "fail_reason", "reason")
_CODE_KEYS = ("code", "type")
_DEPTH = 6
_HTML_LIMIT = 5_000  # characters
_TAG = re.compile(r"(?is)<(script|style)\b.*?</\1>|<[^<>]{0,2000}>")


def read_error(body: Any, depth: int = _DEPTH) -> ErrorDetail:
    """Find message and code in an error body of any of the shapes that servers use.

    Known shapes: `{"error": {"message", "type", "code"}}`, `{"error": "text"}`, new-api's
    `{"code", "message": "<JSON of the upstream>", "data": null}`, FastAPI's `{"detail": ...}`, plain text, HTML.

    Args:
        body: the text of the answer, or an already parsed part of it.
        depth: how many nested bodies to open.
    """
    if isinstance(body, str):
        return _read_text(body, depth)
    if isinstance(body, list):
        parts = [read_error(item, depth - 1) for item in body[:5]] if depth else []
        return ErrorDetail("; ".join(part.message for part in parts if part.message))
    if isinstance(body, dict) and depth:
        return _read_object(body, depth)
    return ErrorDetail()


def _read_text(text: str, depth: int) -> ErrorDetail:
    stripped = text.strip()
    if depth and stripped[:1] in ("{", "["):
        parsed = parse_json(stripped)
        if parsed is not None:
            return read_error(parsed, depth - 1)
    if stripped[:1] == "<":
        stripped = _TAG.sub(" ", stripped[:_HTML_LIMIT])
    return ErrorDetail(" ".join(stripped.split()))


def _read_object(body: dict[str, Any], depth: int) -> ErrorDetail:
    if isinstance(where := body.get("loc"), list) and isinstance(complaint := body.get("msg"), str):
        # FastAPI names the field apart from what is wrong with it
        return ErrorDetail(f"{'.'.join(map(str, where))}: {complaint}")
    code = next((body[key] for key in _CODE_KEYS if isinstance(body.get(key), (str, int)) and body[key]), "")
    message = next((body[key] for key in ("error", *_MESSAGE_KEYS) if body.get(key)), "")
    inner = read_error(message, depth - 1)
    codes = [str(code)] if code and not isinstance(code, bool) else []
    if inner.code and inner.code not in codes:
        codes.append(inner.code)
    return ErrorDetail(inner.message, "/".join(codes), inner.http_status or _http_status(code))


def _http_status(code: Any) -> int | None:
    number = int(code) if str(code).isdecimal() and len(str(code)) == 3 else 0
    return number if 400 <= number < 600 else None
