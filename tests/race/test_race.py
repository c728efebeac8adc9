"""The quickstart's Dag on a real scheduler, with videos that are completed during the seconds of Airflow's race.

With `VEO_SHORTEST_DEFERRAL=0 make test-race`, the race occurs and the test fails.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from dev.airflow_lab import AirflowLab
from dev.waiting import wait_until
from tests.docs.pages import ROOT, blocks

RUNS = 20
AT_ONCE = 5
READY_AFTER = 5.0
"""Seconds. A supervisor was observed to take five to six seconds to end the process of a deferred task."""

_RUN_TIMEOUT = 300.0


@pytest.fixture
def lab(tmp_path):
    (dag,) = [block for block in blocks(ROOT / "docs" / "quickstart.md") if block.file == "dags/cats.py"]
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "cats.py").write_text(dag.text, encoding="utf-8")
    settings = {
        "AIRFLOW__VEO__STORAGE": str(tmp_path / "videos"),
        "AIRFLOW__VEO__POLL_INTERVAL": "1",  # as in the quickstart
        "AIRFLOW__VEO__SHORTEST_DEFERRAL": os.environ.get("VEO_SHORTEST_DEFERRAL", ""),
    }
    with EmulatorServer(Settings(generation_seconds=READY_AFTER)) as emulator:
        connection = {"conn_type": "veo", "host": emulator.url, "password": emulator.settings.api_key}
        with AirflowLab(folder, {"veo_default": connection}, settings) as lab:
            yield lab


def test_every_run_of_the_quickstarts_dag_succeeds_at_its_first_try(lab):
    ends = Counter()
    for _ in range(RUNS // AT_ONCE):
        for run_id in [lab.trigger("cats") for _ in range(AT_ONCE)]:
            ends[_end(lab, run_id)] += 1
    assert ends == {("success", "no second try"): RUNS}


def _end(lab, run_id):
    state = wait_until(
        f"{run_id} to end",
        lambda: (now := lab.run_state("cats", run_id)) in ("success", "failed") and now,
        _RUN_TIMEOUT,
        details=lambda: f"{lab.task_states('cats', run_id)}\n{lab.log_tail()}",
    )
    instances = lab.get(f"/dags/cats/dagRuns/{run_id}/taskInstances")["task_instances"]
    if all(one["try_number"] <= 1 for one in instances):
        return state, "no second try"
    events = lab.get("/eventLogs?dag_id=cats&limit=500&order_by=-id")["event_logs"]
    said = [f"{event['event']}: {event['extra']}" for event in events if event["run_id"] == run_id]
    return state, "\n".join(said)
