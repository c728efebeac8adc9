"""Veo on Google Cloud makes a video and stores it in your bucket. The task copies it from there, and checks it.

The connection `veo_vertex` names the project, the credentials and, as `output_uri`, the folder of the bucket. Without
`output_uri`, the task gets the video from Google's answer.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

with DAG(
    dag_id="example_veo_vertex",
    description="Veo on Google Cloud makes a video, stores it in a bucket, and the task copies it.",
    schedule=None,
    params={"prompt": "A small cat paints the sea. 画小猫"},
    default_args={"retries": 2},  # cheap: a retry continues with the ordered job (Airflow 3.3 and later)
    tags=["example", "veo"],
):
    VeoCreateVideoOperator(
        task_id="create_video",
        conn_id="veo_vertex",
        prompt="{{ params.prompt }}",
        model="veo-3.1-fast-generate-001",
        seconds=4,
        size="1280x720",
        extra_body={"parameters": {"negativePrompt": "text, people"}, "labels": {"team": "marketing"}},
        destination="{{ dag.dag_id }}/{video_id}.mp4",  # below [veo] storage
        deferrable=True,
    )
