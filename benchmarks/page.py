"""The cost of the Veo page for the API server, with few and with many page entries in Airflow's database."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping

from benchmarks.processes import ROOT, Lab, progress, run_python
from benchmarks.report import Section, at_most, paragraph, ratios, spread, table

FEW, MANY = 100, 10_000
LIMIT = 5
REQUESTS = {
    "first page": "tasks",
    "tenth page": "tasks?page=10",
    "first page of failed entries": "tasks?status=failed",
    "first page of one model": "tasks?model=sora-9",
    "totals": "summary",
}


def run(lab: Lab) -> Section:
    """Send requests to an API server with few page entries and to one with many, in turn."""
    rounds: list[dict[str, dict[str, float]]] = []
    for _ in range(lab.rounds):
        rounds.append({str(count): _times(lab, count) for count in (FEW, MANY)})
        progress(f"page: round {len(rounds)}")
    by_request = {name: [{count: times[name] for count, times in one.items()} for one in rounds] for name in REQUESTS}
    figure = at_most(
        f"time for the first page with {MANY:,} entries against that with {FEW}",
        LIMIT,
        ratios(by_request["first page"], str(MANY), str(FEW)),
    )
    rows = [
        (name, *(spread([one[str(count)] for one in times], ".1f") for count in (FEW, MANY)))
        for name, times in by_request.items()
    ]
    lines = [
        "## The Veo page",
        "",
        *paragraph(
            "Wall time in milliseconds of one request to Airflow's API server, from the log-in check to the JSON: the",
            "median of 20 requests, in the process of the measurement and on SQLite. The page goes from Dag run to Dag",
            "run, so its time hardly depends on their number. The totals add up all entries, as far as they come in a",
            "second, so the page asks for them only when the filter changes, when a job ends, and otherwise once a",
            "minute.",
        ),
        "",
        *table(("request", f"ms with {FEW}", f"ms with {MANY:,}"), rows),
    ]
    return Section([figure], lines)


def _times(lab: Lab, count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=lab.home) as home:
        environment = page_environment(lab, home)
        fill(count, environment)
        return measure(REQUESTS, environment)


def page_environment(lab: Lab, home: str, database: str | None = None) -> dict[str, str]:
    """Return the environment of an API server.

    Args:
        lab: The things that all measurements share.
        home: Airflow's home.
        database: Address of the database as Airflow's configuration takes it; None for SQLite in the home.
    """
    address = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database} if database else {}
    settings = {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    return lab.environment() | settings | address


def fill(count: int, environment: dict[str, str], python: str = sys.executable) -> None:
    """Create and fill the database of an environment."""
    run_python(["-m", "benchmarks.page_server", "fill", str(count)], environment, 3600, python)


def measure(requests: Mapping[str, str], environment: dict[str, str], python: str = sys.executable) -> dict[str, float]:
    """Return the median milliseconds of some requests, by their names."""
    printed = run_python(["-m", "benchmarks.page_server", "measure", *requests.values()], environment, 600, python)
    milliseconds: dict[str, float] = json.loads(printed.splitlines()[-1])
    return {name: milliseconds[path] for name, path in requests.items()}
