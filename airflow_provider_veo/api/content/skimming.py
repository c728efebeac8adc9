"""Skim a JSON answer as it arrives: its long texts are cut, and a video in it is found.

An answer may repeat the frames of its order before it names the video. So its beginning may have many megabytes, of
which only the names and the short texts are needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from airflow_provider_veo.api.content import embedded
from airflow_provider_veo.api.net.urls import LONGEST_URL

LONGEST_TEXT = 2 * LONGEST_URL
"""Bytes that are kept of a text."""

_REST_OF_TEXT = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_CUT_ESCAPE = re.compile(rb"\\+[^\\]{0,5}\Z", re.DOTALL)  # such as "\u00"


class Skim:
    """The beginning of a JSON answer, whose long texts are cut.

    Args:
        chunks: Body of the answer.
        most_kept: Bytes that are kept at most.
        most_read: Bytes that are read at most, up to the end of the chunk that exceeds them.

    Attributes:
        is_cut: Whether the answer is longer than that.
    """

    def __init__(self, chunks: Iterator[bytes], *, most_kept: int, most_read: int) -> None:
        self._chunks = chunks
        self._most_kept = most_kept
        self._most_read = most_read
        self._read = 0
        self._kept = bytearray()
        self._text_at: int | None = None  # where the text begins that is being read, behind its quote
        self._is_known = False  # whether that text is known not to be the video
        self.is_cut = False

    def __bytes__(self) -> bytes:
        """Return the kept bytes."""
        return bytes(self._kept[: self._most_kept])

    def find_video(self, is_content: Callable[[bytes], bool]) -> Iterator[bytes] | None:
        """Read until the video begins, and return the body from its base64 text on; None without a video.

        Args:
            is_content: Returns whether a video counts. It is called with the kept bytes, which end in that video.
        """
        for piece in _split(self._count(self._chunks)):
            size = self._keep(piece)
            if piece.is_last or size < len(piece.content):
                start = self._find_start(is_content)
                if start is not None:
                    return chain((bytes(self._kept[start:]), piece.block[piece.start + size :]), self._chunks)
            if piece.is_last:
                self._pass_quote()
            if self._read > self._most_read or len(self._kept) > self._most_kept:
                self.is_cut = True
                return None
        start = self._find_start(is_content)  # in a text that breaks off, which its reader reports
        return None if start is None else iter((bytes(self._kept[start:]),))

    def _count(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._read += len(chunk)
            yield chunk

    def _keep(self, piece: _Piece) -> int:
        """Keep as much of a piece as there is room for, and return the number of its bytes that are kept."""
        room = len(piece.content)
        if self._text_at is not None:
            room = min(room, LONGEST_TEXT - (len(self._kept) - self._text_at))
        self._kept += piece.content[:room]
        return room

    def _find_start(self, is_content: Callable[[bytes], bool]) -> int | None:
        """Return the position of the base64 text in the kept bytes if the text that is being read is the video."""
        if self._text_at is None or self._is_known:
            return None
        self._is_known = True
        start = embedded.find_start(b'"' + self._kept[self._text_at :])
        return None if start is None or not is_content(bytes(self._kept)) else self._text_at + start - 1

    def _pass_quote(self) -> None:
        if self._text_at is None:
            self._kept += b'"'
            self._text_at, self._is_known = len(self._kept), False
            return
        if len(self._kept) - self._text_at >= LONGEST_TEXT and (escape := _CUT_ESCAPE.search(self._kept)):
            del self._kept[escape.start() :]
        self._kept += b'"'
        self._text_at = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of a body: of a text, or from the end of a text to the beginning of the next one.

    Attributes:
        block: Bytes of the body with the piece in them.
        start: Position at which the piece begins.
        end: Position behind it.
        in_text: Whether it is of a text.
        is_last: Whether a quote follows.
    """

    block: bytes
    start: int
    end: int
    in_text: bool
    is_last: bool

    @property
    def content(self) -> bytes:
        return self.block[self.start : self.end]


def _split(chunks: Iterator[bytes]) -> Iterator[_Piece]:
    in_text, rest = False, b""
    for chunk in chunks:
        block, at = rest + chunk, 0
        while at < len(block):
            end = _find_end(block, at, in_text=in_text)
            is_last = block[end : end + 1] == b'"'
            if end == at and not is_last:  # an escape that the next chunk completes
                break
            yield _Piece(block, at, end, in_text, is_last)
            in_text, at = in_text != is_last, end + is_last
        rest = block[at:]


def _find_end(block: bytes, at: int, *, in_text: bool) -> int:
    if in_text and (found := _REST_OF_TEXT.match(block, at)):
        return found.end()
    quote = block.find(b'"', at)
    return len(block) if quote < 0 else quote
