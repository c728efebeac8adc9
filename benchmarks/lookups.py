"""A secrets backend that counts. Every look-up of an Airflow connection passes through it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from airflow.secrets import BaseSecretsBackend

CONNECTIONS = "VEO_BENCH_CONNECTIONS"
"""Environment variable: connections as a JSON object. Without it, Airflow asks the next backend."""

FILE = "VEO_BENCH_LOOKUPS"
"""Environment variable: the file to which each look-up adds a line."""


class CountingBackend(BaseSecretsBackend):
    """A secrets backend that records each look-up of a connection, then answers it."""

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:  # noqa: ARG002
        """Return the connection as JSON."""
        with Path(os.environ[FILE]).open("a") as file:
            file.write(f"{os.getpid()} {conn_id}\n")
        connection = json.loads(os.environ.get(CONNECTIONS, "{}")).get(conn_id)
        return json.dumps(connection) if connection else None

    async def aget_connection(self, conn_id: str) -> object:
        """Return a connection without the thread that Airflow would use for it."""
        return self.get_connection(conn_id)


def count(file: Path, pid: int) -> int:
    """Return the number of look-ups of a process."""
    lines = file.read_text().splitlines() if file.exists() else []
    return sum(line.split()[0] == str(pid) for line in lines)
