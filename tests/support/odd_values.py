"""Values that servers send against all rules, and JSON bodies in which one leaf at a time is such a value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    " ",
    "0",
    "-0",
    "nan",
    "9" * 5_000,
    "half an emoji \ud83d here",
    "\udcff",
    "a NUL \x00 here",
    "\x00",
    "an escape \x1b[31m here",
    "two\nlines\r\nand a \t tab",
    "turned \u202e round \u2066 twice",
    "\ufeffmarked",
    "é" * 300,
    "😀" * 300,
    "x" * 5_000_000,
    "..",
    ".",
    "/",
    "../../etc/passwd",
    "a/b?c=d#e%00",
    "http://",
    "http://[::1",
    "http://user:secret@127.0.0.1:99999/x",
    "javascript:alert(1)",
    "9999-12-31T23:59:59-08:00",
    "0001-01-01T00:00:00+08:00",
    "2026-11-28T00:00:00+24:00",
    "2026-11-28",
    "P1Y",
    "1280x720x24",
    "9" * 5_000 + "x1",
    "٣x٤",
    "100%",
    "{}",
    "[[[[[[[[",
    [],
    [None],
    [[[[]]]],
    {},
    {"": ""},
    {"url": ["x"]},
    {"message": {"message": {"message": {"message": "deep"}}}},
)
"""At least 40 values. Half an emoji is a lone surrogate: JSON can write it, UTF-8 and databases cannot."""

ODD_HEADERS: tuple[bytes, ...] = (
    b"",
    b" ",
    b"0",
    b"-1",
    b"nan",
    b"inf",
    b"1e400",
    b"9" * 5_000,
    b"1000000000",
    b"300000000000",
    b"Wed, 31 Dec 9999 23:59:59 GMT",
    b"Mon, 01 Jan 0001 00:00:00 GMT",
    b"not a date",
    b"\xff\xfe",
    b"caf\xc3\xa9",
    b"\x1b[31m",
    b"application/json; charset=undefined",
    b"application/json; charset=",
    b"application/json; charset=utf-7",
    b"text/html; charset=\xff",
    b"bytes 5-4/3",
    b"bytes 0-99999999999999999999/1",
    b'"' * 3_000,
    b'W/"weak"',
    b"http://[::1",
    b"//host",
    b"/" * 3_000,
    b"javascript:alert(1)",
    b"http://user:secret@127.0.0.1:99999/x",
    b"gzip, gzip",
)
"""Values of headers, as the bytes of a line of HTTP."""


def with_odd_leaves(body: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield copies of a JSON value in which one leaf at a time is replaced by one odd value at a time.

    Args:
        body: A JSON value. Each object and each list in it counts as a leaf, too.

    Yields:
        The path of the leaf, for example `error.message`; the odd value; the changed copy.
    """
    for place in _places(body):
        for odd in ODD_VALUES:
            yield ".".join(map(str, place)), odd, _replaced(body, place, odd)


def name_of(value: Any) -> str:
    """Return a short name of a value for the id of a test.

    It has no backslash: pytest escapes one again each time that the same process collects the tests, as mutmut does.
    """
    return ascii(value)[:20].replace("\\", "/")


def dumped(body: Any) -> bytes:
    """Return a JSON value as a careless server writes it: NaN is allowed, and halves of emojis become escapes."""
    return json.dumps(body).encode()


def _places(body: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield from _places(value, (*place, key))


def _replaced(body: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    key, *rest = place
    copy = dict(body) if isinstance(body, dict) else list(body)
    copy[key] = _replaced(body[key], tuple(rest), odd)
    return copy
