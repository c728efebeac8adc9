"""Insert deferred task instances into an Airflow database, as a mapped task leaves them, and check them afterwards.

This is a separate process, because Airflow reads the address of its database when it is imported.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from airflow.models.connection import Connection
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.sdk import timezone
from airflow.sdk.serde import deserialize
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import delete, select

from benchmarks import jobs
from benchmarks.deferred_dag import DAG_ID, TASK_ID
from benchmarks.peers import TRIGGERS, connections, ended_well

RUN_ID = "benchmark"


def insert(arguments: argparse.Namespace) -> dict[str, Any]:
    """Defer task instances to triggers of one peer, as soon as a line arrives on the standard input."""
    print("ready", flush=True)
    sys.stdin.readline()
    waiting = jobs.spread(arguments.jobs, arguments.tag, arguments.seed, arguments.first, arguments.last)
    with create_session() as session:
        for conn_id, connection in connections(arguments.port).items():
            session.add(Connection.from_json(json.dumps(connection), conn_id))
        serialized = session.scalars(select(SerializedDagModel).where(SerializedDagModel.dag_id == DAG_ID)).one()
        now = timezone.utcnow()
        serialized.dag.create_dagrun(
            run_id=RUN_ID,
            run_after=now,
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.RUNNING,
            session=session,
        )
        session.execute(delete(TaskInstance).where(TaskInstance.dag_id == DAG_ID))
        task = serialized.dag.get_task(TASK_ID)
        for index, job in enumerate(waiting):
            path, kwargs = TRIGGERS[arguments.peer](job, arguments.poll_interval)
            instance = TaskInstance(
                task, dag_version_id=serialized.dag_version_id, run_id=RUN_ID, state="deferred", map_index=index
            )
            instance.start_date = now
            instance.next_method = "execute_complete"
            instance.trigger = Trigger(path, kwargs)
            session.add(instance)
    return {"last_end": max(job.ends_at for job in waiting)}


def check(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the number of task instances that would not resume with a finished job."""
    with create_session() as session:
        instances = session.scalars(select(TaskInstance).where(TaskInstance.dag_id == DAG_ID)).all()
        good = sum(
            instance.state == TaskInstanceState.SCHEDULED and ended_well(_event(instance)) for instance in instances
        )
    return {"failures": arguments.jobs - good}


def _event(instance: TaskInstance) -> Any:
    resumed_with: Any = deserialize(instance.next_kwargs)
    return resumed_with.get("event")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("insert", "check"))
    parser.add_argument("--peer", choices=tuple(TRIGGERS), default="empty")
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tag", default="deferred")
    parser.add_argument("--poll-interval", type=float)
    parser.add_argument("--first", type=float, default=60.0, help="seconds until the first job ends")
    parser.add_argument("--last", type=float, default=90.0, help="seconds until the last job ends")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    chosen = _arguments()
    print(json.dumps(insert(chosen) if chosen.action == "insert" else check(chosen)), flush=True)
