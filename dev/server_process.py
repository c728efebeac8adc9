"""A server of somebody else's on loopback, in a process of its own, ended without a trace."""

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
    """Runs a server: `with Redis(folder) as redis: ... redis.port ...`.

    It inherits nothing but the PATH: what this machine has set for another server must not reach this one.

    Args:
        folder: for its log and its files; may be removed afterwards.

    Attributes:
        name: for people.
        port: where it listens.
        start_timeout: seconds that it may take to answer.
        stop_signal: what asks it to end; whatever of it has not gone after `end_timeout` seconds is killed.
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
        """Return what starts it."""

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def _options(self) -> dict[str, Any]:
        """Return further arguments of `Popen`."""
        return {}

    def _make_ready(self) -> None:  # noqa: B027 - nothing to be done is the rule
        """Do what its users expect to be done, when it answers."""

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
    """Say whether an HTTP server answers with success; no proxy of this machine stands between us and loopback."""
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, trust_env=False).is_success
    return False


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
