"""Server-sent events, decoded as their bytes arrive (WHATWG HTML standard, section 9.2)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from airflow_provider_veo.api.answers.pieces import Head, Line, Lines
from airflow_provider_veo.api.chat.limits import EVENT_LIMIT

_LINE_END = re.compile(r"\r\n|\r|\n")  # str.splitlines() would also split at characters that JSON leaves as they are
_OTHER_FIELDS = ("event", "id", "retry")


class EventDecoder:
    """Turns bytes, cut anywhere, into the data of events.

    Attributes:
        strays: lines that belong to no event: the body of a server that sends no events at all.
        too_long: how many events were left out, since they exceed `EVENT_LIMIT`.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._after_return = False
        self._lines = Lines(_LINE_END, EVENT_LIMIT)
        self._data = Head(EVENT_LIMIT)
        self.strays = Head(EVENT_LIMIT)
        self.too_long = 0

    def feed(self, chunk: bytes, *, final: bool = False) -> Iterator[str]:
        """Yield the data of the events that are complete now.

        Args:
            chunk: the next bytes.
            final: nothing follows. An event without its closing blank line counts, too: it may name a video.
        """
        text = self._decoder.decode(chunk, final)
        if self._after_return and text:  # the line ended with the "\r" of a "\r\n" that was cut in two
            text = text.removeprefix("\n")
            self._after_return = False
        self._after_return = self._after_return or text.endswith("\r")
        for line in self._lines.feed(text):
            yield from self._take(line)
        if final:
            yield from self._take(self._lines.rest())
            yield from self._event()

    def _take(self, line: Line) -> Iterator[str]:
        """Take a line in, and yield the data of the event that it ends."""
        if not line.text:
            yield from self._event()
            return
        field, _, value = line.text.partition(":")
        if field == "data":
            self._data.add("\n" + value.removeprefix(" "), is_cut=line.is_cut)
        elif field and field not in _OTHER_FIELDS:  # a line that begins with ":" is a comment
            self.strays.add(line.text + "\n")

    def _event(self) -> Iterator[str]:
        is_cut, data = self._data.is_cut, self._data.take()
        if is_cut:
            self.too_long += 1
        elif data:
            yield data[1:]
