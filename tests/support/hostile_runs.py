"""Runs of the hostile Dags on a real Airflow with any database, and the traces that they leave."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from dev.waiting import wait_until
from tests.support.airflow_version import TASK_INSTANCES

POOL = "hostile"
SENSOR = "innocent_sensor"
INNOCENT = "innocent_video"
OVER = ("success", "failed", "upstream_failed")
TIMEOUT = 600.0  # seconds, for a machine that is busy with other work


class HostileRuns:
    """Start runs of the Dags of `hostile_dags`, and wait for them.

    Args:
        lab: The Airflow.
        sql: Runs a query on the database of this Airflow, and returns the rows.

    Attributes:
        run_ids: IDs of the started runs, by Dag ID.
    """

    def __init__(self, lab: Any, sql: Callable[[str], list[tuple[Any, ...]]]) -> None:
        self.lab = lab
        self.sql = sql
        self.run_ids: dict[str, str] = {}
        self._triggerers = self._processes()
        self._pool("POST", 200)

    def start(self, dag_id: str, **conf: Any) -> None:
        self.run_ids[dag_id] = self.lab.trigger(dag_id, conf)

    def delete(self, storage: Path) -> None:
        """Delete the runs and their videos: other tests may count the videos of this Airflow."""
        for dag_id, run_id in self.run_ids.items():
            # Airflow does not delete a running run
            self.lab.request("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})
            self.lab.delete_run(dag_id, run_id)
            shutil.rmtree(storage / run_id, ignore_errors=True)

    def tasks(self, *dag_ids: str) -> dict[tuple[str, str], str | None]:
        """Return the state of each task, by Dag and id; by default of all Dags that were started."""
        names = ", ".join(f"'{dag_id}'" for dag_id in dag_ids or self.run_ids)
        rows = self.sql(f"select dag_id, task_id, state from {TASK_INSTANCES} where dag_id in ({names})")
        return {(dag_id, task_id): state for dag_id, task_id, state in rows}

    def wait_until(self, what: str, states: Collection[str], *dag_ids: str) -> None:
        """Wait until all tasks are in one of some states; or, if a triggerer has died, until the rest are deferred."""

        def unfinished() -> dict[tuple[str, str], str | None]:
            return {task: state for task, state in self.tasks(*dag_ids).items() if state not in states}

        def is_over() -> bool:
            left = unfinished()
            return not left or (not self.triggerers_live and set(left.values()) == {"deferred"})

        wait_until(what, is_over, TIMEOUT, details=lambda: f"{unfinished()}\n{self.lab.log_tail()}")

    @contextmanager
    def hold_events(self) -> Iterator[None]:
        """Let no task resume inside this block: the events of the triggers stay in the database."""
        self._pool("PATCH", 0)
        try:
            yield
        finally:
            self._pool("PATCH", 200)

    def _pool(self, method: str, slots: int) -> None:
        path = "/pools" if method == "POST" else f"/pools/{POOL}"
        self.lab.request(method, path, {"name": POOL, "slots": slots, "include_deferred": False})

    @property
    def triggerers_live(self) -> bool:
        """Return whether each process of each triggerer has been running since this object was made."""
        return self._triggerers <= self._processes()

    def _processes(self) -> set[tuple[int, float]]:
        """Return the process ID and the start time of each process of each triggerer."""
        found = set()
        for process in self.lab.processes():
            with suppress(psutil.Error):
                if "triggerer" in process.cmdline():
                    found.add((process.pid, process.create_time()))
        return found

    def log_of_triggerers(self) -> str:
        """Return the last lines of Airflow's own log that mention triggerers or errors."""
        lines = self.lab.log.read_text(errors="replace").splitlines()
        return "\n".join([line[:500] for line in lines if "triggerer" in line or "Error" in line][-60:])

    def health(self) -> dict[str, str]:
        """Return the health of Airflow's components as Airflow reports it."""
        return {name: part["status"] for name, part in self.lab.get("/monitor/health").items() if part["status"]}

    def log(self, dag_id: str, task_id: str) -> str:
        """Return the log files of all tries of a task, and of their triggers."""
        folder = self.lab.home / "logs" / f"dag_id={dag_id}" / f"run_id={self.run_ids[dag_id]}" / f"task_id={task_id}"
        return "\n".join(path.read_text(errors="replace") for path in sorted(folder.glob("attempt=*")))


def tables(sql: Callable[[str], list[tuple[Any, ...]]], catalogue: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables of a database.

    Args:
        sql: Runs a query.
        catalogue: The query that returns the names of the tables.
    """
    return {name: sql(f'select * from "{name}"') for (name,) in sql(catalogue)}
