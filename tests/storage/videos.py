"""Videos of any size that are never in memory as a whole, and a server that sends them."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

_PIECE = 2**20
_BOX_HEAD = 8


@dataclass(frozen=True)
class Video:
    """A whole MP4 file: a clip, and a `free` box of noise that fills it up. No two blocks of it are the same.

    Attributes:
        clip: Content of a small MP4 file.
        size: Size of the whole file in bytes; more than that of the clip, less than 4 GB.
        seed: Start of the random noise. Videos with different seeds differ everywhere except in the clip.
    """

    clip: bytes
    size: int
    seed: int = 0

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of the file in blocks."""
        box = self.size - len(self.clip)
        yield self.clip + box.to_bytes(4, "big") + b"free"
        noise = random.Random(self.seed).randbytes(_PIECE)
        for start in range(0, box - _BOX_HEAD, _PIECE):
            yield (start.to_bytes(8, "big") + noise[8:])[: box - _BOX_HEAD - start]

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 hash of the file, in hexadecimal."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()


class VideoServer:
    """A server that answers `GET /v1/videos/<id>/content` with a video, always from its start.

    Args:
        videos: Videos by id.

    Attributes:
        midway: Called when half of a video has been sent. If it returns false, the connection is cut.
        asked: IDs of the requested videos, in the order of the requests.
    """

    def __init__(self, videos: dict[str, Video]) -> None:
        self.midway: Callable[[], object] = lambda: True
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                video_id = self.path.removeprefix("/v1/videos/").removesuffix("/content")
                outer.asked.append(video_id)
                video = videos[video_id]
                self.send_response(200)
                self.send_header("Content-Type", "video/mp4")
                self.send_header("Content-Length", str(video.size))
                self.end_headers()
                try:
                    self.close_connection = not self._send(video)
                except ConnectionError:  # a client may close the connection
                    self.close_connection = True

            def _send(self, video: Video) -> bool:
                sent, is_past_midway = 0, False
                for piece in video.pieces():
                    if not is_past_midway and sent >= video.size / 2:
                        is_past_midway = True
                        if not outer.midway():
                            return False
                    self.wfile.write(piece)
                    sent += len(piece)
                return True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
