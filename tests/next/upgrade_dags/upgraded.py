"""A Dag whose tasks begin on one version of Airflow and end on a later one."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

SHARED = {"poll_interval": 1.0, "retries": 6, "on_unknown_submission": "resubmit"}

with DAG("upgraded", schedule=None):
    # long enough for the test to pause the Dag before the retry
    unknown = VeoCreateVideoOperator.partial(
        task_id="unknown", conn_id="veo_keys", deferrable=False, retry_delay=timedelta(minutes=1), **SHARED
    )
    unknown.expand(prompt=["{{ run_id }} unknown"])
    waiting = VeoCreateVideoOperator.partial(task_id="waiting", conn_id="veo_held", deferrable=True, **SHARED)
    waiting.expand(prompt=["{{ run_id }} waiting"])
