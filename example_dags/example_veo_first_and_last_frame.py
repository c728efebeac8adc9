"""A video leads from a first picture to a last one. Each picture is given as a URL, a path or a data URI."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

with DAG(
    dag_id="example_veo_first_and_last_frame",
    description=__doc__,
    schedule=None,
    params={
        "prompt": "From morning to night, the camera stands still",
        "first_frame": "https://example.com/morning.jpg",
        "last_frame": "https://example.com/night.jpg",
    },
    default_args={"retries": 2},  # cheap: a retry continues with the ordered job (Airflow 3.3 and later)
    tags=["example", "veo"],
):
    VeoCreateVideoOperator(
        task_id="create_video",
        prompt="{{ params.prompt }}",
        model="veo-3.1-landscape-fast-fl",  # the models with "-fl" accept frames
        first_frame="{{ params.first_frame }}",
        last_frame="{{ params.last_frame }}",
        destination="{{ dag.dag_id }}/{{ run_id }}.mp4",
        deferrable=True,
    )
