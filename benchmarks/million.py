"""The Veo page with a million orders on PostgreSQL, with 100,000 on SQLite, and on another Airflow."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.page import fill, measure, page_environment
from benchmarks.processes import Lab, progress
from benchmarks.report import Section, at_most, paragraph, ratios, spread, table
from tests.cluster.services import PostgreSQL

OTHER_PYTHON = "VEO_OTHER_PYTHON"
"""Environment variable with the path of Python in an environment with another Airflow."""

RATIO = 1.5
LONGEST = 2000  # milliseconds of the totals
REQUESTS = {
    "first page": "tasks",
    "tenth page": "tasks?page=10",
    "first page of failed entries": "tasks?status=failed",
    "first page of entries in progress": "tasks?status=in_progress",
    "first page of one model": "tasks?model=sora-9",
    "first page of one Dag": "tasks?dag_id=videos_1",
    "first page of one task": "tasks?dag_id=videos_1&task_id=create",
    "a model without orders": "tasks?model=none",
    "totals": "summary",
}
Times = dict[str, dict[str, float]]


def run(lab: Lab) -> Section:
    """Measure pairs of databases, each request in turn on both."""
    few, many = (200, 2000) if lab.quick else (1000, 1_000_000)
    figures, lines = [], ["## The Veo page with a million entries", "", *_introduction()]
    with tempfile.TemporaryDirectory(dir=lab.home) as home:
        if PostgreSQL.program():
            with _database(lab, home, few) as small, _database(lab, home, many) as large:
                rounds = _rounds(lab, {"few": (small, sys.executable), "many": (large, sys.executable)})
            for name in ("first page", "first page of failed entries"):
                title = f"PostgreSQL: time for the {name} with {many:,} entries against that with {few:,}"
                figures.append(at_most(title, RATIO, ratios([one[name] for one in rounds], "many", "few")))
            totals = [one["totals"]["many"] for one in rounds]
            figures.append(
                at_most(f"PostgreSQL: time for the totals of {many:,} entries", LONGEST, totals, ".0f", " ms")
            )
            lines += _table(rounds, {"few": f"PostgreSQL, {few:,}", "many": f"PostgreSQL, {many:,}"})
        size = 2000 if lab.quick else 100_000
        rounds = _rounds(lab, {"sqlite": (_sqlite(lab, home, size, sys.executable), sys.executable)})
        lines += ["", *_table(rounds, {"sqlite": f"SQLite, {size:,}"})]
        other = os.environ.get(OTHER_PYTHON)
        if other:
            size = 2000 if lab.quick else 10_000
            sides = {"this": sys.executable, "other": other}
            rounds = _rounds(lab, {side: (_sqlite(lab, home, size, python), python) for side, python in sides.items()})
            for name in REQUESTS:
                title = f"SQLite, {size:,} entries: time for the {name} on the other Airflow against this one"
                figures.append(at_most(title, RATIO, ratios([one[name] for one in rounds], "other", "this")))
            lines += ["", *_table(rounds, {"this": "this Airflow, 10,000", "other": "the other Airflow, 10,000"})]
    return Section(figures, lines)


def _introduction() -> list[str]:
    return paragraph(
        "The same requests, with fresh statistics. Five Dags have ordered five videos in each run, and as many runs of",
        "another Dag lie between. A model without orders makes the search go through all runs, as far as it comes",
        "in a second.",
    )


def _rounds(lab: Lab, sides: dict[str, tuple[dict[str, str], str]]) -> list[Times]:
    """Return the milliseconds of each request on each side, for each round."""
    found: list[Times] = []
    for _ in range(lab.rounds):
        times = {side: measure(REQUESTS, environment, python) for side, (environment, python) in sides.items()}
        found.append({name: {side: times[side][name] for side in sides} for name in REQUESTS})
        progress(f"million: {', '.join(sides)}: round {len(found)}")
    return found


def _table(rounds: list[Times], sides: dict[str, str]) -> list[str]:
    def cells(name: str) -> list[str]:
        return [spread([one[name][side] for one in rounds], ".1f") for side in sides]

    return table(("ms of a request", *sides.values()), [(name, *cells(name)) for name in REQUESTS])


@contextmanager
def _database(lab: Lab, home: str, count: int) -> Iterator[dict[str, str]]:
    with PostgreSQL() as server:
        environment = page_environment(lab, home, server.url)
        fill(count, environment)
        progress(f"million: {count:,} entries are in PostgreSQL")
        yield environment


def _sqlite(lab: Lab, home: str, count: int, python: str) -> dict[str, str]:
    environment = page_environment(lab, tempfile.mkdtemp(dir=home))
    fill(count, environment, python)
    progress(f"million: {count:,} entries are in SQLite")
    return environment
