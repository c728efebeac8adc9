"""A function returns the prompt, and `@task.veo_video` makes the video, among other `@task` functions."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

with DAG(
    dag_id="example_veo_taskflow",
    description="A function returns the prompt, and its task makes the video.",
    schedule=None,
    params={"products": [{"name": "teapot", "colour": "red"}, {"name": "灯笼", "colour": "gold"}]},
    default_args={"retries": 2},  # cheap: a retry continues with the ordered job (Airflow 3.3 and later)
    tags=["example", "veo"],
):

    @task
    def products(**context: Any) -> list[dict[str, str]]:
        """Return the products to show. In your Dag, this may be a query of your warehouse."""
        return list(context["params"]["products"])

    @task.veo_video(model="veo-3.1-landscape-fast", deferrable=True)
    def clip(product: dict[str, str]) -> dict[str, str]:
        """Return the arguments of the video: here the prompt and the destination."""
        return {
            "prompt": f"A {product['colour']} {product['name']} turns slowly on a wooden table",
            "destination": f"example_veo_taskflow/{product['name']}.mp4",  # below [veo] storage
        }

    @task
    def catalogue(clips: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the paths and the total size of all videos."""
        return {"paths": [clip["path"] for clip in clips], "bytes": sum(clip["bytes"] for clip in clips)}

    catalogue(clip.expand(product=products()))
