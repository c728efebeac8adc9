"""HTTP with as little code as possible between a coroutine and a socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

_END_OF_HEAD = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """A connection that stays open and carries one request at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bytes]
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport for requests."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the current request."""
        if not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        """Set the result of the request when the body is complete."""
        self._received += data
        head, found, body = self._received.partition(_END_OF_HEAD)
        if found and len(body) >= int(head.rpartition(b"Content-Length: ")[2]):
            self._received = b""
            if not self._answer.done():
                self._answer.set_result(body)

    def get(self, path: str) -> asyncio.Future[bytes]:
        """Send a GET, and return a future of the body."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return self._answer

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


class Pool:
    """A pool of a bounded number of connections to one port. It uses the connection that was used last."""

    def __init__(self, port: int, bound: int) -> None:
        self._port = port
        self._free = asyncio.Semaphore(bound)
        self._idle: list[Connection] = []

    async def get(self, path: str) -> Any:
        """Send a GET, and return the JSON of the answer."""
        async with self._free:
            connection = self._idle.pop() if self._idle else await connect(self._port)
            body = await connection.get(path)
            self._idle.append(connection)
        return json.loads(body)


async def connect(port: int) -> Connection:
    """Open a connection."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    return connection


async def ask_once(port: int, path: str) -> Any:
    """Send a GET on a new connection, and return the JSON of the answer."""
    connection = await connect(port)
    try:
        return json.loads(await connection.get(path))
    finally:
        connection.close()
