"""Measure requests to the Veo page: `python -m benchmarks.page_server ENTRIES PATH...`, with an empty Airflow."""

from __future__ import annotations

import json
import statistics
import sys
import time

from airflow.api_fastapi.app import create_app
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from fastapi.testclient import TestClient

from tests.support.page_entries import add_tasks

_REQUESTS = 20


def main() -> None:
    """Fill the database, send the requests, and print the median milliseconds of each path."""
    count, paths = int(sys.argv[1]), sys.argv[2:]
    initdb()
    with create_session() as session:
        add_tasks(session, count)
    with TestClient(create_app(apps="core")) as client:
        token = client.get("/auth/token").raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        print(json.dumps({path: _median(client, f"/veo/api/{path}") for path in paths}))


def _median(client: TestClient, path: str) -> float:
    times = []
    for _ in range(_REQUESTS + 1):
        begun = time.perf_counter()
        client.get(path).raise_for_status()
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
