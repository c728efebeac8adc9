"""Videos by chat completion: the stream of the Veo 3.1 gateway, as its documentation prints it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.dialects.base import VideosDialect
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, RefusedError
from airflow_provider_veo.emulator.pictures import read_address

_MOST_VIDEOS = 4

CHAT_PROGRESS = (9.0, 18.0, 27.0, 36.0, 45.9, 54.9, 63.9, 72.9, 83.7, 90.2)
"""The percentages in the stream that the documentation prints."""


@dataclass(frozen=True)
class ChatOrder:
    """A request for chat completions.

    Attributes:
        accepted: The order as the gateway reads it.
        count: Number of videos in the order.
        stream: Whether to answer with a stream of chunks.
    """

    accepted: AcceptedOrder
    count: int
    stream: bool


def read_chat_order(body: Mapping[str, Any], dialect: VideosDialect) -> ChatOrder:
    """Read the body of a chat call.

    Args:
        body: Parsed JSON body of the request.
        dialect: Dialect of the errors.

    Raises:
        RefusedError: The gateway does not take the order.
    """
    prompt, addresses = _read_last_message(body.get("messages"))
    try:
        pictures = tuple(read_address(address) for address in addresses)
    except ValueError as error:
        raise RefusedError(dialect.bad_picture(error)) from None
    accepted = dialect.accept(OrderRequest({"prompt": prompt, "model": body.get("model")}, pictures))
    count = body.get("n", 1)
    if not isinstance(count, int) or not 1 <= count <= _MOST_VIDEOS:
        dialect.refuse(400, f"n must be between 1 and {_MOST_VIDEOS}", "invalid_request")
    return ChatOrder(accepted, count, body.get("stream") is True)


def _read_last_message(messages: Any) -> tuple[str, list[str]]:
    """Return the text of the last message, and the addresses of its pictures."""
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
        prompt: Prompt of the order.
        model: Model of the order.
        created_at: Time of the order, as Unix time in seconds.
        chat_id: ID of the chat completion; by default a new one.
    """

    def __init__(self, prompt: str, model: VideoModel, created_at: int, chat_id: str | None = None) -> None:
        self.prompt = prompt
        self.model = model
        self.created_at = created_at
        self.chat_id = chat_id or f"foaicmpl-{uuid.uuid4()}"

    def opening(self) -> str:
        """Return the text that repeats the order."""
        mode = "横屏模式" if self.model.width > self.model.height else "竖屏模式"
        echo = json.dumps({"prompt": self.prompt, "mode": mode}, ensure_ascii=False, indent=4)
        return f"```json\n{echo}\n```\n\n"

    @staticmethod
    def waiting() -> str:
        """Return the line that asks the user to wait."""
        return "> ⌛️ 视频正在生成中,请耐心等待...\n\n"

    @staticmethod
    def progress(percent: float) -> str:
        """Return a line with the progress in per cent."""
        return f"> 🏃 进度:{percent:.1f}%\n\n"

    @staticmethod
    def finished(index: int, url: str) -> str:
        """Return the line about a finished video, whose index counts from 1."""
        return f"> ✅ 第{index}个视频生成成功,[点击这里]({url}) 查看视频~~~\n\n"

    def role(self) -> bytes:
        """Return the first chunk, which has the role only."""
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
        """Return all texts as one answer, for clients that did not ask for a stream."""
        message = {"role": "assistant", "content": "".join(texts)}
        return self._body("chat.completion") | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    def _body(self, kind: str) -> dict[str, Any]:
        return {"id": self.chat_id, "object": kind, "created": self.created_at, "model": self.model.id}

    def _event(self, delta: dict[str, str], finish: str | None = None, more: dict[str, Any] | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        body = self._body("chat.completion.chunk") | {"choices": [choice]} | (more or {})
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        # the gateway is written in Go, whose JSON has escapes for <, > and &
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        return f"data: {text}\n\n".encode()
