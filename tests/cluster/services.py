"""What a distributed Airflow stands on, as processes on loopback: PostgreSQL, and Redis."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import psutil
from airflow_lab import _free_ports

START_TIMEOUT = 60.0
END_TIMEOUT = 20.0


class Service(ABC):
    """A server in a process of its own, with a folder that goes with it: `with Redis() as redis: ... redis.url ...`.

    Attributes:
        package: Debian's, which brings it.
        user: who runs it, where we are root; None: we do.
        url: as Airflow's configuration names it.
    """

    package: ClassVar[str]
    user: ClassVar[str | None] = None
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    url: str

    def __init__(self) -> None:
        (self.port,) = _free_ports(1)

    @classmethod
    @abstractmethod
    def program(cls) -> str | None:
        """Return the path of the server's program; None where it is not installed."""

    @abstractmethod
    def _commands(self) -> list[list[str]]:
        """Return what makes it ready, if anything, and last what starts it."""

    def __enter__(self):
        # not pytest's own folder, which nobody but us may enter
        self.folder = Path(tempfile.mkdtemp(prefix="veo-service-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if self._other_user:
                shutil.chown(self.folder, self.user, self.user)
            *before, start = self._commands()
            with (self.folder / "log").open("wb") as log:
                options = {"stdout": log, "stderr": subprocess.STDOUT, **self._options()}
                for command in before:
                    subprocess.run(command, check=True, **options)
                self._process = subprocess.Popen(start, start_new_session=True, **options)
            self._wait_until_it_answers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._process:
            family = [self._process, *psutil.Process(self._process.pid).children(recursive=True)]
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.send_signal(self.stop_signal)
                self._process.wait(END_TIMEOUT)
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.wait()
        shutil.rmtree(self.folder)

    @property
    def _other_user(self) -> bool:
        return self.user is not None and os.geteuid() == 0

    def _options(self):
        as_user = {"user": self.user, "group": self.user, "extra_groups": []} if self._other_user else {}
        # nothing is inherited: what this machine has set for another server must not reach this one
        return {"env": {"PATH": os.environ["PATH"]}, "cwd": self.folder, "stdin": subprocess.DEVNULL, **as_user}

    def _wait_until_it_answers(self) -> None:
        give_up_at = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                log = (self.folder / "log").read_text(errors="replace")
                raise RuntimeError(f"{self.package} did not start:\n{log[-3000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


class PostgreSQL(Service):
    """A database without a password, for nobody but loopback.

    Attributes:
        dsn: as its drivers name it.
    """

    package = "postgresql"
    user = "postgres"  # it refuses to be run by root
    stop_signal = signal.SIGINT  # SIGTERM would wait for its clients

    def __init__(self) -> None:
        super().__init__()
        self.dsn = f"postgresql://airflow@127.0.0.1:{self.port}/postgres"
        self.url = self.dsn.replace("://", "+psycopg2://")

    @classmethod
    def program(cls):
        # Debian keeps these programs out of PATH, by version
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
        return str(found[-1]) if found else shutil.which("postgres")

    def _commands(self):
        initdb = str(Path(self.program()).with_name("initdb"))
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",  # these data need not outlive a power cut
        }
        return [
            [initdb, "--pgdata=data", "--username=airflow", "--auth=trust", "--encoding=UTF8", "--no-locale"],
            [self.program(), "-D", "data", *(f"--{name}={value}" for name, value in settings.items())],
        ]


class Redis(Service):
    """A broker that keeps nothing."""

    package = "redis-server"

    def __init__(self) -> None:
        super().__init__()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    @classmethod
    def program(cls):
        return shutil.which("redis-server")

    def _commands(self):
        return [[self.program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]]
