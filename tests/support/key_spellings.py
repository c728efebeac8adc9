"""The spellings in which a server can repeat a key, and the search for all of them in files and tables."""

from __future__ import annotations

import html
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

_FRAGMENT = 12  # letters: a part of a key that long counts as the key


def _dumped(text: str) -> str:
    return json.dumps(text)[1:-1]


def _as_letters(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


def _with_signs_as_letters(text: str) -> str:
    return re.sub(r"[^\w-]", lambda sign: f"\\u{ord(sign[0]):04X}", text)


IN_JSON: dict[str, Callable[[str], str]] = {
    "as Python writes it": _dumped,
    "as PHP writes it": lambda key: _dumped(key).replace("/", "\\/"),
    "as .NET writes it": _with_signs_as_letters,
    "with all letters escaped": _as_letters,
}
"""Spellings inside a JSON string: a parser finds the key in each of them."""

IN_TEXT: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent-encoded": lambda key: quote(key, safe=""),
    "percent-encoded in lower case": lambda key: re.sub("%..", lambda code: code[0].lower(), quote(key, safe="")),
    "as a form's field": quote_plus,
    "in HTML": html.escape,
    "in HTML, by numbers": lambda key: re.sub(r"[^\w-]", lambda sign: f"&#{ord(sign[0])};", key),
    "in HTML, by hexadecimal numbers": lambda key: re.sub(r"[^\w-]", lambda sign: f"&#x{ord(sign[0]):X};", key),
    "in JSON in a text": _dumped,
}
"""Spellings in any text."""


def spellings(key: str) -> dict[str, str]:
    """Return all spellings of a key, by name."""
    return {name: spell(key) for name, spell in (IN_TEXT | IN_JSON).items()}


def is_in(key: str, text: str) -> bool:
    """Return whether a text holds a key, or its beginning or end, in any spelling, also one inside another."""
    fragments = key[:_FRAGMENT], key[-_FRAGMENT:]
    return any(fragment in view for view in _views(text) for fragment in fragments)


_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([/\"'\\]))")


def _views(text: str, depth: int = 4) -> Iterator[str]:
    """Yield a text, then the text with its escapes resolved, then the same once more, as long as something changes."""
    for _ in range(depth):
        yield text
        read = html.unescape(unquote(_ESCAPE.sub(_escaped, text)))
        if read == text:
            return
        text = read


def _escaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else match[3]


def files_with(key: str, *folders: Path) -> list[str]:
    """Return the files below some folders that hold a key, with a line of each."""
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return [found for path in files if (found := _first(key, path.name, path.read_text(errors="replace").splitlines()))]


def rows_with(key: str, tables: Mapping[str, list[tuple[Any, ...]]]) -> list[str]:
    """Return the tables that hold a key, with a row of each."""
    texts = {name: ("; ".join(map(_text, row)) for row in rows) for name, rows in tables.items()}
    return [found for name, rows in texts.items() if (found := _first(key, name, rows))]


def _first(key: str, name: str, texts: Any) -> str | None:
    return next((f"{name}: {text[:2000]}" for text in texts if is_in(key, text)), None)


def _text(value: Any) -> str:
    if not isinstance(value, bytes | memoryview):
        return str(value)
    try:
        return zlib.decompress(bytes(value)).decode(errors="replace")
    except zlib.error:
        return bytes(value).decode(errors="replace")
