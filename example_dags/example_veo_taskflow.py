"""A function writes the prompt and `@task.veo_video` makes the video of it: one task among other functions."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

with DAG(
    dag_id="example_veo_taskflow",
    description="A function writes the prompt, and its task makes the video.",
    schedule=None,
    params={"products": [{"name": "teapot", "colour": "red"}, {"name": "灯笼", "colour": "gold"}]},
    default_args={"retries": 2},  # cheap: a retry goes on with the job that was ordered (Airflow 3.3 and later)
    tags=["example", "veo"],
):

    @task
    def products(**context: Any) -> list[dict[str, str]]:
        """Return what is to be shown; a query of your warehouse would do the same."""
        return list(context["params"]["products"])

    @task.veo_video(model="veo-3.1-landscape-fast", deferrable=True)
    def clip(product: dict[str, str]) -> dict[str, str]:
        """Return the arguments of the video: the prompt, and here where it goes."""
        return {
            "prompt": f"A {product['colour']} {product['name']} turns slowly on a wooden table",
            "destination": f"example_veo_taskflow/{product['name']}.mp4",  # below [veo] storage
        }

    @task
    def catalogue(clips: list[dict[str, Any]]) -> dict[str, Any]:
        """Sum up what was made."""
        return {"paths": [clip["path"] for clip in clips], "bytes": sum(clip["bytes"] for clip in clips)}

    catalogue(clip.expand(product=products()))
