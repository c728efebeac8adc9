"""Make texts of servers fit for databases and for people: a server may send any characters.

A process that writes half a character (a lone surrogate) or NUL to a database ends with an error. Control characters
end lines and colour terminals. Characters that change the direction of writing make a text look like another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

MARK = "\ufffd"
"""Replaces a character that cannot be stored. A text that contains it differs from the text of the server."""

MESSAGE_LIMIT = 500
"""Longest message that is kept of a server, in characters: error pages can have megabytes."""

LOOKED_AT = 16_384
"""Number of characters at the beginning of a text that are read to show a part of them."""

_VALUE_LIMIT = 200  # characters of an argument that an error shows

_CANNOT_BE_KEPT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_NOT_ONE_WORD = re.compile(f"{_CANNOT_BE_KEPT.pattern[:-1]}\t\n\r\x85\u2028\u2029{MARK}{_DIRECTION.pattern[1:]}")


def make_storable(text: str) -> str:
    """Return a text with `MARK` in place of each character that a database may refuse. Line breaks are kept."""
    return _CANNOT_BE_KEPT.sub(MARK, text)


def make_line(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Return a text as one line for people that every database, terminal and log takes.

    Args:
        text: A text from any source.
        limit: Longest line, in characters. A longer text is cut and ends in "…".
    """
    line = " ".join(_DIRECTION.sub("", make_storable(text[:LOOKED_AT])).split())
    return line if len(line) <= limit else line[:limit] + "…"


def show(value: Any) -> str:
    """Return a value as one short line for an error. Long values are cut, and values in a dictionary are not shown."""
    if isinstance(value, str):
        return repr(make_line(value[:LOOKED_AT], _VALUE_LIMIT))
    if isinstance(value, Mapping):
        return make_line(f"a dictionary of {', '.join(map(str, islice(value, 8))) or 'nothing'}", _VALUE_LIMIT)
    if value is None or isinstance(value, (int, float, Decimal, timedelta)):
        try:
            return make_line(repr(value), _VALUE_LIMIT)
        except ValueError:  # Python refuses to print a whole number of thousands of digits
            return "a huge number"
    return f"a value of type {type(value).__name__}"


def is_plain_text(text: str) -> bool:
    """Return whether a name or an address consists only of characters that can be stored, sent and read."""
    return _NOT_ONE_WORD.search(text) is None
