"""Dags whose tasks use a hostile server, as the environment describes them, and an innocent sensor beside them."""

from __future__ import annotations

import json
import os
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Asset
from airflow.providers.standard.sensors.filesystem import FileSensor

from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator

POOL = "hostile"
ARGUMENTS = {"retries": 3, "retry_delay": timedelta(seconds=1), "pool": POOL}


def make(task_id, *, prompt, conn_id, timeout):
    common = {"prompt": prompt, "conn_id": conn_id, "timeout": timedelta(seconds=timeout)}
    if task_id.endswith("__chat"):
        return VeoChatCompletionOperator(task_id=task_id, **common)
    return VeoCreateVideoOperator(
        task_id=task_id,
        destination=f"{{{{ run_id }}}}/{task_id}.mp4",
        sidecar=True,
        outlets=[Asset(f"veo_{task_id}")],
        deferrable=not task_id.endswith("__worker"),
        poll_interval=1.0,
        **common,
    )


for dag_id, tasks in json.loads(os.environ["HOSTILE_TASKS"]).items():
    with DAG(dag_id, schedule=None, max_active_tasks=200, default_args=ARGUMENTS):
        for task_id, arguments in tasks.items():
            make(task_id, **arguments)

with DAG("innocent_sensor", schedule=None, default_args=ARGUMENTS):
    FileSensor(
        task_id="wait", filepath="{{ dag_run.conf['file'] }}", fs_conn_id="files", poke_interval=1, deferrable=True
    )
