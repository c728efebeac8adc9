"""Find quotations of an order in the texts of a server: errors quote the prompt, shortened or escaped.

The reason of an error is searched in the rest of the text. A word of the prompt must not end a wait or stop a task.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

_INVISIBLE = "\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_MARKS = "\u0300-\u036f"  # combining characters: one letter is written as two characters
_WIDE = (
    "\u2e80-\u9fff\uf900-\ufaff\uac00-\ud7af\u1100-\u11ff\U00020000-\U0003ffff"  # scripts without blanks between words
)
_ESCAPED = r"\\{1,16}(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2}))"
_SPELLED = rf"{_ESCAPED}|%[0-9a-fA-F]{{2}}|&(?:amp;){{0,4}}(?:#\d{{1,7}}|#[xX][0-9a-fA-F]{{1,6}}|[a-zA-Z]\w{{1,30}});"
# the n of an escaped line break is not a letter
_UNIT = re.compile(rf"\\{{1,16}}[nrtbfv]|(?P<unit>(?:{_SPELLED}|[^\W_]|[{_MARKS}{_INVISIBLE}])+)")
_ESCAPE = re.compile(_ESCAPED)
_WORD = re.compile(rf"[{_WIDE}]|[^\W_{_WIDE}]+")
_ROUNDS = 4  # levels of spellings: JSON in JSON, an address in an address
_LONGEST = 20_000  # characters of all texts of an order
_QUOTES = "\"'`‘’“”«»「」『』"
_CUT = ("…", "...", "\\u2026")  # the last is JSON's spelling of the first

_SAID = 6
"""Weight from which a common piece counts as a quotation: three words, or six Chinese characters."""

_SURELY_SAID = 16
"""The same limit where a wrong quotation would cost money."""


@dataclass(frozen=True)
class Word:
    """A word of a text in a form that compares.

    Attributes:
        plain: The word without case, accents and escapes.
        start: Position of its first character in the text.
        end: Position behind its last character in the text.
    """

    plain: str
    start: int
    end: int

    @property
    def weight(self) -> int:
        return 1 if len(self.plain) == 1 and _WIDE_CHARACTER.match(self.plain) else 2


_WIDE_CHARACTER = re.compile(f"[{_WIDE}]")


@dataclass(frozen=True)
class OwnWords:
    """The texts of an order: prompt, model, further fields.

    Attributes:
        texts: The texts as they were sent.
    """

    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, *values: Any) -> OwnWords:
        """Collect all texts in JSON values of any depth, and the names of fields that the API does not define."""
        return cls(tuple(dict.fromkeys(text for value in values for text in _texts(value))))

    def remove_from(self, text: str, *, surely: bool = False) -> str:
        """Return a text with "…" in place of each quotation.

        Args:
            text: A text of a server.
            surely: Whether to remove only sure quotations: long ones, and whole texts in quotation marks.
        """
        pieces, done = [], 0
        for start, end in self._quotations(text, surely=surely):
            if start >= done:
                pieces += [text[done:start], " … "]
            done = max(done, end)
        return "".join([*pieces, text[done:]])

    def cover(self, text: str) -> bool:
        """Return whether a text of a server consists of quotations only."""
        quoted = [place for start, end in self._quotations(text) for place in range(start, end)]
        return bool(quoted) and {word.start for word in _words(text)} <= set(quoted)

    def _quotations(self, text: str, *, surely: bool = False) -> Iterator[tuple[int, int]]:
        """Yield start and end of the quotations, in order. They may overlap."""
        if not self._said:
            return
        words = list(_words(text))
        enough = _SURELY_SAID if surely else _SAID
        for first in range(len(words)):
            weight = 0
            for last in range(first, len(words)):
                piece = words[first : last + 1]
                plain = " ".join(word.plain for word in piece)
                weight += piece[-1].weight
                # a quotation may begin or end within a word, so parts of words count
                if plain not in self._said:
                    break
                if weight >= enough or self._is_short_quotation(text, piece, plain, surely=surely):
                    yield piece[0].start, piece[-1].end
                if weight >= enough:
                    break

    def _is_short_quotation(self, text: str, piece: list[Word], plain: str, *, surely: bool) -> bool:
        is_whole = plain in self._lines
        if surely or is_whole:
            return is_whole and (not surely or _is_marked(text, piece))
        return _is_marked(text, piece) and (len(piece) > 1 or any(line.startswith(plain) for line in self._lines))

    @cached_property
    def _lines(self) -> frozenset[str]:
        """All texts of the order in a form that compares."""
        lines: set[str] = set()
        left = _LONGEST
        for text in self.texts:
            lines.add(" ".join(word.plain for word in _words(text[:left])))
            left -= len(text[:left])
        return frozenset(line for line in lines if line and not line.replace(" ", "").isdigit())

    @cached_property
    def _said(self) -> str:
        return "\n".join(self._lines)


NO_TEXTS = OwnWords()
"""For answers whose order is not known."""


_FIELDS = {"prompt", "model", "seconds", "size", "input_reference", "n", "stream"} | {
    "messages", "role", "content", "type", "text", "image_url", "url",
}  # fmt: skip


def _texts(value: Any, depth: int = 6) -> Iterator[str]:
    if isinstance(value, str):
        if not value.startswith("data:"):  # a picture in the order
            yield value
    elif isinstance(value, Mapping) and depth:
        yield from (name for name in value if isinstance(name, str) and name not in _FIELDS)
        yield from _texts(list(value.values()), depth)
    elif isinstance(value, (list, tuple)) and depth:
        for part in value:
            yield from _texts(part, depth - 1)


def _words(text: str) -> Iterator[Word]:
    for found in _UNIT.finditer(text):
        if found["unit"]:
            for word in _WORD.findall(_plain(found["unit"])):
                yield Word(word.upper().casefold(), *found.span())


def _plain(unit: str) -> str:
    """Return a word with its spellings resolved, without accents and invisible characters."""
    if unit.isascii() and unit.isalnum():
        return unit
    for _ in range(_ROUNDS):
        again = html.unescape(unquote(_ESCAPE.sub(_character, unit)))
        if again == unit:
            break
        unit = again.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    letters = unicodedata.normalize("NFKD", unit)
    return "".join(letter for letter in letters if not (unicodedata.combining(letter) or _is_invisible(letter)))


def _character(found: re.Match[str]) -> str:
    number = int(found[1] or found[2] or found[3], 16)
    return chr(number) if number <= 0x10FFFF else " "


def _is_invisible(letter: str) -> bool:
    return unicodedata.category(letter) == "Cf"


def _is_marked(text: str, piece: list[Word]) -> bool:
    """Return whether a piece of a text is marked as a quotation: by marks on both sides, or by three dots behind it."""
    start, end = piece[0].start, piece[-1].end
    if text.startswith(_CUT, end):
        return True
    before = text[max(0, start - 9) : start].rstrip("\\ ")[-1:]
    after = text[end : end + 9].lstrip("\\ .!?,;")[:1]
    return bool(before and after) and before in _QUOTES and after in _QUOTES


_NAMED = re.compile(r"(prompt|input|提示词)\W{0,12}$", re.IGNORECASE)
_BYTES = re.compile(r"""(?:^|\W)b["']$""")  # as Python prints the body of an answer


def is_quoted(text: str, start: int) -> bool:
    """Return whether an object in a text is quoted or is called a prompt. Then it may come from the order."""
    before = text[max(0, start - 40) : start].rstrip()
    return bool(_NAMED.search(before)) or (before[-1:] in tuple(_QUOTES) and not _BYTES.search(before))
