"""Dags whose tasks are cleared. The conf of a run holds the connection and the place of the video."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

LIMITS = {"max_active_runs": 100, "max_active_tasks": 100}
SHARED = {
    "prompt": "{{ run_id }}",
    "conn_id": "{{ dag_run.conf['conn_id'] }}",
    "destination": "{{ dag_run.conf['folder'] }}/video.mp4",
    "poll_interval": 1.0,
    "retry_delay": timedelta(seconds=1),
}

for name, arguments in {
    "failed": {"deferrable": False, "retries": 1},
    "deferred": {"deferrable": True, "retries": 6},
    "waiting": {"deferrable": False, "retries": 6},
    "delivered": {"deferrable": False, "retries": 6},
}.items():
    with DAG(name, schedule=None, **LIMITS):
        VeoCreateVideoOperator(task_id="create", **SHARED, **arguments)
