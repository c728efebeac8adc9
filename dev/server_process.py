"""A third-party server on loopback, in a separate process that leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import psutil

from dev.waiting import wait_until

if TYPE_CHECKING:
    from typing_extensions import Self


class ServerProcess(ABC):
    """A server in a separate process: `with Redis(folder) as redis: ... redis.port ...`.

    It inherits only the PATH, since variables of this machine for another server must not reach this one.

    Args:
        folder: Folder for the log and the files of the server. It may be removed afterwards.

    Attributes:
        name: Name for people.
        port: Port on which the server listens.
        start_timeout: Seconds after which a server that does not answer has failed.
        end_timeout: Seconds after which processes that still run are killed.
        stop_signal: Signal that asks the server to end.
    """

    name: ClassVar[str]
    start_timeout: ClassVar[float] = 60.0
    end_timeout: ClassVar[float] = 20.0
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / f"{self.name}.log"
        (self.port,) = free_ports(1)

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the command that starts the server."""

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def _options(self) -> dict[str, Any]:
        """Return further arguments of `Popen`."""
        return {}

    def _make_ready(self) -> None:  # noqa: B027 - most servers need no preparation
        """Prepare the server for its users, as soon as it answers."""

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._options(),
            )
        try:
            self._wait_until_it_answers()
            self._make_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        family = [self._process]
        with contextlib.suppress(psutil.NoSuchProcess):
            family += psutil.Process(self._process.pid).children(recursive=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.send_signal(self.stop_signal)
            self._process.wait(self.end_timeout)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def _wait_until_it_answers(self) -> None:
        wait_until(f"{self.name} to start", self._is_ready, self.start_timeout, pause=0.1, details=self._log_tail)

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended by itself:\n{self._log_tail()}")
        return self._answers()

    def _log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def is_answering(url: str) -> bool:
    """Return whether an HTTP server answers with success. The request uses no proxy."""
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, trust_env=False).is_success
    return False


def free_ports(count: int) -> list[int]:
    """Return free ports of loopback."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
