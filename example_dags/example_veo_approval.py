"""A person says yes before money is spent, and once more before the video is published (Airflow 3.1 and later).

The questions are in the UI under "Required Actions". Whoever says no ends the run; a draft stays where it is.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, conf, task
from airflow.providers.standard.operators.hitl import ApprovalOperator

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

with DAG(
    dag_id="example_veo_approval",
    description="A person says yes before money is spent, and once more before the video is published.",
    schedule=None,
    params={"prompt": "A small cat paints the sea. 画小猫"},
    default_args={"retries": 2},  # cheap: a retry goes on with the job that was ordered (Airflow 3.3 and later)
    tags=["example", "veo"],
):
    approve_order = ApprovalOperator(
        task_id="approve_order",
        subject="Order a video for $0.15?",
        body="Prompt: {{ params.prompt }}",
    )
    create_video = VeoCreateVideoOperator(
        task_id="create_video",
        prompt="{{ params.prompt }}",
        model="veo-3.1-landscape-fast",
        destination="{{ dag.dag_id }}/drafts/{video_id}.mp4",
        deferrable=True,
    )
    approve_publishing = ApprovalOperator(
        task_id="approve_publishing",
        subject="Publish this video?",
        # the create task's link "Video" leads to the player
        body="[Watch it]({{ ti.xcom_pull(task_ids='create_video', key='veo_link') }})",
    )

    @task
    def publish(video: dict[str, Any]) -> dict[str, str]:
        """Copy the draft to where the public finds it."""
        draft = ObjectStoragePath(video["path"])
        published = ObjectStoragePath(conf.get("veo", "storage")) / "example_veo_approval" / "published" / draft.name
        published.parent.mkdir(parents=True, exist_ok=True)
        draft.copy(published)
        return {"path": str(published)}

    approve_order >> create_video >> approve_publishing >> publish(create_video.output)
