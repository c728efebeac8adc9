"""A server in the event loop of its clients: a client that blocks the loop waits for ever, and the test fails."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

Parts = tuple[int, dict[str, str], dict[str, Any]]
"""Status, headers and JSON body of an answer."""

Answer = Callable[[str, str], Awaitable[Parts]]
"""Returns the answer to a status call; called with the job's ID and the `Authorization` header."""


def running(progress: float = 50.0) -> Parts:
    return 200, {}, {"id": "x", "status": "processing", "progress": progress}


def completed() -> Parts:
    return 200, {}, {"id": "x", "status": "completed"}


@dataclass
class LoopServer:
    """A video API with the status route only: `async with LoopServer(answer) as server: ... server.url ...`.

    Attributes:
        answer: Makes the answers.
        polls: Number of status calls, by job ID.
        request_times: Times of the requests in seconds of the loop's clock.
        open: Number of open connections.
        most_open: Highest number of connections that were open at once.
    """

    answer: Answer
    polls: Counter[str] = field(default_factory=Counter)
    request_times: list[float] = field(default_factory=list)
    open: int = 0
    most_open: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
                sent = {"content-type": "application/json", "content-length": str(len(content))} | extra
                writer.write(f"HTTP/1.1 {status} X\r\n".encode())
                writer.write("".join(f"{name}: {value}\r\n" for name, value in sent.items()).encode())
                writer.write(b"\r\n" + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()
