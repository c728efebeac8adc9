"""A server that says exactly what a test tells it to say, and the connection to it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_veo.emulator.dialects import DIALECTS

KEY = "sk-canary-7f3a"

every_dialect = pytest.mark.parametrize("emulator", DIALECTS, indirect=True)
"""Runs a test with the emulator in each dialect."""


def connect(monkeypatch, url: str, key: str = KEY, **extra: object) -> None:
    """Make a server the default connection, with the profile `veo-gateway`, and poll it briskly."""
    value = {"conn_type": "veo", "host": url, "password": key, "extra": {"profile": "veo-gateway"} | extra}
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps(value))
    monkeypatch.setenv("AIRFLOW__VEO__POLL_INTERVAL", "0.1")


@dataclass
class Said:
    """An answer of the scripted server.

    Attributes:
        close_early: cut the connection after this many bytes of the body.
    """

    status: int = 200
    body: bytes | str | dict | list = b""
    headers: dict[str, str] = field(default_factory=dict)
    close_early: int | None = None

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass
class Heard:
    """A request that the scripted server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer:
    """Answers each request with what `answer` returns for it, and keeps all requests."""

    def __init__(self, answer: Callable[[Heard], Said]) -> None:
        self.heard: list[Heard] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                heard = Heard(self.command, self.path, headers, body)
                outer.heard.append(heard)
                said = answer(heard)
                content = said.content()
                self.send_response(said.status)
                for name, value in ({"Content-Length": str(len(content))} | said.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # a client may have had enough
                    self.wfile.write(content[: said.close_early])
                self.close_connection = said.close_early is not None

            do_GET = do_POST = do_DELETE = handle_one  # noqa: N815 - names of http.server

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
