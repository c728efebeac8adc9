"""The emulator as a server within this process, for tests and the demo."""

from __future__ import annotations

import logging
import socket
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

import uvicorn

from airflow_provider_veo.emulator.app import Emulator
from airflow_provider_veo.emulator.faults import DroppedError, Faults
from airflow_provider_veo.emulator.jobs import Jobs, Settings

if TYPE_CHECKING:
    from typing_extensions import Self

_START_TIMEOUT = 30.0  # seconds


class EmulatorServer:
    """Runs the emulator on loopback in a thread: `with EmulatorServer() as server: ... server.url ...`.

    Args:
        settings: Settings of the emulator.
        port: Port on loopback; 0 means any free port.
        faults: Rules that decide which answers go wrong; by default none do.
    """

    def __init__(self, settings: Settings | None = None, port: int = 0, faults: Faults | None = None) -> None:
        self.settings = settings or Settings()
        self.jobs = Jobs(self.settings)
        self.faults = faults or Faults()
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        emulator = Emulator(self.jobs, self.faults)
        self.tokens = emulator.tokens
        config = uvicorn.Config(emulator.app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        logging.getLogger("uvicorn.error").addFilter(_is_no_fault)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="veo-emulator", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        give_up_at = time.monotonic() + _START_TIMEOUT
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > give_up_at:
                raise RuntimeError("The emulator did not start. Its log has the reason.")
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def _is_no_fault(record: logging.LogRecord) -> bool:
    """Return False for the traceback of a connection that was dropped on purpose, so that it is not logged."""
    return not (record.exc_info and isinstance(record.exc_info[1], DroppedError))
