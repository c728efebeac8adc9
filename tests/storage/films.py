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
class Film:
    """A whole MP4 file: a clip, and a `free` box of noise that fills it up. No two pieces of it are the same.

    Attributes:
        clip: a small MP4 file.
        size: of the whole, in bytes; more than the clip's, less than 4 GB.
        seed: films of different seeds differ everywhere but in the clip.
    """

    clip: bytes
    size: int
    seed: int = 0

    def pieces(self) -> Iterator[bytes]:
        """Return the bytes of the file."""
        box = self.size - len(self.clip)
        yield self.clip + box.to_bytes(4, "big") + b"free"
        noise = random.Random(self.seed).randbytes(_PIECE)
        for start in range(0, box - _BOX_HEAD, _PIECE):
            yield (start.to_bytes(8, "big") + noise[8:])[: box - _BOX_HEAD - start]

    @cached_property
    def sha256(self) -> str:
        """The hash of the file, in hexadecimal."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()


class FilmServer:
    """Answers `GET /v1/videos/<id>/content` with a film, always from its start.

    Args:
        films: by id of the video.

    Attributes:
        midway: called when half of a film has been sent; says whether the rest follows, or the connection is cut.
        asked: ids of the videos, in the order in which they were asked for.
    """

    def __init__(self, films: dict[str, Film]) -> None:
        self.midway: Callable[[], object] = lambda: True
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                video_id = self.path.removeprefix("/v1/videos/").removesuffix("/content")
                outer.asked.append(video_id)
                film = films[video_id]
                self.send_response(200)
                self.send_header("Content-Type", "video/mp4")
                self.send_header("Content-Length", str(film.size))
                self.end_headers()
                try:
                    self.close_connection = not self._send(film)
                except ConnectionError:  # a client may have had enough
                    self.close_connection = True

            def _send(self, film: Film) -> bool:
                sent, is_past_midway = 0, False
                for piece in film.pieces():
                    if not is_past_midway and sent >= film.size / 2:
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
