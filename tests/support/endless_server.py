"""A server whose answers never end, unpack to gigabytes, or arrive one byte at a time."""

from __future__ import annotations

import itertools
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

Answer = Callable[[], Iterator[bytes | None]]
"""Returns the pieces of an answer. None stands for silence until the client closes the connection."""

PAUSE = 0.05  # seconds between two bytes that drip
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_BLOCK = b"x" * 65536


def gzip_bomb(megabytes: int) -> bytes:
    """Return bytes that unpack to that many megabytes of spaces: JSON may begin with spaces."""
    pack = zlib.compressobj(9, wbits=-15)
    packed = pack.compress(b" " * 2**20) + pack.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed * megabytes + b"\x03\0" + bytes(8)


def gzip_bomb_twice() -> bytes:
    pack = zlib.compressobj(9, wbits=31)
    return pack.compress(gzip_bomb(2048)) + pack.flush()


def whole(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return lambda: iter(["\r\n".join(head).encode() + body])


def endless_body(status: str = "200 OK") -> Iterator[bytes]:
    yield f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode()
    yield from itertools.repeat(_BLOCK)


def large_error() -> Iterator[bytes]:
    size = 100 * 1024 * 1024
    yield f"HTTP/1.1 400 Bad Request\r\nContent-Length: {size}\r\n\r\n".encode() + b'{"error": {"message": "'
    yield from itertools.repeat(_BLOCK, size // len(_BLOCK))


def endless_headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    yield from (b"X-%d: %s\r\n" % (number, _BLOCK[:1000]) for number in itertools.count())


def endless_header() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX: "
    yield from itertools.repeat(_BLOCK)


def interim(status: int, at_once: int, pause: float) -> Answer:
    def answer() -> Iterator[bytes]:
        while True:
            yield b"HTTP/1.1 %d Wait\r\n\r\n" % status * at_once
            time.sleep(pause)

    return answer


def dripping(head: bytes, rest: Iterator[bytes]) -> Answer:
    def answer() -> Iterator[bytes]:
        yield head
        for byte in rest:
            time.sleep(PAUSE)
            yield byte

    return answer


def drips(pattern: bytes = b" ") -> Iterator[bytes]:
    return itertools.repeat(pattern)


def silence(head: bytes) -> Answer:
    return lambda: iter([head, None])


BOMBS: dict[str, Answer] = {
    "gzip": whole(gzip_bomb(256), "Content-Encoding: gzip"),
    "gzip twice": whole(gzip_bomb_twice(), "Content-Encoding: gzip, gzip"),
    "gzip twice in two headers": whole(gzip_bomb_twice(), "Content-Encoding: gzip", "Content-Encoding: x-gzip"),
    "gzip in a refusal": whole(gzip_bomb(256), "Content-Encoding: gzip", status="400 Bad Request"),
    "deflate": whole(zlib.compress(b" " * 2**26, 9), "Content-Encoding: deflate"),
    "endless body": endless_body,
    "endless error": lambda: endless_body("500 Oh"),
    "100 MB error": large_error,
    "endless headers": endless_headers,
    "endless header": endless_header,
    "endless 1xx": interim(100, 500, 0.0),
}
DRIPS: dict[str, Answer] = {
    "1xx that drip": interim(103, 1, PAUSE),
    "head that drips": dripping(b"HTTP/1.1 200 OK\r\nX: ", drips(b"x")),
    "body that drips": dripping(OK + b"Connection: close\r\n\r\n", drips()),
    "body of a length that drips": dripping(OK + b"Content-Length: 100000\r\n\r\n", drips()),
    "chunks that drip": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", drips(b"1\r\n \r\n")),
    "video that drips": dripping(
        b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 100000\r\n\r\n"
        b"\0\0\0\x18ftypisom\0\0\0\0isomisom",
        drips(b"\0"),
    ),
    "error that drips": dripping(b"HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n", drips()),
    "silence after the head": silence(OK + b"Content-Length: 9\r\n\r\n"),
    "silence": silence(b""),
}


class EndlessServer:
    """Answer each request in one of the ways of `BOMBS` and `DRIPS`. A context manager.

    Args:
        answer: Called with the first line of a request. Returns the answer.

    Attributes:
        requests: First lines of the requests.
        most_open: Highest number of connections that were open at once.
    """

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self.requests: list[str] = []
        self.most_open = 0
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in list(self._open):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        self.most_open = max(self.most_open, len(self._open))
        try:
            with connection, connection.makefile("rb") as file:
                while line := file.readline().decode("latin-1").strip():
                    length = 0
                    while header := file.readline().strip().lower():
                        length = int(header[15:]) if header.startswith(b"content-length:") else length
                    file.read(length)
                    self.requests.append(line)
                    for piece in self._answer(line)():
                        if piece is None:
                            file.read(1)
                            return
                        connection.sendall(piece)
        except (OSError, ValueError):
            pass  # the client has closed the connection
        finally:
            self._open.discard(connection)
