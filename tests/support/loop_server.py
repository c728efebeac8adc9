"""A server in the event loop of those who ask it: whoever blocks the loop waits for himself, for ever."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Answer = Callable[[str, str], Awaitable[tuple[int, dict, dict]]]
"""From a job's id and the Authorization header: status, headers, body."""


def running(progress: float = 50.0) -> tuple[int, dict, dict]:
    return 200, {}, {"id": "x", "status": "processing", "progress": progress}


def completed() -> tuple[int, dict, dict]:
    return 200, {}, {"id": "x", "status": "completed"}


@dataclass
class LoopServer:
    """Status route only.

    Attributes:
        answer: what to say.
        polls: requests, by id.
        request_times: when, on the loop's clock.
        open: connections now; most_open: at most so far.
    """

    answer: Answer
    polls: Counter[str] = field(default_factory=Counter)
    request_times: list[float] = field(default_factory=list)
    open: int = 0
    most_open: int = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.request_times.append(asyncio.get_running_loop().time())
                lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                headers = {name.lower(): value for name, value in lines.items()}
                video_id = head.split()[1].rpartition("/")[2]
                self.polls[video_id] += 1
                status, extra, body = await self.answer(video_id, headers.get("authorization", ""))
                content = json.dumps(body).encode()
                said = {"content-type": "application/json", "content-length": str(len(content))} | extra
                writer.write(f"HTTP/1.1 {status} X\r\n".encode())
                writer.write("".join(f"{name}: {value}\r\n" for name, value in said.items()).encode())
                writer.write(b"\r\n" + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()
