"""Fill Airflow's database with runs and page entries, as tasks would have left them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.state import DagRunState
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from airflow_provider_veo.api.backends.profiles import VEO_GATEWAY
from airflow_provider_veo.observability import page
from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY

Task = tuple[str, int, str, Mapping[str, Any]]
"""Task ID, map index, state, and XComs by key."""

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
STATES = ("success", "success", "success", "failed", "deferred")
MODELS = ("veo-3.1-fast", "veo-3.1-landscape", "sora-9")


def empty(session: Session) -> None:
    """Remove all runs, with their task instances and XComs."""
    for table in (XComModel, TaskInstance, DagRun, DagModel):
        session.execute(delete(table))
    session.commit()


def add_run(session: Session, dag_id: str, run_id: str, tasks: Sequence[Task], *, at: datetime = START) -> None:
    """Add a run.

    Args:
        session: Session of Airflow's database.
        dag_id: Dag ID of the run.
        run_id: ID of the run.
        tasks: Its task instances.
        at: Date of the run, and start of its tasks.
    """
    if session.get(DagBundleModel, "b") is None:
        session.add(DagBundleModel(name="b"))
        session.flush()
    if session.get(DagModel, dag_id) is None:
        session.add(DagModel(dag_id=dag_id, fileloc="x.py", bundle_name="b"))
        session.flush()
    run = DagRun(
        dag_id=dag_id, run_id=run_id, run_type="manual", logical_date=at, run_after=at, state=DagRunState.RUNNING
    )
    session.add(run)
    session.flush()
    dag_run_id = run.id
    instances: list[dict[str, Any]] = []
    xcoms: list[dict[str, Any]] = []
    for task_id, map_index, state, notes in tasks:
        key = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        instances.append(
            {
                **key,
                "state": state,
                "try_number": 1,
                "max_tries": 0,
                "start_date": at,
                "end_date": at + timedelta(seconds=90) if state in ("success", "failed") else None,
                "operator": "VeoCreateVideoOperator",
                "pool": "default_pool",
                "pool_slots": 1,
                "queue": "default",
                "priority_weight": 1,
                "hostname": "",
                "unixname": "",
                "executor_config": {},
                "custom_operator_name": "VeoCreateVideoOperator",
                "span_status": "not_started",
            }
        )
        xcoms += [
            {
                **key,
                "dag_run_id": dag_run_id,
                "key": name,
                "value": value,
                "timestamp": at + timedelta(seconds=len(xcoms)),
            }
            for name, value in notes.items()
        ]
    session.execute(insert(TaskInstance), instances)
    if xcoms:
        session.execute(insert(XComModel), xcoms)
    session.commit()


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
