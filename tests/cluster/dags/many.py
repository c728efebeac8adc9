"""Three hundred videos, each by a mapped task."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

with DAG("many", schedule=None):
    VeoCreateVideoOperator.partial(
        task_id="create",
        model="veo-3.1-fast",
        # small and short, since this machine renders all of them
        size="320x180",
        seconds="1",
        destination="{{ run_id }}/{{ ti.map_index }}.mp4",
        deferrable=True,
        poll_interval=15.0,
        timeout=timedelta(hours=3),
        retries=5,
        retry_delay=timedelta(seconds=2),
    ).expand(prompt=[f"A village in the snow, take {number}" for number in range(300)])
