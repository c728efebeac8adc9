"""Server-sent events, decoded as their bytes arrive (WHATWG HTML standard, section 9.2)."""

from __future__ import annotations

import codecs
import re

from airflow_provider_veo.api.errors import ContentError

EVENT_LIMIT = 16 * 1024 * 1024
"""Characters of one event. More is no event, and would only fill the memory."""

_LINE_END = re.compile(r"\r\n|\r|\n")  # str.splitlines() would also split at characters that JSON leaves as they are
_OTHER_FIELDS = ("event", "id", "retry")


class EventDecoder:
    """Turns bytes, cut anywhere, into the data of events.

    Attributes:
        strays: lines that belong to no event: the body of a server that sends no events at all.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._line = ""
        self._after_return = False
        self._data: list[str] = []
        self._size = 0
        self.strays: list[str] = []

    def feed(self, chunk: bytes, *, final: bool = False) -> list[str]:
        """Return the data of the events that are complete now.

        Args:
            chunk: the next bytes.
            final: nothing follows. An event without its closing blank line counts, too: it may name a video.

        Raises:
            ContentError: an event exceeds `EVENT_LIMIT`.
        """
        text = self._decoder.decode(chunk, final)
        if self._after_return and text:  # the line ended with the "\r" of a "\r\n" that was cut in two
            text = text.removeprefix("\n")
            self._after_return = False
        self._after_return = self._after_return or text.endswith("\r")
        first, *others = _LINE_END.split(text)
        lines = [self._line + first, *others]
        self._line = lines.pop()
        self._count(len(text))
        events = [event for line in lines if (event := self._take(line)) is not None]
        if final:
            rest = (self._take(self._line), self._take(""))
            events += [event for event in rest if event is not None]
        return events

    def _take(self, line: str) -> str | None:
        """Take a line in; return the data of the event that it ends."""
        if not line:
            event = "\n".join(self._data) if self._data else None
            self._data = []
            self._size = sum(map(len, self.strays))
            return event
        field, _, value = line.partition(":")
        if field == "data":
            self._data.append(value.removeprefix(" "))
        elif field and field not in _OTHER_FIELDS:  # a line that begins with ":" is a comment
            self.strays.append(line)
        return None

    def _count(self, characters: int) -> None:
        self._size += characters
        if self._size > EVENT_LIMIT:
            raise ContentError(f"The server's stream has an event of more than {EVENT_LIMIT // 2**20} MB.")
