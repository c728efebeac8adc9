"""Read JSON of servers: no content makes the reader fail, and characters that cannot be stored are replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_veo.api.answers.text import LOOKED_AT, MARK, make_storable

_MOST_DIGITS = 100  # of a whole number; longer ones become floats, since Python refuses to read 4,300 digits
_DEPTH = 8  # nested objects and lists that are opened in a cut text
_MOST_PARTS = 200  # parts of each of them
_LONGEST_CUT_TEXT = 65_536  # characters

_LONGEST_ESCAPE = len("\\u0000")
_KEY = re.compile(r'[\s,]*"')
_ITEM = re.compile(r"[\s,]*(?=[^\s,\]])")
_MORE_OF_A_NUMBER = re.compile(r"[-+.0-9eE]|\Z")
_COLON = re.compile(r"\s*:\s*")


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


# strict=False: control characters within a text break the rules, and are harmless
_DECODER = json.JSONDecoder(strict=False, parse_int=_whole_number, parse_constant=lambda _name: None)


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; None if the text is not JSON or is nested too deeply.

    Each character that cannot be stored is replaced by `text.MARK`. NaN and the infinities become None.
    """
    try:
        return _clean(text, _DECODER.decode(text))
    except (ValueError, RecursionError):
        return None


def parse_head(text: str) -> Any:
    """Return the readable beginning of a JSON text that is cut off or damaged; None if nothing can be read.

    If the break lies within a string, its beginning is kept and ends in `text.MARK`. A number at the break is None.
    """
    return _clean(text, _read_value(text, len(text) - len(text.lstrip()), _DEPTH)[0])


@dataclass(frozen=True)
class Embedded:
    """A JSON object within a text.

    Attributes:
        value: Value of the object.
        start: Position of its first character.
        end: Position behind its last character. It is an estimate if the object is not plain JSON.
    """

    value: dict[str, Any]
    start: int
    end: int


_MOST_OBJECTS = 8  # objects that are tried in one text
_OBJECT = re.compile(r"""\{(?:\s|\\{1,4}[nrt]){0,19}(?P<slashes>\\{0,15})(?P<quote>["'])""")
_PYTHON = re.compile(r"""'(?P<text>(?:[^'\\]|\\.)*)'|"(?:[^"\\]|\\.)*"|\b(?P<name>None|True|False)\b""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MOST_ESCAPES = 4  # levels of escapes: a text in a text in a text
_NAMES = {"None": "null", "True": "true", "False": "false"}


def find_objects(text: str) -> Iterator[Embedded]:
    """Yield the outermost JSON objects in the beginning of a text, such as the body that a gateway quotes.

    Objects are read as JSON, as JSON with the escapes of a string, and as Python prints them. They may break off.
    """
    text, done = text[:LOOKED_AT], 0
    for _ in range(_MOST_OBJECTS):
        found = _OBJECT.search(text, done)
        if found is None:
            return
        value, end = _read_object(text, found)
        done = found.start() + 1
        if value:
            yield Embedded(value, found.start(), end)
            done = end


def _read_object(text: str, found: re.Match[str]) -> tuple[Any, int]:
    if found["quote"] == '"' and not found["slashes"]:
        value, end = _read_value(text, found.start(), _DEPTH)
        if end is not None:
            return _clean(text, value), end
    rest, value = text[found.start() :], None
    for _ in range(_MOST_ESCAPES):
        plain = _PYTHON.sub(_as_json, rest) if found["quote"] == "'" else rest
        read, end = _read_value(plain, 0, _DEPTH)
        value = _clean(plain, read) or value
        if end is not None or "\\" not in rest:
            break
        rest = _ESCAPED.sub(lambda escaped: " " if escaped[1] in "nrt" else escaped[1], rest)
    last = text.rfind("}") + 1
    return value, last if last > found.start() else len(text)


def _as_json(found: re.Match[str]) -> str:
    if found["name"]:
        return _NAMES[found["name"]]
    if found["text"] is None:
        return found[0]
    plain = found["text"].replace("\\'", "'").replace('\\"', '"').replace('"', '\\"')
    return '"' + re.sub(r"\\x([0-9a-fA-F]{2})", r"\\u00\1", plain) + '"'


def _read_value(text: str, at: int, depth: int) -> tuple[Any, int | None]:
    """Return the value at a position, and the position of its end; None for an end that is missing."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return _read_cut_value(text, at, depth), None
    is_cut = isinstance(value, (int, float)) and _MORE_OF_A_NUMBER.match(text, end)
    return (None, None) if is_cut else (value, end)


def _read_cut_value(text: str, at: int, depth: int) -> Any:
    kind = text[at : at + 1]
    if kind == '"':
        return _read_cut_text(text[at : at + _LONGEST_CUT_TEXT])
    if kind == "{" and depth:
        return _read_cut_object(text, at + 1, depth - 1)
    return _read_cut_list(text, at + 1, depth - 1) if kind == "[" and depth else None


def _read_cut_object(text: str, at: int | None, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(_MOST_PARTS):  # bounded, since a server may repeat the same name for ever
        begin = None if at is None else _KEY.match(text, at)
        if begin is None:
            break
        name, at = _read_value(text, begin.end() - 1, 0)
        colon = None if at is None else _COLON.match(text, at)
        if colon is None:
            break
        found[name], at = _read_value(text, colon.end(), depth)
    return found


def _read_cut_list(text: str, at: int | None, depth: int) -> list[Any]:
    found: list[Any] = []
    while at is not None and len(found) < _MOST_PARTS and (begin := _ITEM.match(text, at)):
        value, at = _read_value(text, begin.end(), depth)
        found.append(value)
    return found


def _read_cut_text(text: str) -> str:
    for end in range(len(text), len(text) - _LONGEST_ESCAPE, -1):
        try:
            whole: str = _DECODER.decode(text[:end] + '"')
        except ValueError:  # the text breaks off within an escape
            continue
        return whole + MARK
    return MARK


def _clean(text: str, value: Any) -> Any:
    """Replace the characters that cannot be stored in a value that was read from a text."""
    # only escapes can bring such characters into a text that was decoded from bytes
    if "\\u" not in text:
        return value
    whole = [value]
    todo: list[Any] = [whole]
    while todo:  # a recursion could fail, since the parser may just have managed the depth of the value
        part = todo.pop()
        places = enumerate(part) if isinstance(part, list) else [(key, part.pop(key)) for key in list(part)]
        for place, item in places:
            part[make_storable(place) if isinstance(place, str) else place] = (
                make_storable(item) if isinstance(item, str) else item
            )
            if isinstance(item, (list, dict)):
                todo.append(item)
    return whole[0]
