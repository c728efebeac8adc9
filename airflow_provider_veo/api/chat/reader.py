"""The streaming chat call: what the server writes for people becomes typed events.

The seed gateway answers with Markdown in Chinese, in the deltas of a `chat.completion.chunk` stream: an echo of the
prompt, progress, and a link for each finished video (printed on its documentation page). Others write English, send
the whole answer at once, or report a failure in a text under HTTP 200.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_veo.api.answers.answer import ErrorDetail, read_error
from airflow_provider_veo.api.answers.json_text import parse_json
from airflow_provider_veo.api.answers.own_words import NOTHING_SAID, OwnWords
from airflow_provider_veo.api.answers.text import MESSAGE_LIMIT, for_people
from airflow_provider_veo.api.backends.openai.videos import find_url
from airflow_provider_veo.api.chat.events import (
    ChatEvent,
    Echo,
    End,
    Failure,
    LeftOut,
    Note,
    Progress,
    Usage,
    Waiting,
)
from airflow_provider_veo.api.chat.limits import ECHO_LIMIT, EVENT_LIMIT, LINE_LIMIT, MOST_PAGES, WORD_LIMIT
from airflow_provider_veo.api.chat.pages import Page
from airflow_provider_veo.api.chat.sse import EventDecoder
from airflow_provider_veo.api.chat.videos import Videos, urls_in
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.reasons import find_reason

# each repetition has a bound: a text of blanks or digits would take time that grows with the square of its length
_INDEX = re.compile(
    r"第\s{0,9}(\d{1,3})\s{0,9}个|(?:video|clip)\s{0,9}#?\s{0,9}(\d{1,3})\b",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,20})?)\s{0,9}[%％]")
_SUCCESS = re.compile(r"✅|🎉|成功|完成|\b(success|succeeded|complete|finished|generated|ready|done)", re.IGNORECASE)
_TROUBLE = re.compile(
    r"❌|⚠|失败|错误|违规|拒绝|抱歉|异常|\b(fail|error|reject|refus|denied|blocked|sorry|unable|cannot|can't)",
    re.IGNORECASE,
)
_PATIENCE = re.compile(r"⌛|⏳|等待|排队|正在生成|\b(wait|queue|pending|generating|processing)", re.IGNORECASE)
_MOST_TOKENS = 10**12


class ChatReader:
    """Reads one stream. Bytes go in, cut anywhere; events come out. Nothing that comes can make it fail.

    It takes time that grows with the bytes, and memory that does not: see `chat_limits`.

    Args:
        sent: what was asked (prompt, addresses of frames). An address in it that the server repeats is no video.
        most: how many videos were ordered. What the server sends beyond is counted.
        own: the texts of the order. Repeated by the server, they tell of no failure.
    """

    def __init__(self, *sent: str, most: int, own: OwnWords = NOTHING_SAID) -> None:
        self._own = own
        self._videos = Videos(most, sent)
        self._decoder = EventDecoder()
        self._pages: dict[int, Page] = {}
        self._any_event = False
        self._done = False
        self._finish_reason: str | None = None

    def feed(self, chunk: bytes) -> Iterator[ChatEvent]:
        """Yield the events that are complete now. They are read as they are asked for."""
        for data in self._decoder.feed(chunk):
            yield from self._read(data)

    def end(self) -> Iterator[ChatEvent]:
        """Yield the last events: nothing follows."""
        for data in self._decoder.feed(b"", final=True):
            yield from self._read(data)
        strays = self._decoder.strays.take()
        if strays and not self._any_event:
            yield from self._read_body(strays)
        for page in self._pages.values():
            yield from self._lines(page.end())
        yield from self._videos.left_out()
        yield from self._too_long()
        yield End(self._done, self._finish_reason)

    def _too_long(self) -> Iterator[LeftOut]:
        lines = sum(page.too_long for page in self._pages.values())
        if self._decoder.too_long:
            yield LeftOut(f"events of more than {EVENT_LIMIT} characters", self._decoder.too_long)
        if lines:
            yield LeftOut(f"ends of lines that have more than {LINE_LIMIT} characters", lines)

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
        else:
            yield self._failure(read_error(text, own=self._own))

    def _read_object(self, body: dict[str, Any]) -> Iterator[ChatEvent]:
        choices = body.get("choices")
        if body.get("error") or (not isinstance(choices, list) and (body.get("code") or body.get("message"))):
            yield self._failure(read_error(body, own=self._own))
        elif not isinstance(choices, list):
            yield from self._videos.take(find_url(body, ""))
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                yield from self._read_choice(choice)
        usage = body.get("usage")
        if isinstance(usage, dict):
            yield Usage(*map(_tokens, map(usage.get, ("prompt_tokens", "completion_tokens", "total_tokens"))))

    def _read_choice(self, choice: dict[str, Any]) -> Iterator[ChatEvent]:
        index = choice.get("index")
        key = index if isinstance(index, int) else 0
        is_kept = key in self._pages or len(self._pages) < MOST_PAGES
        page = self._pages.setdefault(key, Page()) if is_kept else Page()
        for place in ("delta", "message"):
            part = choice.get(place)
            for name in ("reasoning_content", "content"):
                for text in _texts(part.get(name) if isinstance(part, dict) else None):
                    yield from self._lines(page.add(text))
        finish = word if isinstance(word := choice.get("finish_reason"), str) else ""
        if finish or not is_kept:
            yield from self._lines(page.end())
        if finish:
            self._done, self._finish_reason = True, for_people(finish, WORD_LIMIT)
            if finish == "content_filter":
                yield Failure("finish_reason content_filter", Reason.MODERATION)

    def _lines(self, lines: Iterable[str]) -> Iterator[ChatEvent]:
        for line in lines:
            yield from self._read_block(line) if line.startswith("\n") else self._read_line(line)

    def _read_block(self, block: str) -> Iterator[ChatEvent]:
        """Read a fenced block: the echo of the request, or anything."""
        body = parse_json(block)
        if isinstance(body, dict) and isinstance(body.get("prompt"), str):
            mode = body.get("mode")
            known = for_people(mode, WORD_LIMIT) if isinstance(mode, str) else None
            yield Echo(for_people(body["prompt"], ECHO_LIMIT), known)
        elif isinstance(body, dict):
            yield from self._videos.take(find_url(body, ""))
        else:
            for line in block.split("\n"):
                yield from self._read_line(line)

    def _read_line(self, line: str) -> Iterator[ChatEvent]:
        text = line[:LINE_LIMIT].strip().lstrip("> ").strip()
        if not text:
            return
        is_trouble = _TROUBLE.search(text) is not None and _TROUBLE.search(self._own.without(text)) is not None
        is_success = _SUCCESS.search(text) is not None and not is_trouble
        videos = [url for url in urls_in(text) if self._videos.can_be(url, is_success=is_success)]
        percent = _PERCENT.search(text)
        if videos:
            index = _INDEX.search(text)
            for url in videos:
                yield from self._videos.take(url, int(index[1] or index[2]) if index else None)
        elif is_trouble:
            yield self._failure(ErrorDetail(text))
        elif percent:
            yield Progress(min(100.0, float(percent[1])))
        elif _PATIENCE.search(text):
            yield Waiting()
        else:
            yield Note(for_people(text, MESSAGE_LIMIT))

    def _failure(self, detail: ErrorDetail) -> Failure:
        return Failure(for_people(str(detail), MESSAGE_LIMIT), find_reason(detail, detail.http_status, self._own))


def _tokens(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else 0


def _texts(content: Any) -> Iterator[str]:
    """Yield the texts of a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]
        elif isinstance(part, dict) and (url := find_url(part.get("video_url") or part, "")):
            yield f"\n✅ {url}\n"
