"""Fills Airflow's database with generations, as tasks would have recorded them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import delete, insert

from airflow_provider_veo.api.backends.profiles import VEO_GATEWAY
from airflow_provider_veo.observability import page
from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
STATES = ("success", "success", "success", "failed", "deferred")
MODELS = ("veo-3.1-fast", "veo-3.1-landscape", "sora-9")


def empty(session):
    """Remove all runs; what belongs to them goes with them."""
    for table in (XComModel, TaskInstance, DagRun, DagModel):
        session.execute(delete(table))
    session.commit()


def add_run(session, dag_id, run_id, tasks, *, at=START):
    """Add a run with tasks: `(task_id, map_index, state, {key: record})`."""
    if session.get(DagBundleModel, "b") is None:
        session.add(DagBundleModel(name="b"))
        session.flush()
    if session.get(DagModel, dag_id) is None:
        session.add(DagModel(dag_id=dag_id, fileloc="x.py", bundle_name="b"))
        session.flush()
    run = DagRun(dag_id=dag_id, run_id=run_id, run_type="manual", logical_date=at, run_after=at, state="running")
    session.add(run)
    session.flush()
    dag_run_id = run.id
    instances, xcoms = [], []
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


def add_generations(session, count, *, per_run=100, dag_id="films"):
    """Add many generations of all kinds, each a mapped task; the newest is the last."""
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


def notes_of(number):
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
