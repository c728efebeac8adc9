"""A person approves the order before it costs money, and the video before it is published (Airflow 3.1 and later).

Airflow asks both questions in the UI under "Required Actions". The answer "Reject" ends the run. The draft is kept.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, conf, task
from airflow.providers.standard.operators.hitl import ApprovalOperator

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

with DAG(
    dag_id="example_veo_approval",
    description="A person approves the order before it costs money, and the video before it is published.",
    schedule=None,
    params={"prompt": "A small cat paints the sea. 画小猫"},
    default_args={"retries": 2},  # cheap: a retry continues with the ordered job (Airflow 3.3 and later)
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
        # the link "Video" of the create task leads to the player
        body="[Watch it]({{ ti.xcom_pull(task_ids='create_video', key='veo_link') }})",
    )

    @task
    def publish(video: dict[str, Any]) -> dict[str, str]:
        """Copy the draft to the public folder."""
        draft = ObjectStoragePath(video["path"])
        published = ObjectStoragePath(conf.get("veo", "storage")) / "example_veo_approval" / "published" / draft.name
        published.parent.mkdir(parents=True, exist_ok=True)
        draft.copy(published)
        return {"path": str(published)}

    approve_order >> create_video >> approve_publishing >> publish(create_video.output)
