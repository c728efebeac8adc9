"""Every day, a prompt becomes a video file: the tasks order the video, wait for it without a worker slot, and store it.

If you unpause this Dag, the run of the last day starts at once, as for every daily Dag.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator

with DAG(
    dag_id="example_veo_text_to_video",
    description="Every day, the tasks order a video, wait for it without a worker slot, and store it.",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"prompt": "A small cat paints the sea. 画小猫"},
    default_args={"retries": 2},  # cheap: a retry continues with the ordered job (Airflow 3.3 and later)
    tags=["example", "veo"],
):
    create_video = VeoCreateVideoOperator(
        task_id="create_video",
        prompt="{{ params.prompt }}",
        model="veo-3.1-landscape-fast",
        deferrable=True,
    )
    VeoDownloadOperator(
        task_id="download_video",
        video_id=create_video.output,
        destination="{{ dag.dag_id }}/{video_id}.mp4",  # below [veo] storage
        outlets=[Asset("veo_daily_video")],  # starts example_veo_on_new_video
    )
