"""A server whose replies a test writes, and the Airflow connection to a server."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from airflow_provider_veo.emulator.dialects import OPENAI_DIALECTS

KEY = "sk-canary-7f3a"

every_dialect = pytest.mark.parametrize("emulator", OPENAI_DIALECTS, indirect=True)
"""Run a test with the emulator in each dialect."""


def connect(monkeypatch: pytest.MonkeyPatch, url: str, key: str = KEY, **extra: object) -> None:
    """Make a server the default connection, with the profile `veo-gateway` and ten status calls a second."""
    value = {"conn_type": "veo", "host": url, "password": key, "extra": {"profile": "veo-gateway"} | extra}
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps(value))
    monkeypatch.setenv("AIRFLOW__VEO__POLL_INTERVAL", "0.1")


@dataclass
class Reply:
    """A reply of the scripted server.

    Attributes:
        status: HTTP status.
        body: Bytes or text as they are sent, or a JSON value.
        headers: Headers besides `Content-Length`.
        close_early: Number of bytes of the body after which the connection is cut.
    """

    status: int = 200
    body: bytes | str | dict[str, Any] | list[Any] = b""
    headers: dict[str, str] = field(default_factory=dict)
    close_early: int | None = None

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass
class SeenRequest:
    """A request that the scripted server has received. The names of its headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer:
    """Reply to each request as a function says, and keep all requests.

    Args:
        answer: Called with each request. Returns the reply.

    Attributes:
        url: Address of the server.
        requests: All requests so far.
    """

    def __init__(self, answer: Callable[[SeenRequest], Reply]) -> None:
        self.requests: list[SeenRequest] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = SeenRequest(self.command, self.path, headers, body)
                outer.requests.append(seen)
                reply = answer(seen)
                content = reply.content()
                self.send_response(reply.status)
                for name, value in ({"Content-Length": str(len(content))} | reply.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the client may have closed the connection
                    self.wfile.write(content[: reply.close_early])
                self.close_connection = reply.close_early is not None

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
