"""A list of prompts becomes a video each; a pool caps how many are in flight at the gateway.

The pool must exist, and count deferred tasks, since these hold no worker slot:
`airflow pools set --include-deferred veo_gateway 2 "videos in flight"`.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

with DAG(
    dag_id="example_veo_batch",
    description="A list of prompts becomes a video each; a pool caps how many are in flight.",
    schedule=None,
    params={"cities": ["Paris", "Nairobi", "上海"]},
    default_args={"retries": 2},  # cheap: a retry goes on with the job that was ordered (Airflow 3.3 and later)
    tags=["example", "veo"],
):

    @task
    def prompts(**context: Any) -> list[str]:
        """Return a prompt for each city; a query of your warehouse would do the same."""
        return [f"Sunrise over {city}, slow drone shot" for city in context["params"]["cities"]]

    VeoCreateVideoOperator.partial(
        task_id="create_video",
        model="veo-3.1-fast",
        destination="{{ dag.dag_id }}/{{ run_id }}/{{ ti.map_index }}.mp4",
        pool="veo_gateway",
        deferrable=True,
    ).expand(prompt=prompts())
