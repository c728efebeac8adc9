"""Cut the text of one choice of a chat stream into lines and fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_provider_veo.api.answers.pieces import Head, Line, Lines
from airflow_provider_veo.api.chat.limits import BLOCK_LIMIT, LINE_LIMIT

_FENCE = "```"
_LINE_END = re.compile("\n")


class ChoiceText:
    """The text of a choice, which comes in pieces.

    Complete lines are yielded, and each fenced block as one text that begins with a line end.

    Attributes:
        too_long: Number of lines that were longer than `LINE_LIMIT`.
    """

    def __init__(self) -> None:
        self._lines = Lines(_LINE_END, LINE_LIMIT)
        self._block: Head | None = None
        self.too_long = 0

    def add(self, text: str) -> Iterator[str]:
        """Add a piece, and yield the lines and blocks that are complete now."""
        for line in self._lines.feed(text):
            yield from self._take(line)

    def end(self) -> Iterator[str]:
        """Yield the rest of the text."""
        rest = self._lines.rest()
        if rest.text:
            yield from self._take(rest)
        if self._block:
            yield self._block.take()
            self._block = None

    def _take(self, line: Line) -> Iterator[str]:
        self.too_long += line.is_cut
        is_fence = line.text.strip().startswith(_FENCE) and line.text.count(_FENCE) == 1
        if not self._block:
            if is_fence:
                self._block = Head(BLOCK_LIMIT)
            else:
                yield line.text
            return
        if is_fence or not self._block.has_room(len(line.text) + 1):
            yield self._block.take()
        if is_fence:
            self._block = None
        else:
            self._block.add("\n" + line.text)
