"""Decode server-sent events as their bytes arrive (WHATWG HTML standard, section 9.2).

The package `httpx-sse` (0.4.3) is not used: its decoders keep all bytes of a line or an event that never ends (64 MiB
sent, 64 MiB kept), and drop the lines outside of events, in which a server without events reports its error.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from airflow_provider_veo.api.answers.pieces import Head, Line, Lines
from airflow_provider_veo.api.chat.limits import EVENT_LIMIT

_LINE_END = re.compile(r"\r\n|\r|\n")  # str.splitlines() would also split at characters that JSON does not escape
_OTHER_FIELDS = ("event", "id", "retry")


class EventDecoder:
    """A decoder that takes bytes, cut at any place, and yields the data of events.

    Attributes:
        strays: Lines that belong to no event: the body of a server that sends no events at all.
        too_long: Number of events that were dropped because they exceed `EVENT_LIMIT`.
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
            chunk: The next bytes of the stream.
            final: Whether these are the last bytes. Then an event without its closing blank line counts, too, since
                it may name a video.
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
            yield from self._end_event()

    def _take(self, line: Line) -> Iterator[str]:
        """Add a line to the event, and yield the event's data if the line ends it."""
        if not line.text:
            yield from self._end_event()
            return
        field, _, value = line.text.partition(":")
        if field == "data":
            self._data.add("\n" + value.removeprefix(" "), is_cut=line.is_cut)
        elif field and field not in _OTHER_FIELDS:  # a line that begins with ":" is a comment
            self.strays.add(line.text + "\n")

    def _end_event(self) -> Iterator[str]:
        is_cut, data = self._data.is_cut, self._data.take()
        if is_cut:
            self.too_long += 1
        elif data:
            yield data[1:]
