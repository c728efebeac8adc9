"""Collect texts that arrive in pieces and may never end, in linear time and with bounded memory."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import NamedTuple


class Head:
    """The beginning of a text that arrives in pieces.

    Args:
        limit: Number of characters that are kept.

    Attributes:
        is_cut: Whether a part of the text is missing.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self._text, self._room, self.is_cut = io.StringIO(), self._limit, False

    def has_room(self, characters: int) -> bool:
        """Return whether that many more characters would be kept."""
        return characters <= self._room

    def add(self, piece: str, *, is_cut: bool = False) -> None:
        """Add the next piece. `is_cut` says whether a part of this piece is missing."""
        self.is_cut = self.is_cut or is_cut or not self.has_room(len(piece))
        self._room -= self._text.write(piece[: self._room])

    def take(self) -> str:
        """Return the collected text, and begin a new one."""
        text = self._text.getvalue()
        self._begin()
        return text


class Line(NamedTuple):
    """A line without its end.

    Attributes:
        text: Text of the line, or its beginning.
        is_cut: Whether the line was longer.
    """

    text: str
    is_cut: bool


class Lines:
    """Cuts a text that arrives in pieces into lines.

    Args:
        ends: Pattern of the end of a line.
        limit: Number of characters that are kept of a line.
    """

    def __init__(self, ends: re.Pattern[str], limit: int) -> None:
        self._ends = ends
        self._head = Head(limit)

    def feed(self, text: str) -> Iterator[Line]:
        """Add the next piece, and yield the lines that are complete now."""
        start = 0
        for end in self._ends.finditer(text):
            self._head.add(text[start : end.start()])
            yield self.rest()
            start = end.end()
        self._head.add(text[start:])

    def rest(self) -> Line:
        """Return the incomplete line, and begin a new one."""
        return Line(is_cut=self._head.is_cut, text=self._head.take())
