"""Videos by chat completion, as the seed gateway offers them: its stream, as its documentation prints it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.dialects.base import Dialect
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, RefusedError
from airflow_provider_veo.emulator.pictures import picture_at

_MOST_VIDEOS = 4

CHAT_PROGRESS = (9.0, 18.0, 27.0, 36.0, 45.9, 54.9, 63.9, 72.9, 83.7, 90.2)
"""The percentages that the documentation's printed stream shows."""


@dataclass(frozen=True)
class ChatOrder:
    """A request for chat completions.

    Attributes:
        count: how many videos.
        stream: whether to answer with a stream of chunks.
    """

    accepted: AcceptedOrder
    count: int
    stream: bool


def read_chat_order(body: Mapping[str, Any], dialect: Dialect) -> ChatOrder:
    """Read the body of a request.

    Raises:
        RefusedError: the gateway does not take it.
    """
    prompt, addresses = _last_message(body.get("messages"))
    try:
        pictures = tuple(picture_at(address) for address in addresses)
    except ValueError as error:
        raise RefusedError(dialect.bad_picture(error)) from None
    accepted = dialect.accept(OrderRequest({"prompt": prompt, "model": body.get("model")}, pictures))
    count = body.get("n", 1)
    if not isinstance(count, int) or not 1 <= count <= _MOST_VIDEOS:
        dialect.refuse(400, f"n must be between 1 and {_MOST_VIDEOS}", "invalid_request")
    return ChatOrder(accepted, count, body.get("stream") is True)


def _last_message(messages: Any) -> tuple[str, list[str]]:
    """Return the last message's text, and the addresses of its pictures."""
    message = messages[-1] if isinstance(messages, list) and messages else None
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content, []
    texts, addresses = [], []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and part.get("type") == "text":
            texts.append(str(part.get("text", "")))
        if isinstance(part, dict) and isinstance(image := part.get("image_url"), dict):
            addresses.append(str(image.get("url", "")))
    return "\n".join(texts), addresses


class ChatStream:
    """The texts and chunks of one streamed chat completion.

    Args:
        prompt: of the user.
        model: of the card.
        created_at: seconds since the epoch.
        chat_id: by default a fresh one.
    """

    def __init__(self, prompt: str, model: VideoModel, created_at: int, chat_id: str | None = None) -> None:
        self.prompt = prompt
        self.model = model
        self.created_at = created_at
        self.chat_id = chat_id or f"foaicmpl-{uuid.uuid4()}"

    def opening(self) -> str:
        """Return the echo of what was understood."""
        mode = "横屏模式" if self.model.width > self.model.height else "竖屏模式"
        echo = json.dumps({"prompt": self.prompt, "mode": mode}, ensure_ascii=False, indent=4)
        return f"```json\n{echo}\n```\n\n"

    @staticmethod
    def waiting() -> str:
        """Return the line that asks for patience."""
        return "> ⌛️ 视频正在生成中,请耐心等待...\n\n"

    @staticmethod
    def progress(percent: float) -> str:
        """Return a line of progress."""
        return f"> 🏃 进度:{percent:.1f}%\n\n"

    @staticmethod
    def finished(index: int, url: str) -> str:
        """Return the line for a finished video, counted from 1."""
        return f"> ✅ 第{index}个视频生成成功,[点击这里]({url}) 查看视频~~~\n\n"

    def role(self) -> bytes:
        """Return the first chunk."""
        return self._event({"role": "assistant"})

    def chunk(self, text: str) -> bytes:
        """Return a chunk of text."""
        return self._event({"content": text})

    def end(self, texts: Sequence[str]) -> Iterator[bytes]:
        """Yield the last chunk, with the usage, and the end marker."""
        prompt_tokens = 2 * len(self.prompt)
        completion_tokens = sum(len(text) for text in texts) // 2
        usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        }
        yield self._event({}, "stop", {"usage": usage})
        yield b"data: [DONE]\n\n"

    def completion(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return the whole as one answer, for clients that did not ask for a stream."""
        message = {"role": "assistant", "content": "".join(texts)}
        return self._body("chat.completion") | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    def _body(self, kind: str) -> dict[str, Any]:
        return {"id": self.chat_id, "object": kind, "created": self.created_at, "model": self.model.id}

    def _event(self, delta: dict[str, str], finish: str | None = None, more: dict[str, Any] | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        body = self._body("chat.completion.chunk") | {"choices": [choice]} | (more or {})
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        # the gateway is written in Go, whose JSON escapes what could end a script element
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        return f"data: {text}\n\n".encode()
