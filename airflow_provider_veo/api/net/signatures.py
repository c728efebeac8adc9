"""Recognize presigned addresses, whose query contains a signature: object storages and CDNs issue them.

A request to such an address must carry no other credentials, and everybody who knows the address can use it. So the API
key is never sent to it.
"""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qsl, unquote, urlsplit

import pendulum

# S3 (both versions) and compatible storages, Google, Azure, CloudFront, Alibaba, Tencent, Volcengine, Huawei
_SIGNS = re.compile(
    r"(.*-)?sig(nature|ned)?|hmac|hdnt[ls]|(x-)?(amz|goog|oss|cos|tos|obs|bce)-.+"
    r"|(aws|google|oss|obs)?accesskeyid|googleaccessid|key-pair-id|q-sign-.+|__gda__|__token__"
)
_SIGNED_AT = re.compile(r"x-\w+-date")
_LASTS = re.compile(r"x-\w+-expires")
_ENDS = ("expires", "se", "x-oss-expires")
_ROUNDS = 2  # levels of spellings: an address in an address


def is_presigned(url: str) -> bool:
    """Return whether an address carries a signature, in every spelling of its query."""
    return any(_SIGNS.fullmatch(name) for name in _query(url))


def is_expired(url: str, now: pendulum.DateTime) -> bool:
    """Return whether a presigned address has expired by the time in its query; False if it names no time."""
    try:
        end = _end(_query(url))
    except Exception:  # noqa: BLE001 - a query may hold any text; then the server's refusal counts
        return False
    return end is not None and end <= now


def _end(query: dict[str, str]) -> pendulum.DateTime | None:
    signed = next((value for name, value in query.items() if _SIGNED_AT.fullmatch(name)), None)
    lasts = next((value for name, value in query.items() if _LASTS.fullmatch(name)), None)
    if signed and lasts:
        return _moment(signed).add(seconds=int(lasts))
    end = next((query[name] for name in _ENDS if query.get(name)), None)
    return _moment(end) if end else None


def _moment(text: str) -> pendulum.DateTime:
    if text.isdecimal():
        return pendulum.from_timestamp(int(text))
    moment = pendulum.parse(text)
    if not isinstance(moment, pendulum.DateTime):
        raise TypeError("a span of time is not a moment")
    return moment


def _query(url: str) -> dict[str, str]:
    """Return names and values of a query. Names are in lower case, with hyphens."""
    try:
        text = urlsplit(url).query
    except ValueError:
        return {}
    for _ in range(_ROUNDS):
        text = html.unescape(text)
    pairs = parse_qsl(text.replace(";", "&"), keep_blank_values=True)
    return {unquote(name).strip().lower().replace("_", "-"): value for name, value in pairs}
