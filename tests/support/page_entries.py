"""Fill Airflow's database with runs and page entries, as tasks would have left them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.models import xcom
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance, uuid7
from airflow.utils.state import DagRunState
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from airflow_provider_veo.api.backends.profiles import VEO_GATEWAY
from airflow_provider_veo.observability import page
from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY

Task = tuple[str, int, str, Mapping[str, Any]]
"""Task ID, map index, state, and XComs by key."""

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
OUR_DAG = {"dag": {"tasks": [{"__var": {"_operator_extra_links": {"Video": "veo_link"}}}]}}
ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")
STATES = ("success", "success", "success", "failed", "deferred")
MODELS = ("veo-3.1-fast", "veo-3.1-landscape", "sora-9")


HAS_TRIES = hasattr(xcom, "XComModelV2")
"""Whether XComs belong to a try. `XComModel` cannot be written then."""

INDEX = "region_index" if HAS_TRIES else "map_index"
XCOMS: Any = xcom.XComModelV2 if HAS_TRIES else xcom.XComModel


def empty(session: Session) -> None:
    """Remove all Dags and runs, with their task instances and XComs."""
    for table in (XCOMS, TaskInstance, DagRun, SerializedDagModel, DagVersion, DagModel):
        session.execute(delete(table), execution_options={"include_all_attempts": True})
    session.commit()


def add_dag(session: Session, dag_id: str, data: Mapping[str, Any] = OUR_DAG) -> None:
    """Add a Dag with one version, unless it is there.

    Args:
        session: Session of Airflow's database.
        dag_id: ID of the Dag.
        data: The serialized Dag; by default the part of it that names this provider.
    """
    if session.get(DagModel, dag_id) is not None:
        return
    if session.get(DagBundleModel, "b") is None:
        session.add(DagBundleModel(name="b"))
        session.flush()
    session.add(DagModel(dag_id=dag_id, fileloc="x.py", bundle_name="b"))
    session.flush()
    version = DagVersion(dag_id=dag_id, version_number=1, bundle_name="b")
    session.add(version)
    session.flush()
    values = {"dag_id": dag_id, "_data": data, "dag_hash": "0" * 32, "dag_version_id": version.id}
    session.execute(insert(SerializedDagModel), [values])


def add_run(session: Session, dag_id: str, run_id: str, tasks: Sequence[Task], *, at: datetime = START) -> None:
    """Add a run.

    Args:
        session: Session of Airflow's database.
        dag_id: Dag ID of the run.
        run_id: ID of the run.
        tasks: Its task instances.
        at: Date of the run, and start of its tasks.
    """
    add_dag(session, dag_id)
    is_over = all(state in ENDED for _, _, state, _ in tasks)
    run = DagRun(
        dag_id=dag_id,
        run_id=run_id,
        run_type="manual",
        logical_date=at,
        run_after=at,
        state=DagRunState.SUCCESS if is_over else DagRunState.RUNNING,
    )
    run.end_date = at + timedelta(hours=1) if is_over else None
    session.add(run)
    session.flush()
    add_rows(session, make_rows(dag_id, run_id, run.id, tasks, at=at))
    session.commit()


Rows = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""Rows of task instances and of XComs."""


def make_rows(dag_id: str, run_id: str, dag_run_id: int, tasks: Sequence[Task], *, at: datetime) -> Rows:
    """Return the rows of some task instances of a run and of their XComs."""
    instances: list[dict[str, Any]] = []
    xcoms: list[dict[str, Any]] = []
    for task_id, map_index, state, notes in tasks:
        key = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id}
        task = uuid7()
        instances.append(
            {
                **key,
                "id": task,
                INDEX: map_index,
                "state": state,
                "try_number": 1,
                "max_tries": 0,
                "start_date": at,
                "end_date": at + timedelta(seconds=90) if state in ENDED else None,
                "operator": "VeoCreateVideoOperator",
                "pool": "default_pool",
                "pool_slots": 1,
                "queue": "default",
                "priority_weight": 1,
                "hostname": "",
                "unixname": "",
                "executor_config": {},
                "custom_operator_name": "VeoCreateVideoOperator",
            }
            | ({} if HAS_TRIES else {"span_status": "not_started"})
        )
        place = {"task_instance_id": task} if HAS_TRIES else {**key, "map_index": map_index, "dag_run_id": dag_run_id}
        for name, value in notes.items():
            moment = at + timedelta(seconds=len(xcoms))
            xcoms.append({**place, "key": name, "value": value, "timestamp": moment})
    return instances, xcoms


def add_rows(session: Session, rows: Rows) -> None:
    """Add task instances and XComs."""
    for table, values in zip((TaskInstance, XCOMS), rows, strict=True):
        if values:
            session.execute(insert(table.__table__), values)


def add_tasks(session: Session, count: int, *, per_run: int = 100, dag_id: str = "videos") -> None:
    """Add runs with that many mapped tasks of all states. The last task is the newest."""
    for first in range(0, count, per_run):
        add_run(
            session,
            dag_id,
            f"r{first}",
            [
                ("create", n - first, STATES[n % len(STATES)], notes_of(n))
                for n in range(first, min(first + per_run, count))
            ],
            at=START + timedelta(minutes=10 * first / per_run),
        )


def notes_of(number: int) -> dict[str, Any]:
    """Return the XComs of the page entry of one of these tasks, by key."""
    state, model = STATES[number % len(STATES)], MODELS[number % len(MODELS)]
    order = page.describe_order(f"prompt {number}: a village in the snow, slow drone shot " * 3, model, VEO_GATEWAY)
    if state == "success":
        outcome = {
            "videos": [f"video_{number}"],
            "generation_seconds": 60.0 + number % 30,
            "estimated_cost_usd": order["estimated_cost_usd"],
        }
        return {ORDER_KEY: order, OUTCOME_KEY: outcome}
    if state == "failed":
        return {ORDER_KEY: order, OUTCOME_KEY: {"error": "The content filter refused it."}}
    return {ORDER_KEY: order, "progress": f"processing {number % 100} %"}
