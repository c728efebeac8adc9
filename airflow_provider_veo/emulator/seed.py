"""The dialect of the seed gateway: its answers, word for word where its documentation prints them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_veo.api.models import VideoModel
from airflow_provider_veo.emulator.jobs import Job

CHAT_PROGRESS = (9.0, 18.0, 27.0, 36.0, 45.9, 54.9, 63.9, 72.9, 83.7, 90.2)
"""The percentages that the documentation's printed stream shows."""


def created(job: Job) -> dict[str, Any]:
    """Return the answer to an order. Note `created`, where status answers say `created_at`."""
    return {
        "id": job.id,
        "object": "video",
        "created": int(job.created),
        "status": "queued",
        "model": job.model.id,
    }


def status(job: Job, now: float, url: str) -> dict[str, Any]:
    """Return the answer to a status call.

    A completed one has the oddities of a captured answer: another model's name, a wrong length, the address three
    times.
    """
    word = job.status(now)
    if word == "completed":
        return {
            "completed_at": int(job.done_at),
            "created_at": int(job.created),
            "id": job.id,
            "model": "sora2_video_generation",
            "object": "video",
            "progress": 100,
            "result_url": url,
            "seconds": "4",
            "size": job.model.size,
            "status": "completed",
            "url": url,
            "video_url": url,
        }
    body: dict[str, Any] = {
        "id": job.id,
        "object": "video",
        "created": int(job.created),
        "status": word,
        "model": job.model.id,
        "progress": int(job.progress(now)),
    }
    return body | ({"progress": 0, "error": job.failure} if word == "failed" else {})


def error(message: str, code: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    """Return an error body."""
    return {"error": {"message": message, "type": kind, "param": "", "code": code}}


def not_completed() -> dict[str, Any]:
    """Return what the content route says before the content is there."""
    message = "Task is not completed yet, current status: IN_PROGRESS"
    return {"error": {"message": message, "type": "invalid_request_error"}}


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
