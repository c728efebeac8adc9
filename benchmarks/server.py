"""The API for all peers: a separate process on loopback, cheap enough not to limit the measurement.

The server prints its port. It ends when its standard input ends, or after some time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import threading
import time
from collections import Counter
from typing import Any, cast

from benchmarks.jobs import MODEL, Job

with contextlib.suppress(ImportError):
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

_END_OF_HEAD = b"\r\n\r\n"
_REASONS = {200: "OK", 404: "Not Found"}


class Counts:
    """The counts of status calls and sockets so far, by the tag of the jobs."""

    def __init__(self) -> None:
        self.polls: Counter[str] = Counter()
        self.sockets: Counter[str] = Counter()
        self.most_sockets: Counter[str] = Counter()

    def to_json(self) -> dict[str, dict[str, int]]:
        """Return all counts."""
        return {
            tag: {"polls": polls, "sockets": self.sockets[tag], "most_sockets": self.most_sockets[tag]}
            for tag, polls in self.polls.items()
        }

    def opened(self, tag: str) -> None:
        """Count a connection whose first request was about a job of this tag."""
        self.sockets[tag] += 1
        self.most_sockets[tag] = max(self.most_sockets[tag], self.sockets[tag])

    def reset(self, tag: str) -> None:
        """Restart the count of the most sockets that are open at the same time."""
        self.most_sockets[tag] = self.sockets[tag]


class Connection(asyncio.Protocol):
    """A connection that stays open, and the answers to its requests."""

    def __init__(self, counts: Counts, delay: float) -> None:
        self._counts = counts
        self._delay = delay
        self._received = b""
        self._tag = ""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport for answers."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface
        """Subtract the connection from the open sockets."""
        if self._tag:
            self._counts.sockets[self._tag] -= 1

    def data_received(self, data: bytes) -> None:
        """Answer every complete request. Requests have no body."""
        self._received += data
        while (end := self._received.find(_END_OF_HEAD)) >= 0:
            path = self._received.split(b" ", 2)[1].decode()
            self._received = self._received[end + len(_END_OF_HEAD) :]
            self._answer(path)

    def _answer(self, path: str) -> None:
        route, _, name = path.rpartition("/")
        if name == "counters":
            self._send(_message(200, self._counts.to_json()))
        elif route == "/reset":
            self._counts.reset(name)
            self._send(_message(200, {}))
        else:
            answer = _message(*self._job(route, name))
            asyncio.get_running_loop().call_later(self._delay, self._send, answer)

    def _job(self, route: str, name: str) -> tuple[int, dict[str, Any]]:
        try:
            job = Job.of(name)
        except ValueError:
            return 404, {"error": {"message": f"no such job: {name}"}}
        self._counts.polls[job.tag] += 1
        if not self._tag:
            self._tag = job.tag
            self._counts.opened(job.tag)
        return _ROUTES[route](job, time.time())

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def _video(job: Job, now: float) -> tuple[int, dict[str, Any]]:
    running = "queued" if now < job.start + job.queue else "processing"
    answer = {
        "id": job.id,
        "object": "video",
        "model": MODEL,
        "status": "completed" if now >= job.ends_at else running,
        "progress": job.progress(now),
        "created_at": int(job.start),
    }
    if now >= job.ends_at:
        answer |= {"completed_at": int(job.ends_at), "url": f"http://127.0.0.1/{job.id}.mp4"}
    return 200, answer


def _batch(job: Job, now: float) -> tuple[int, dict[str, Any]]:
    return 200, {
        "id": job.id,
        "object": "batch",
        "endpoint": "/v1/videos",
        "input_file_id": "file",
        "completion_window": "24h",
        "status": "completed" if now >= job.ends_at else "in_progress",
        "created_at": int(job.start),
    }


def _wait(job: Job, now: float) -> tuple[int, dict[str, Any]]:
    return (200, {"id": job.id}) if now >= job.ends_at else (404, {"id": job.id})


_ROUTES = {"/v1/videos": _video, "/v1/batches": _batch, "/wait": _wait}


def _message(status: int, body: dict[str, Any]) -> bytes:
    content = json.dumps(body)
    return (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n{content}"
    ).encode()


async def serve(delay: float, at_most: float) -> None:
    """Serve until the standard input ends.

    Args:
        delay: Seconds before each answer.
        at_most: Seconds after which the server ends in any case.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wait_for_parent() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    counts = Counts()
    server = await loop.create_server(lambda: Connection(counts, delay), "127.0.0.1", 0, backlog=8192)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=wait_for_parent, daemon=True).start()
    with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
        await asyncio.wait_for(ended.wait(), at_most)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--at-most", type=float, default=3600.0, help="seconds after which the server ends in any case")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.delay, arguments.at_most))
