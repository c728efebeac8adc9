"""The streaming chat call: what the server writes for people becomes typed events.

The seed gateway answers with Markdown in Chinese, in the deltas of a `chat.completion.chunk` stream: an echo of the
prompt, progress, and a link for each finished video (printed on its documentation page). Others write English, send
the whole answer at once, or report a failure in a text under HTTP 200.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_veo.api.answers import ErrorDetail, read_error
from airflow_provider_veo.api.chat_events import (
    ChatEvent,
    Echo,
    End,
    Failure,
    Note,
    Progress,
    Usage,
    VideoReady,
    Waiting,
)
from airflow_provider_veo.api.errors import Reason, reason_of
from airflow_provider_veo.api.json_text import parse_json
from airflow_provider_veo.api.sse import EventDecoder
from airflow_provider_veo.api.text import MESSAGE_LIMIT
from airflow_provider_veo.api.video import find_url

_URL = re.compile(r"https?://(?:[^\s<>\"'`()\[\]{}|\\^（）【】《》“”，。]|\([^\s()]*\))+", re.IGNORECASE)
_AFTER_URL = ".,;:!?*_~、；：！？…"
_VIDEO_FILE = re.compile(r"\.(mp4|m4v|mov|webm|mkv)$", re.IGNORECASE)
_OTHER_FILE = re.compile(r"\.(jpe?g|png|webp|gif|svg|avif|html?|json|txt|pdf|md|css|js)$", re.IGNORECASE)
_INDEX = re.compile(r"第\s*(\d{1,3})\s*个|(?:video|clip)\s*#?\s*(\d{1,3})\b", re.IGNORECASE)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*[%％]")
_SUCCESS = re.compile(r"✅|🎉|成功|完成|\b(success|succeeded|complete|finished|generated|ready|done)", re.IGNORECASE)
_TROUBLE = re.compile(
    r"❌|⚠|失败|错误|违规|拒绝|抱歉|异常|\b(fail|error|reject|refus|denied|blocked|sorry|unable|cannot|can't)",
    re.IGNORECASE,
)
_PATIENCE = re.compile(r"⌛|⏳|等待|排队|正在生成|\b(wait|queue|pending|generating|processing)", re.IGNORECASE)
_FENCE = "```"


class ChatReader:
    """Reads one stream. Bytes go in, cut anywhere; events come out. Nothing that comes can make it fail but size.

    Args:
        sent: what was asked (prompt, addresses of frames). An address in it that the server repeats is no video.
    """

    def __init__(self, *sent: str) -> None:
        self._sent = sent
        self._decoder = EventDecoder()
        self._pages: dict[Any, _Page] = {}
        self._urls: dict[int, str] = {}
        self._any_event = False
        self._done = False
        self._finish_reason: str | None = None

    def feed(self, chunk: bytes) -> list[ChatEvent]:
        """Return the events that are complete now.

        Raises:
            ContentError: a single event fills more than 16 MB.
        """
        return [event for data in self._decoder.feed(chunk) for event in self._read(data)]

    def end(self) -> list[ChatEvent]:
        """Return the last events: nothing follows."""
        events = [event for data in self._decoder.feed(b"", final=True) for event in self._read(data)]
        if not self._any_event and self._decoder.strays:
            events += self._read_body("\n".join(self._decoder.strays))
        for page in self._pages.values():
            events += self._lines(page.end())
        return [*events, End(self._done, self._finish_reason)]

    def _read(self, data: str) -> Iterator[ChatEvent]:
        self._any_event = True
        whole = parse_json(data)
        if isinstance(whole, dict):
            yield from self._read_object(whole)
            return
        # some servers forget the blank line between two events
        for line in data.split("\n"):
            part = parse_json(line)
            if isinstance(part, dict):
                yield from self._read_object(part)
            elif line.strip() == "[DONE]":
                self._done = True
            elif line.strip():
                yield from self._read_line(line)

    def _read_body(self, text: str) -> Iterator[ChatEvent]:
        """Read an answer that is no event stream."""
        body = parse_json(text)
        if isinstance(body, dict):
            yield from self._read_object(body)
            return
        detail = read_error(text)
        yield Failure(str(detail)[:MESSAGE_LIMIT], reason_of(detail))

    def _read_object(self, body: dict[str, Any]) -> Iterator[ChatEvent]:
        choices = body.get("choices")
        if body.get("error") or (not isinstance(choices, list) and (body.get("code") or body.get("message"))):
            yield _failure(read_error(body))
        elif not isinstance(choices, list):
            yield from self._found(find_url(body, ""), None)
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                yield from self._read_choice(choice)
        usage = body.get("usage")
        if isinstance(usage, dict):
            names = ("prompt_tokens", "completion_tokens", "total_tokens")
            yield Usage(*(value if type(value := usage.get(name)) is int else 0 for name in names))

    def _read_choice(self, choice: dict[str, Any]) -> Iterator[ChatEvent]:
        key = choice.get("index")
        page = self._pages.setdefault(key if isinstance(key, int) else 0, _Page())
        for place in ("delta", "message"):
            part = choice.get(place)
            for name in ("reasoning_content", "content"):
                for text in _texts(part.get(name) if isinstance(part, dict) else None):
                    yield from self._lines(page.add(text))
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish:
            yield from self._lines(page.end())
            self._done, self._finish_reason = True, finish
            if finish == "content_filter":
                yield Failure("finish_reason content_filter", Reason.MODERATION)

    def _lines(self, lines: Iterable[str]) -> Iterator[ChatEvent]:
        for line in lines:
            yield from self._read_block(line) if "\n" in line else self._read_line(line)

    def _read_block(self, block: str) -> Iterator[ChatEvent]:
        """Read a fenced block: the echo of the request, or anything."""
        inside = block.split("\n")[1:]
        body = parse_json("\n".join(inside))
        if isinstance(body, dict) and isinstance(body.get("prompt"), str):
            mode = body.get("mode")
            yield Echo(body["prompt"], mode if isinstance(mode, str) else None)
        elif isinstance(body, dict):
            yield from self._found(find_url(body, ""), None)
        else:
            for line in inside:
                yield from self._read_line(line)

    def _read_line(self, line: str) -> Iterator[ChatEvent]:
        text = line.strip().lstrip("> ").strip()
        if not text:
            return
        videos = [url for url in _urls_in(text) if self._is_video(url, text)]
        percent = _PERCENT.search(text)
        if videos:
            index = _INDEX.search(text)
            for url in videos:
                yield from self._found(url, int(index[1] or index[2]) if index else None)
        elif _TROUBLE.search(text):
            yield _failure(ErrorDetail(text))
        elif percent:
            yield Progress(min(100.0, float(percent[1])))
        elif _PATIENCE.search(text):
            yield Waiting()
        else:
            yield Note(text[:MESSAGE_LIMIT])

    def _is_video(self, url: str, line: str) -> bool:
        if any(url in text for text in self._sent):
            return False
        path = re.split(r"[?#]", url, maxsplit=1)[0]
        if _VIDEO_FILE.search(path):
            return True
        return bool(_SUCCESS.search(line)) and not (_OTHER_FILE.search(path) or _TROUBLE.search(line))

    def _found(self, url: str | None, index: int | None) -> Iterator[VideoReady]:
        if not url or url in self._urls.values() or any(url in text for text in self._sent):
            return
        if not index or index in self._urls:  # a server that counts wrongly must not cost a video
            index = max(self._urls, default=0) + 1
        self._urls[index] = url
        yield VideoReady(index, url)


class _Page:
    """The text of one choice, which comes in pieces: complete lines come out, and a fenced block as one of several."""

    def __init__(self) -> None:
        self._rest = ""
        self._block: list[str] = []

    def add(self, text: str) -> Iterator[str]:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            yield from self._take(line)

    def end(self) -> Iterator[str]:
        rest, self._rest = self._rest, ""
        if rest:
            yield from self._take(rest)
        if self._block:
            yield self._closed()

    def _take(self, line: str) -> Iterator[str]:
        fence = line.strip().startswith(_FENCE) and line.count(_FENCE) == 1
        if self._block and not fence:
            self._block.append(line)
        elif self._block:
            yield self._closed()
        elif fence:
            self._block = [_FENCE]
        else:
            yield line

    def _closed(self) -> str:
        block, self._block = "\n".join([*self._block, ""]), []
        return block


def _failure(detail: ErrorDetail) -> Failure:
    return Failure(str(detail)[:MESSAGE_LIMIT], reason_of(detail, detail.http_status))


def _texts(content: Any) -> Iterator[str]:
    """Yield the texts of a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]
        elif isinstance(part, dict) and (url := find_url(part.get("video_url") or part, "")):
            yield f"\n✅ {url}\n"


def _urls_in(text: str) -> list[str]:
    return [url.rstrip(_AFTER_URL) for url in _URL.findall(text)]
