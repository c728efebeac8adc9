"""Each prompt of a list becomes a video, and a pool limits the number of jobs in flight at the gateway.

The pool must exist. It must include deferred tasks, because a deferred task holds no worker slot:
`airflow pools set --include-deferred veo_gateway 2 "videos in flight"`.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

with DAG(
    dag_id="example_veo_batch",
    description="Each prompt of a list becomes a video, and a pool limits the number of jobs in flight.",
    schedule=None,
    params={"cities": ["Paris", "Nairobi", "上海"]},
    default_args={"retries": 2},  # cheap: a retry continues with the ordered job (Airflow 3.3 and later)
    tags=["example", "veo"],
):

    @task
    def prompts(**context: Any) -> list[str]:
        """Return a prompt for each city. In your Dag, this may be a query of your warehouse."""
        return [f"Sunrise over {city}, slow drone shot" for city in context["params"]["cities"]]

    VeoCreateVideoOperator.partial(
        task_id="create_video",
        model="veo-3.1-fast",
        destination="{{ dag.dag_id }}/{{ run_id }}/{{ ti.map_index }}.mp4",
        pool="veo_gateway",
        deferrable=True,
    ).expand(prompt=prompts())
