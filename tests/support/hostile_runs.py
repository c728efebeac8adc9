"""Runs of the hostile Dags on a real Airflow, whatever its database is, and what they leave behind."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

POOL = "hostile"
SENSOR = "innocent_sensor"
INNOCENT = "innocent_video"
OVER = ("success", "failed", "upstream_failed")
PATIENCE = 600.0  # seconds, for a machine that has other things to do


class HostileRuns:
    """Starts runs of the Dags of `hostile_dags`, and waits for them.

    Args:
        lab: Airflow.
        sql: runs a query on its database, and returns the rows.

    Attributes:
        run_ids: of the runs that were started, by Dag.
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
        """Delete the runs and their videos: others may count those of this Airflow."""
        for dag_id, run_id in self.run_ids.items():
            # Airflow deletes no run that goes on
            self.lab.request("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})
            self.lab.delete_run(dag_id, run_id)
            shutil.rmtree(storage / run_id, ignore_errors=True)

    def tasks(self, *dag_ids: str) -> dict[tuple[str, str], str | None]:
        """Return the state of each task, by Dag and id; by default of all Dags that were started."""
        names = ", ".join(f"'{dag_id}'" for dag_id in dag_ids or self.run_ids)
        rows = self.sql(f"select dag_id, task_id, state from task_instance where dag_id in ({names})")
        return {(dag_id, task_id): state for dag_id, task_id, state in rows}

    def until(self, what: str, states: Iterable[str], *dag_ids: str) -> None:
        """Wait until all tasks are in one of some states; no longer for deferred ones when a triggerer has died."""
        give_up_at = time.monotonic() + PATIENCE
        while left := {task: state for task, state in self.tasks(*dag_ids).items() if state not in states}:
            if not self.triggerers_live and set(left.values()) == {"deferred"}:
                return
            assert time.monotonic() < give_up_at, f"waited {PATIENCE} s for {what}: {left}\n{self.lab.log_tail()}"
            time.sleep(0.3)

    @contextmanager
    def events_held(self):
        """Let no task resume meanwhile: its trigger's event stays in the database."""
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
        """Whether each process of each triggerer is the one that was there at the beginning."""
        return self._triggerers <= self._processes()

    def _processes(self) -> set[tuple[int, float]]:
        """Return pid and start of each process of each triggerer."""
        found = set()
        for process in self.lab.processes():
            with suppress(psutil.Error):
                if "triggerer" in process.cmdline():
                    found.add((process.pid, process.create_time()))
        return found

    def last_words(self) -> str:
        """Return what Airflow's own log says of triggerers, and of errors: the end of it."""
        lines = self.lab.log.read_text(errors="replace").splitlines()
        return "\n".join([line[:500] for line in lines if "triggerer" in line or "Error" in line][-60:])

    def health(self) -> dict[str, str]:
        """Return what Airflow says of its components."""
        return {name: part["status"] for name, part in self.lab.get("/monitor/health").items() if part["status"]}

    def log(self, dag_id: str, task_id: str) -> str:
        """Return the log files of all tries of a task, and of their triggers."""
        folder = self.lab.home / "logs" / f"dag_id={dag_id}" / f"run_id={self.run_ids[dag_id]}" / f"task_id={task_id}"
        return "\n".join(path.read_text(errors="replace") for path in sorted(folder.glob("attempt=*")))


def tables(sql: Callable[[str], list[tuple[Any, ...]]], catalogue: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables of a database.

    Args:
        sql: runs a query.
        catalogue: the query that returns the names of its tables.
    """
    return {name: sql(f'select * from "{name}"') for (name,) in sql(catalogue)}
