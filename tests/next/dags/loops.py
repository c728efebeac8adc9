"""Dags with task loops (Airflow 3.4). The conf of a run holds the values that differ from run to run."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task_group

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

SHARED = {
    "conn_id": "{{ dag_run.conf['conn_id'] }}",
    "poll_interval": 1.0,
    "retries": 6,
    "retry_delay": timedelta(seconds=1),
}


class DyingVideoOperator(VeoCreateVideoOperator):
    """A create operator that dies of SIGKILL once: when it resumes in the pass that the conf names."""

    def execute_complete(self, context, event=None):
        marker = Path(os.environ["VEO_MARKERS"], context["run_id"].replace("/", "_"))
        if context["loop"].index == context["dag_run"].conf.get("dies_in_pass") and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute_complete(context, event)


with DAG("three_passes", schedule=None):

    @task_group
    def takes():
        # each pass orders by the same prompts, as a loop does that takes the best of several videos
        plain = DyingVideoOperator(task_id="plain", prompt="{{ run_id }} plain", deferrable=True, **SHARED)
        mapped = VeoCreateVideoOperator.partial(task_id="mapped", deferrable=False, **SHARED)
        made = mapped.expand(prompt=["{{ run_id }} first", "{{ run_id }} second"])
        [plain, made] >> EmptyOperator(task_id="end")

    takes.loop(max_iterations=3)

with DAG("on_workers", schedule=None):

    @task_group
    def shots():
        prompt = "{{ run_id }} %s in pass {{ loop.index }}"
        plain = VeoCreateVideoOperator(task_id="plain", prompt=prompt % "plain", deferrable=False, **SHARED)
        mapped = VeoCreateVideoOperator.partial(task_id="mapped", deferrable=False, **SHARED)
        [plain, mapped.expand(prompt=[prompt % "mapped"])] >> EmptyOperator(task_id="end")

    shots.loop(max_iterations=2)
    VeoCreateVideoOperator(task_id="plain", prompt="{{ run_id }} plain", deferrable=False, **SHARED)
    VeoCreateVideoOperator.partial(task_id="mapped", deferrable=False, **SHARED).expand(prompt=["{{ run_id }} mapped"])
