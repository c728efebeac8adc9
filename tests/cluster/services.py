"""Services that a distributed Airflow needs, as processes on loopback: PostgreSQL and Redis."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from dev.server_process import ServerProcess


class Service(ServerProcess):
    """A server with its own temporary folder: `with Redis() as redis: ... redis.url ...`.

    Attributes:
        name: Name of Debian's package.
        user: User that runs the server if the tests run as root; None: the same user.
        url: Address for Airflow's configuration.
    """

    user: ClassVar[str | None] = None
    url: str

    def __init__(self) -> None:
        # not pytest's own folder, which other users may not enter
        super().__init__(Path(tempfile.mkdtemp(prefix="veo-service-")))
        if self._other_user:
            shutil.chown(self.folder, self.user, self.user)

    @classmethod
    @abstractmethod
    def program(cls) -> str | None:
        """Return the path of the server's program; None where it is not installed."""

    def _initialise(self) -> None:
        """Prepare the folder before the server starts."""

    def __enter__(self):
        try:
            self._initialise()
            return super().__enter__()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def __exit__(self, *_):
        super().__exit__()
        shutil.rmtree(self.folder)

    @property
    def _other_user(self) -> bool:
        return self.user is not None and os.geteuid() == 0

    def _options(self) -> dict[str, Any]:
        return {"user": self.user, "group": self.user, "extra_groups": []} if self._other_user else {}


class PostgreSQL(Service):
    """A database without a password, which listens only on loopback.

    Attributes:
        dsn: Address for the database's own drivers.
    """

    name = "postgresql"
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

    def _initialise(self):
        initdb = str(Path(self.program()).with_name("initdb"))
        command = [initdb, "--pgdata=data", "--username=airflow", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        options = {"env": self._environment(), "cwd": self.folder, "stdin": subprocess.DEVNULL, **self._options()}
        with self.log.open("ab") as log:
            subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT, **options)

    def _command(self):
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",  # the data need not survive a power failure
        }
        return [self.program(), "-D", "data", *(f"--{name}={value}" for name, value in settings.items())]


class Redis(Service):
    """A broker that stores nothing on disk."""

    name = "redis-server"

    def __init__(self) -> None:
        super().__init__()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    @classmethod
    def program(cls):
        return shutil.which("redis-server")

    def _command(self):
        return [self.program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
