"""Count orders, cancelled jobs and charges after each way in which Airflow clears a task."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import httpx
import pendulum
import pytest

from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS
from dev.airflow_lab import AirflowLab
from dev.waiting import wait_until
from tests.clears import rows
from tests.clears.rows import COMMAND, DIALOG, KEEPING, REST, ROWS, RUN
from tests.system.system_lab import KEY, System

GATEWAYS = {
    "veo_plain": Settings(api_key=KEY, generation_seconds=2),
    "veo_failing": Settings(api_key=KEY, generation_seconds=2),
    "veo_held": Settings(api_key=KEY, generation_seconds=2),
    "veo_cancel": Settings(api_key=KEY, generation_seconds=2, can_cancel=True),
}
FIRST = pendulum.datetime(2026, 1, 1)
STORAGES = pytest.mark.parametrize("has_storage", [True, False], ids=["with storage", "without storage"])
SETTLED = 90.0  # seconds; only tasks that do wrong need all of them


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    """Return a function that clears all rows of a Dag once, and returns their counts."""
    return cache(partial(clear_rows, tmp_path_factory))


@pytest.fixture
def cleared(measure, has_storage, row):
    return measure(has_storage, row.dag_id)


def clear_rows(tmp_path_factory, has_storage, dag_id):
    """Clear the rows of one Dag on an Airflow of their own, and return the counts of each.

    SQLite takes one writer at a time, and with the rows of all Dags together, requests would wait for minutes.
    """
    chosen = [row for row in ROWS if row.dag_id == dag_id]
    storage = {"AIRFLOW__VEO__STORAGE": str(tmp_path_factory.mktemp("storage"))} if has_storage else {}
    settings = {
        "AIRFLOW__CORE__PARALLELISM": "12",
        # the new try after a clear of a running task comes this much later (Airflow 3.4)
        "AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME": "5",
        **storage,
    }
    with ExitStack() as stack:
        gateways = {name: stack.enter_context(EmulatorServer(gateway)) for name, gateway in GATEWAYS.items()}
        connections = {
            name: {"conn_type": "veo", "host": gateway.url, "password": KEY, "extra": {"profile": "veo-gateway"}}
            for name, gateway in gateways.items()
        }
        lab = stack.enter_context(AirflowLab(Path(__file__).with_name("dags"), connections, settings))
        clears = ClearedTasks(System(lab, gateways), tmp_path_factory.mktemp("places"), chosen)
        with clears.system.held("veo_held"), clears.system.held("veo_cancel"):
            clears.start()
            clears.clear()
            clears.settle()
        counts = {row: clears.count(row) for row in chosen}
    if page := rows.page_to_write():
        cells = {(row.task, row.clear): " / ".join(map(str, counts[row].numbers)) for row in chosen}
        rows.write_column(page, rows.head("with" if has_storage else "without"), cells)
    return SimpleNamespace(counts=counts, has_storage=has_storage)


class ClearedTasks:
    """The runs of some rows, and the steps of the test."""

    def __init__(self, system, places, chosen):
        self.system = system
        self.rows = chosen
        self.runs = {}
        # the command clears a Dag's runs between two dates, so the dates of its rows follow each other
        in_order = sorted(self.rows, key=lambda row: (row.dag_id, row.clear))
        self.dates = {row: FIRST.add(days=number) for number, row in enumerate(in_order)}
        self.folders = {row: places / str(number) for number, row in enumerate(self.rows)}

    def start(self):
        """Start the runs, and wait until each task is in the state that its row describes."""
        with self.system.held("veo_failing"):
            for row, folder in self.folders.items():
                conf = {"conn_id": row.conn_id, "folder": str(folder)}
                self.runs[row] = self.system.lab.trigger(row.dag_id, conf, self.dates[row])
            for row in self.rows:
                if row.dag_id == "failed":
                    self.system.wait_until(f"the order of {row}", lambda row=row: self.polls(row) > 0)
                    # before the order, this would be an error that costs nothing
                    self.folders[row].write_text("a file stands where the folder of the video should be")
        for row in self.rows:
            self.system.wait_until(f"the beginning of {row}", lambda row=row: self.is_ready(row))

    def is_ready(self, row):
        if row.dag_id in ("failed", "delivered"):
            end = "failed" if row.dag_id == "failed" else "success"
            return self.system.lab.run_state(row.dag_id, self.runs[row]) == end
        state = {"deferred": "deferred", "waiting": "running"}[row.dag_id]
        return self.polls(row) > 0 and self.system.state(row.dag_id, self.runs[row]) == state

    def task(self, row):
        [task] = self.system.lab.task_instances(row.dag_id, self.runs[row], "create")
        return task

    def polls(self, row):
        """Return the number of status calls about the latest job of a row."""
        jobs = self.system.jobs(row.conn_id, self.runs[row])
        requests = list(self.system.gateways[row.conn_id].jobs.requests)
        return sum(line == f"GET /v1/videos/{jobs[0].id}?" for line in requests) if jobs else 0

    def clear(self):
        """Clear the task of each row in the way of that row."""
        lab = self.system.lab
        self.polled = {row: self.polls(row) for row in self.rows}
        self.tries = {row: self.task(row)["try_number"] for row in self.rows}
        self.errors = {
            row: self.system.log(row.dag_id, run) for row, run in self.runs.items() if row.dag_id == "failed"
        }
        for row, folder in self.folders.items():
            if row.dag_id == "failed":
                folder.unlink()
        for row, run_id in self.runs.items():
            if row.clear == REST:
                lab.clear(row.dag_id, run_id, "create")
            elif row.clear in (DIALOG, KEEPING):
                self.clear_in_dialog(row, run_id)
            elif row.clear == RUN:
                lab.clear_run(row.dag_id, run_id)
        for dag_id in dict.fromkeys(row.dag_id for row in self.rows):
            dates = [self.dates[row] for row in self.rows if (row.dag_id, row.clear) == (dag_id, COMMAND)]
            lab.clear_by_command(dag_id, "create", min(dates), max(dates))

    def clear_in_dialog(self, row, run_id):
        lab, keep = self.system.lab, row.clear == KEEPING
        if row.dag_id == "waiting":
            with pytest.raises(httpx.HTTPStatusError, match="409"):
                lab.clear_in_dialog(row.dag_id, run_id, "create", keep_task_state=keep)
        lab.clear_in_dialog(row.dag_id, run_id, "create", keep_task_state=keep, prevent_rerun=row.dag_id != "waiting")

    def settle(self):
        """Wait until each new try waits for a job, and each job that should be cancelled is.

        A cancellation that does not come is left out: it costs a charge, which the test finds.
        """
        held = [row for row in self.rows if row.conn_id in ("veo_held", "veo_cancel")]
        for row in held:
            self.system.wait_until(f"the new try of {row}", lambda row=row: self.has_new_try(row))
        wrong = {row for row in held if row.conn_id == "veo_cancel"}
        try:
            wait_until("cancellations", lambda: all(self.is_paid_once(row) for row in wrong), SETTLED)
        except TimeoutError:
            return

    def has_new_try(self, row):
        task = self.task(row)
        waits = task["try_number"] > self.tries[row] and task["state"] in ("deferred", "running")
        ordered_anew = len(self.system.jobs(row.conn_id, self.runs[row])) > 1
        return waits and self.polls(row) > (0 if ordered_anew else self.polled[row])

    def is_paid_once(self, row):
        run_id = self.runs[row]
        return len(self.system.jobs(row.conn_id, run_id)) - self.system.cancelled(row.conn_id, run_id) == 1

    def count(self, row):
        """Wait for the end of a run, and return its counts."""
        system, run_id = self.system, self.runs[row]
        state = system.until_over(row.dag_id, run_id)
        charged = system.charged(row.conn_id, run_id)
        return SimpleNamespace(
            state=state,
            numbers=(len(system.jobs(row.conn_id, run_id)), system.cancelled(row.conn_id, run_id), charged),
            error=self.errors.get(row, ""),
            logs=system.log(row.dag_id, run_id)[-9000:],
        )


@pytest.mark.parametrize("row", ROWS, ids=str)
@STORAGES
def test_a_clear_pays_again_only_where_airflow_says_that_it_starts_over(cleared, row):
    found = cleared.counts[row]
    orders, cancelled, charged = found.numbers
    assert found.state == "success", found.logs
    assert charged == row.charges(cleared.has_storage), (found.numbers, found.logs)
    assert orders - cancelled == charged, (found.numbers, found.logs)


@pytest.mark.parametrize("row", [row for row in ROWS if row.dag_id == "failed"], ids=str)
@STORAGES
def test_the_error_of_a_paid_video_says_how_a_clear_collects_it(cleared, row):
    error = cleared.counts[row].error
    assert "a clear" in error
    assert (AIRFLOW_V_3_4_PLUS and not cleared.has_storage) == ("Keep task state and resume" in error), error
