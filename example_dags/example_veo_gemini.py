"""Gemini Omni makes a video. The result names its exact price, which the task computes from Google's answer.

The connection `veo_gemini` holds the API key, and chooses the backend: `{"backend": "gemini"}`.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

with DAG(
    dag_id="example_veo_gemini",
    description="Gemini Omni makes a video, and the task stores it and reports its price.",
    schedule=None,
    params={"prompt": "A small cat paints the sea. 画小猫"},
    default_args={"retries": 2},  # cheap: a retry continues with the ordered job (Airflow 3.3 and later)
    tags=["example", "veo"],
):
    create_video = VeoCreateVideoOperator(
        task_id="create_video",
        conn_id="veo_gemini",
        prompt="{{ params.prompt }}",
        model="gemini-omni-1.2-flash",
        seconds=5,
        size="720x1280",
        destination="{{ dag.dag_id }}/{video_id}.mp4",  # below [veo] storage
        deferrable=True,
    )

    @task
    def report(video: dict[str, Any]) -> dict[str, Any]:
        """Return the file and the price of the video."""
        return {"path": video["path"], "cost_usd": video["cost_usd"]}

    report(create_video.output)
