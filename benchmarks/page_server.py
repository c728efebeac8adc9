"""Measure requests to the Veo page, with Airflow's database of the environment.

`python -m benchmarks.page_server fill ORDERS` creates and fills it. `python -m benchmarks.page_server measure PATH...`
prints the median milliseconds of each path.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from airflow.api_fastapi.app import create_app
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from fastapi.testclient import TestClient

from tests.support.page_database import fill

_REQUESTS = 20


def main() -> None:
    """Fill the database, or send the requests and print their times."""
    what, *rest = sys.argv[1:]
    if what == "fill":
        initdb()
        with create_session() as session:
            fill(session, int(rest[0]))
        return
    with TestClient(create_app(apps="core")) as client:
        token = client.get("/auth/token").raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        print(json.dumps({path: _median(client, f"/veo/api/{path}") for path in rest}))


def _median(client: TestClient, path: str) -> float:
    times = []
    for _ in range(_REQUESTS + 1):
        begun = time.perf_counter()
        client.get(path).raise_for_status()
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
