"""Tasks that fail after they have stored their video, on a real Airflow: each orders once until it succeeds."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from airflow_provider_veo.version_compat import AIRFLOW_V_3_3_PLUS
from tests.support.dag_runs import DAGS, clear, dags_in
from tests.support.scripted_server import KEY, connect

pytestmark = [
    pytest.mark.usefixtures("database"),
    pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="before Airflow 3.3 there is no task state store"),
]

TASKS = 7
"""Plain, mapped and decorated tasks, deferred and waiting, and one without a destination."""


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """Return a function that runs the Dag, where each task fails `times` times, and one that counts the orders."""
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path / "videos"))
    (tmp_path / "counts").mkdir()
    dag = dags_in(DAGS)["failing_afterwards"]
    with EmulatorServer(Settings(api_key=KEY, generation_seconds=0.05)) as emulator:
        connect(monkeypatch, emulator.url)

        def start(*ways, times):
            return dag, dag.test(run_conf={"ways": ways, "times": times, "folder": str(tmp_path / "counts")})

        def orders():
            counted = Counter(job.prompt for job in emulator.jobs.all())
            assert len(counted) == TASKS
            return set(counted.values())

        start.emulator = emulator
        yield start, orders


def records(dag_run):
    """Return the order records of a run from Airflow's database."""
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(select(TaskStateStoreModel).where(TaskStateStoreModel.run_id == dag_run.run_id)).all()
        return [json.loads(row.value) for row in rows]


def hashes_in_events(dag_run):
    """Return the hashes of the stored files in the asset events of a run."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == dag_run.run_id)).all()
        return sorted(event.extra["sha256"] for event in events)


def states(dag_run):
    return Counter(str(ti.state) for ti in dag_run.get_task_instances())


def test_a_retry_and_a_clear_return_the_stored_video(failing):
    start, orders = failing
    dag, dag_run = start("template", "post_execute", "xcom", times=2)  # the first try and its retry
    assert states(dag_run) == {"failed": TASKS}
    assert Counter(record["state"] for record in records(dag_run)) == {"stored": TASKS - 1, "submitted": 1}
    assert max(len(json.dumps(record)) for record in records(dag_run)) < 2048
    assert orders() == {1}
    fetched = [line for line in start.emulator.jobs.requests if "/content" in line]
    assert len(fetched) == TASKS - 1, "a retry has fetched the video again"
    assert hashes_in_events(dag_run) == []
    assert set(clear(dag, dag_run).values()) == {"success"}
    assert {record["state"] for record in records(dag_run)} == {"delivered"}
    assert hashes_in_events(dag_run) == sorted(
        record["kept"]["sha256"] for record in records(dag_run) if record["kept"]
    )
    assert orders() == {1}
    assert set(clear(dag, dag_run).values()) == {"success"}
    assert orders() == {2}


def test_a_failure_after_the_success_does_not_fail_the_task(failing):
    start, orders = failing
    dag, dag_run = start("callback", "listener", times=1)
    assert states(dag_run) == {"success": TASKS}
    assert {record["state"] for record in records(dag_run)} == {"delivered"}
    assert set(clear(dag, dag_run).values()) == {"success"}
    assert orders() == {2}
