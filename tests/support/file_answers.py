"""Replies that send one file, may break off, and may continue where they broke off."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.support.scripted_server import Reply, SeenRequest


class FileAnswers:
    """Replies for a `ScriptedServer`, each with the file up to a cut.

    Args:
        content: Content of the file.
        cuts: Positions in the file, in bytes. Each reply breaks off at the next of them; later replies are complete.
        ranges: Whether a reply begins where the client asks, unless the client's `If-Range` names another file.

    Attributes:
        sent: Bytes that were sent so far.
    """

    etag = '"1"'

    def __init__(self, content: bytes, cuts: Iterable[int] = (), *, ranges: bool = True) -> None:
        self.content = content
        self._cuts = iter(cuts)
        self._ranges = ranges
        self.sent = 0

    def __call__(self, request: SeenRequest) -> Reply:
        headers = {"ETag": self.etag, "Content-Type": "video/mp4"}
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        is_same = request.headers.get("if-range", self.etag) == self.etag
        start = int(asked[1]) if asked and self._ranges and is_same else 0
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        cut = next(self._cuts, None)
        end = len(self.content) if cut is None else max(cut, start)
        self.sent += end - start
        return Reply(206 if start else 200, self.content[start:], headers, None if cut is None else end - start)
