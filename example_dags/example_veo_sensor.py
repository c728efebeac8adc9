"""Wait for a video that something else has ordered, and store it.

The first task stands for whatever orders videos at your place: a web shop, a notebook, another Dag. What it orders it
orders each time it runs: only the create operator remembers its orders, so prefer that one in your own Dags.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.sensors.video import VeoVideoSensor

with DAG(
    dag_id="example_veo_sensor",
    description="Wait for a video that something else has ordered, and store it.",
    schedule=None,
    params={"prompt": "A paper boat crosses a puddle"},
    default_args={"retries": 2},  # cheap: a retry asks for the same video again
    tags=["example", "veo"],
):

    @task(retries=0)
    def order(params: dict[str, str]) -> str:
        """Order a video and return its id at once."""
        from airflow_provider_veo.api.specs import VideoSpec
        from airflow_provider_veo.hooks.veo import VeoHook

        return VeoHook().create_video(VideoSpec(params["prompt"], model="veo-3.1-fast")).id

    video = VeoVideoSensor(task_id="wait_for_video", video_id=order(), deferrable=True, timeout=20 * 60)
    VeoDownloadOperator(
        task_id="download_video",
        video_id=video.output,
        destination="{{ dag.dag_id }}/{{ run_id }}.mp4",  # below [veo] storage
    )
