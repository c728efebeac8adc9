"""Videos are ordered until a judge is content with one, three videos at most (task loops: Airflow 3.4 and later).

Before Airflow 3.4 there are no task loops, and this Dag orders one video. The Dag needs the extra `media`:
`pip install 'airflow-provider-veo[media]'`.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task, task_group

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

MOST_VIDEOS = 3

with DAG(
    dag_id="example_veo_until_good",
    description="Videos are ordered until a judge is content with one, three videos at most.",
    schedule=None,
    params={"prompt": "Sunrise over a quiet harbour", "brightness": 90},
    default_args={"retries": 2},  # cheap: a retry continues with the ordered job (Airflow 3.3 and later)
    tags=["example", "veo"],
):

    @task
    def judge(video: dict[str, Any]) -> dict[str, Any]:
        """Return the brightness of a video's first picture, from 0 to 255. In your Dag, ask a vision model."""
        import av

        with ObjectStoragePath(video["path"]).open("rb") as file, av.open(file) as clip:
            picture = bytes(next(clip.decode(video=0)).reformat(format="gray").planes[0])
        return {"path": video["path"], "brightness": sum(picture) // len(picture)}

    @task_group
    def attempt() -> None:
        """Order a video, and judge it."""
        video = VeoCreateVideoOperator(
            task_id="create_video",
            prompt="{{ params.prompt }}",
            model="veo-3.1-landscape-fast",
            destination="{{ dag.dag_id }}/{{ run_id }}/{video_id}.mp4",  # each pass has a file of its own
            deferrable=True,
        )
        judge(video.output)

    def is_good(*, loop: Any, params: dict[str, Any]) -> bool:
        """End the loop with the first video that is bright enough. After three videos, the task fails instead."""
        return bool(loop.result["brightness"] >= params["brightness"])

    if hasattr(attempt, "loop"):
        attempt.loop(max_iterations=MOST_VIDEOS, until=is_good)
    else:
        attempt()
