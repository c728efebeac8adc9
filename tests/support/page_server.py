"""Airflow's own API server in a separate process, with runs in its database, and bursts of requests to it."""

from __future__ import annotations

import asyncio
import io
import math
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from dev.server_process import ServerProcess, is_answering
from dev.waiting import wait_until
from tests.support.mp4_boxes import make_video

VIDEO = make_video(bytes(300_000))
DAG, OUTSIDE = "videos", "outside"
BURSTS = (30, 60, 100, 300)
LONGEST = 10.0  # seconds that Airflow's own health may take beside a burst
HEALTH = "/api/v2/monitor/health"
KEY: dict[str, Any] = {"dag_id": DAG, "run_id": "stored", "task_id": "create", "map_index": -1}
FILTER = {"model": "veo-3.1-fast", "status": "completed", "dag_id": DAG, "since": "2026-01-01T00:00:00Z"}
PART = {"Range": "bytes=100000-200000"}
ROUTES: dict[str, tuple[str, dict[str, Any], dict[str, str], int]] = {
    "the page": ("/veo/", {}, {}, 200),
    "the page of a task": ("/veo/task", KEY, {}, 200),
    "a script": ("/veo/static/gallery.js", {}, {}, 200),
    "tasks": ("/veo/api/tasks", {}, {}, 200),
    "some tasks": ("/veo/api/tasks", FILTER, {}, 200),
    "the sum": ("/veo/api/summary", {}, {}, 200),
    "a task": ("/veo/api/task", KEY, {}, 200),
    "a whole video": ("/veo/api/content", KEY, {}, 200),
    "a part of a video": ("/veo/api/content", KEY, PART, 206),
    "a video that is not served": ("/veo/api/content", KEY | {"run_id": OUTSIDE}, {}, 404),
}
"""Path, parameters, headers, and status of the answer, by name of the route."""


class PageServer(ServerProcess):
    """Airflow's API server, with a few hundred page entries: `with PageServer(folder) as server: server.url ...`.

    Args:
        folder: Folder for the files of the server.
        database: Address of the database as Airflow's configuration takes it; None for SQLite in the folder.
    """

    name = "api-server"
    start_timeout = 300.0

    def __init__(self, folder: Path, database: str | None = None) -> None:
        super().__init__(folder)
        self.url = f"http://127.0.0.1:{self.port}"
        self._database = database

    def _command(self) -> list[str]:
        return [sys.executable, "-m", __name__, str(self.port), str(self.folder)]

    def _environment(self) -> dict[str, str]:
        settings = {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of at least sixty-four bytes, which only this test may know",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__VEO__STORAGE": str(self.folder / "videos"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        if self._database:
            settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = self._database
        return super()._environment() | settings

    def wait_until_it_is_quiet(self) -> None:
        """Wait until the server has finished or given up all requests: its pool gives up each after half a minute."""
        wait_until("the API server", lambda: is_answering(f"{self.url}{HEALTH}"), self.start_timeout, pause=1)

    def _answers(self) -> bool:
        return super()._answers() and is_answering(f"{self.url}/api/v2/version")


def health_beside(
    server: PageServer,
    count: int,
    path: str,
    parameters: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
) -> float:
    """Send requests at once, and return the longest time that Airflow's health takes beside them, in seconds.

    Args:
        server: Server that gets the requests.
        count: Number of the requests.
        path: Path of each request.
        parameters: Query of each request.
        headers: Headers of each request.
        status: Status that all answers must have; None if every status is fine.
    """
    times, found = asyncio.run(_burst(server, count, path, parameters, headers))
    assert status is None or found == {status: count}, (path, found)
    return max(times)


async def _burst(
    server: PageServer,
    count: int,
    path: str,
    parameters: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None,
) -> tuple[list[float], Counter[int]]:
    # a connection for each: one that is kept may be closed by the server at the very moment when it is used again
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False, limits=limits) as client:
        token = (await client.get("/auth/token")).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        burst = asyncio.gather(*(client.get(path, params=parameters, headers=headers) for _ in range(count)))
        times: list[float] = []
        while not burst.done() or not times:
            started = time.monotonic()
            (await client.get(HEALTH)).raise_for_status()
            times.append(time.monotonic() - started)
        return times, Counter(answer.status_code for answer in await burst)


def beside_the_page(server: PageServer, count: int, rounds: int = 3) -> dict[str, float]:
    """Return how long Airflow's health takes beside bursts on each route of the page: the median of some rounds.

    A round goes over all routes in turn, so that other work of the machine slows down all of them alike.
    """
    seen: dict[str, list[float]] = {name: [] for name in ROUTES}
    for _ in range(rounds):
        for name, route in ROUTES.items():
            seen[name].append(health_beside(server, count, *route))
    assert max(map(max, seen.values())) < LONGEST, seen
    return {name: statistics.median(times) for name, times in seen.items()}


def beside_airflows_own(server: PageServer, count: int, rounds: int = 3) -> float:
    """Return how long Airflow's health takes beside bursts on Airflow's own list of Dags; infinity if a burst has
    stopped Airflow.
    """
    times = []
    for _ in range(rounds):
        try:
            times.append(health_beside(server, count, "/api/v2/dags"))
        except httpx.HTTPError:
            times.append(math.inf)
        if times[-1] > LONGEST:
            server.wait_until_it_is_quiet()
            return math.inf
    return statistics.median(times)


def _fill(folder: Path) -> None:
    """Put page entries into the database, and one video into the storage."""
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY
    from airflow_provider_veo.storage.proof import make_proof
    from tests.support import page_entries

    initdb()
    videos = folder / "videos"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(VIDEO)
    stored = {"bytes": len(VIDEO), "media_type": "video/mp4", "proof": make_proof(io.BytesIO(VIDEO))}
    with create_session() as session:
        page_entries.add_tasks(session, 300)
        for days, (run_id, path) in enumerate(((KEY["run_id"], "videos/a.mp4"), (OUTSIDE, "a.mp4")), 1):
            notes = {ORDER_KEY: {"prompt": "p", "model": "m"}, OUTCOME_KEY: stored | {"path": str(folder / path)}}
            page_entries.add_run(
                session, DAG, run_id, [("create", -1, "success", notes)], at=page_entries.START + timedelta(days)
            )


def _serve(port: int, folder: Path) -> None:
    _fill(folder)
    import uvicorn
    from airflow.api_fastapi.app import create_app

    uvicorn.run(create_app(), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]))
