"""A server for a large video, over HTTP and over TLS. It is a separate process, so that its CPU time is not measured.

The server prints its two ports, and ends when its standard input ends.
"""

from __future__ import annotations

import argparse
import http.server
import mmap
import ssl
import sys
import threading
from http import HTTPStatus
from pathlib import Path

_PIECE = 2**20  # bytes that are encrypted at once


class Server(http.server.ThreadingHTTPServer):
    """A threading server with the paths of its videos.

    Attributes:
        videos: Path of each video, by its ID.
    """

    def __init__(self, videos: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.videos = videos


class Handler(http.server.BaseHTTPRequestHandler):
    """The handler of `GET /v1/videos/{id}/content`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Send a video."""
        path = self.server.videos.get(self.path.removeprefix("/v1/videos/").removesuffix("/content"))
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        self._send(path)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the interface
        """Log nothing."""

    def _send(self, path: Path) -> None:
        with path.open("rb") as file:
            if not isinstance(self.connection, ssl.SSLSocket):
                self.connection.sendfile(file)
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as content:
                for position in range(0, len(content), _PIECE):
                    with content[position : position + _PIECE] as piece:
                        self.connection.sendall(piece)


def main() -> None:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificate", required=True, help="PEM file with certificate and key")
    parser.add_argument("videos", nargs="+", metavar="ID=FILE", help="ID of a video, and the file to send for it")
    arguments = parser.parse_args()
    videos = {name: Path(file) for name, _, file in (video.partition("=") for video in arguments.videos)}
    plain, encrypted = Server(videos), Server(videos)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate)
    encrypted.socket = context.wrap_socket(encrypted.socket, server_side=True)
    for server in (plain, encrypted):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(plain.server_port, encrypted.server_port, flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
