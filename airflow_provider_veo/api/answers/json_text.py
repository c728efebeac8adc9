"""JSON of servers, read without trust: nothing in it can make the reader fail, and what cannot be kept is marked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_veo.api.answers.text import LOOKED_AT, MARK, make_storable

_MOST_DIGITS = 100  # of a whole number; larger ones say nothing here, and Python refuses to read those of 4,300
_DEPTH = 8  # objects and lists that are opened where the text was cut
_MOST_PARTS = 200  # of each of them
_LONGEST_CUT_TEXT = 65_536  # characters

_LONGEST_ESCAPE = len("\\u0000")
_KEY = re.compile(r'[\s,]*"')
_ITEM = re.compile(r"[\s,]*(?=[^\s,\]])")
_MORE_OF_A_NUMBER = re.compile(r"[-+.0-9eE]|\Z")
_COLON = re.compile(r"\s*:\s*")


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


# strict=False: line breaks and the like within a text are against the rules, and harmless
_DECODER = json.JSONDecoder(strict=False, parse_int=_whole_number, parse_constant=lambda _name: None)


def parse_json(text: str) -> Any:
    """Parse JSON, None where it is none. Deeply nested garbage counts as none, too.

    Each character in it that cannot be kept is replaced by `text.MARK`; NaN and the infinities are None.
    """
    try:
        return _kept(text, _DECODER.decode(text))
    except (ValueError, RecursionError):
        return None


def parse_head(text: str) -> Any:
    """Parse the beginning of a JSON text that was cut off or is damaged, as far as it can be read; None for nothing.

    A text in which it breaks off is there, and ends in `text.MARK`; a number in which it breaks off is None.
    """
    return _kept(text, _value(text, len(text) - len(text.lstrip()), _DEPTH)[0])


@dataclass(frozen=True)
class Embedded:
    """An object that stands in a text.

    Attributes:
        value: of the object.
        start: where it begins.
        end: where it ends; about, if it is not plain JSON.
    """

    value: dict[str, Any]
    start: int
    end: int


_MOST_OBJECTS = 8  # that are tried in one text
_OBJECT = re.compile(r"""\{(?:\s|\\{1,4}[nrt]){0,19}(?P<slashes>\\{0,15})(?P<quote>["'])""")
_PYTHON = re.compile(r"""'(?P<text>(?:[^'\\]|\\.)*)'|"(?:[^"\\]|\\.)*"|\b(?P<name>None|True|False)\b""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MOST_ESCAPES = 4  # a text in a text in a text
_NAMES = {"None": "null", "True": "true", "False": "false"}


def find_objects(text: str) -> Iterator[Embedded]:
    """Yield the objects of the beginning of a text, outermost ones only: a server passes on the body of another one.

    They are read as JSON, as JSON in the escapes of a text, and as Python writes them; also where they break off.
    """
    text, done = text[:LOOKED_AT], 0
    for _ in range(_MOST_OBJECTS):
        found = _OBJECT.search(text, done)
        if found is None:
            return
        value, end = _object(text, found)
        done = found.start() + 1
        if value:
            yield Embedded(value, found.start(), end)
            done = end


def _object(text: str, found: re.Match[str]) -> tuple[Any, int]:
    if found["quote"] == '"' and not found["slashes"]:
        value, end = _value(text, found.start(), _DEPTH)
        if end is not None:
            return _kept(text, value), end
    rest, value = text[found.start() :], None
    for _ in range(_MOST_ESCAPES):
        plain = _PYTHON.sub(_as_json, rest) if found["quote"] == "'" else rest
        read, end = _value(plain, 0, _DEPTH)
        value = _kept(plain, read) or value
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


def _value(text: str, at: int, depth: int) -> tuple[Any, int | None]:
    """Return the value that begins at a place, and where it ends; None for an end that is not there."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return _cut_value(text, at, depth), None
    is_cut = isinstance(value, (int, float)) and _MORE_OF_A_NUMBER.match(text, end)
    return (None, None) if is_cut else (value, end)


def _cut_value(text: str, at: int, depth: int) -> Any:
    kind = text[at : at + 1]
    if kind == '"':
        return _cut_text(text[at : at + _LONGEST_CUT_TEXT])
    if kind == "{" and depth:
        return _cut_object(text, at + 1, depth - 1)
    return _cut_list(text, at + 1, depth - 1) if kind == "[" and depth else None


def _cut_object(text: str, at: int | None, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(_MOST_PARTS):  # the same name may come again and again
        begin = None if at is None else _KEY.match(text, at)
        if begin is None:
            break
        name, at = _value(text, begin.end() - 1, 0)
        colon = None if at is None else _COLON.match(text, at)
        if colon is None:
            break
        found[name], at = _value(text, colon.end(), depth)
    return found


def _cut_list(text: str, at: int | None, depth: int) -> list[Any]:
    found: list[Any] = []
    while at is not None and len(found) < _MOST_PARTS and (begin := _ITEM.match(text, at)):
        value, at = _value(text, begin.end(), depth)
        found.append(value)
    return found


def _cut_text(text: str) -> str:
    for end in range(len(text), len(text) - _LONGEST_ESCAPE, -1):
        try:
            whole: str = _DECODER.decode(text[:end] + '"')
        except ValueError:  # it breaks off within an escape
            continue
        return whole + MARK
    return MARK


def _kept(text: str, value: Any) -> Any:
    # only escapes can bring such characters into what was decoded from bytes
    if "\\u" not in text:
        return value
    whole = [value]
    todo: list[Any] = [whole]
    while todo:  # no recursion: what the parser has just managed to read may be too deep for it
        part = todo.pop()
        places = enumerate(part) if isinstance(part, list) else [(key, part.pop(key)) for key in list(part)]
        for place, item in places:
            part[make_storable(place) if isinstance(place, str) else place] = (
                make_storable(item) if isinstance(item, str) else item
            )
            if isinstance(item, (list, dict)):
                todo.append(item)
    return whole[0]
