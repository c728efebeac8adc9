"""Texts that come in pieces and may never end: read in linear time, with bounded memory."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import NamedTuple


class Head:
    """A text that comes in pieces. Of one that is longer than a limit, the head is kept.

    Args:
        limit: in characters.

    Attributes:
        is_cut: something is missing.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self._text, self._room, self.is_cut = io.StringIO(), self._limit, False

    def has_room(self, characters: int) -> bool:
        """Whether so many more would be kept."""
        return characters <= self._room

    def add(self, piece: str, *, is_cut: bool = False) -> None:
        """Take the next piece in; `is_cut` says that something is missing of it already."""
        self.is_cut = self.is_cut or is_cut or not self.has_room(len(piece))
        self._room -= self._text.write(piece[: self._room])

    def take(self) -> str:
        """Return the text, and begin another one."""
        text = self._text.getvalue()
        self._begin()
        return text


class Line(NamedTuple):
    """A line, without its end.

    Attributes:
        text: of the line, or its head.
        is_cut: the line was longer.
    """

    text: str
    is_cut: bool


class Lines:
    """Cuts a text that comes in pieces into lines.

    Args:
        ends: what ends a line.
        limit: characters of a line.
    """

    def __init__(self, ends: re.Pattern[str], limit: int) -> None:
        self._ends = ends
        self._head = Head(limit)

    def feed(self, text: str) -> Iterator[Line]:
        """Yield the lines that are complete now."""
        start = 0
        for end in self._ends.finditer(text):
            self._head.add(text[start : end.start()])
            yield self.rest()
            start = end.end()
        self._head.add(text[start:])

    def rest(self) -> Line:
        """Return what has come of a line that is not complete, and begin another one."""
        return Line(is_cut=self._head.is_cut, text=self._head.take())
