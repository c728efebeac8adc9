"""A secrets backend that counts: every look-up of an Airflow connection passes here, whoever makes it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from airflow.secrets import BaseSecretsBackend

CONNECTIONS = "VEO_BENCH_CONNECTIONS"
"""Environment variable: connections as a JSON object. Without it the next backend is asked."""

FILE = "VEO_BENCH_LOOKUPS"
"""Environment variable: the file that gets a line for each look-up."""


class CountingBackend(BaseSecretsBackend):
    """Notes each look-up of a connection, then serves it."""

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:  # noqa: ARG002
        """Return the connection as JSON."""
        with Path(os.environ[FILE]).open("a") as file:
            file.write(f"{os.getpid()} {conn_id}\n")
        connection = json.loads(os.environ.get(CONNECTIONS, "{}")).get(conn_id)
        return json.dumps(connection) if connection else None

    async def aget_connection(self, conn_id: str) -> object:
        """Do as `get_connection`, and spare the thread that Airflow would take."""
        return self.get_connection(conn_id)


def count(file: Path, pid: int) -> int:
    """Return how many look-ups a process has made."""
    lines = file.read_text().splitlines() if file.exists() else []
    return sum(line.split()[0] == str(pid) for line in lines)
