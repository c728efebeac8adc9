"""OpenRouter sells Veo and other models by one key. An option of Google reaches the model through OpenRouter.

The connection `veo_openrouter` has the API key and the host `https://openrouter.ai/api`.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.operators.create import VeoCreateVideoOperator

with DAG(
    dag_id="example_veo_openrouter",
    description="OpenRouter orders a video from Google, and the task stores it.",
    schedule=None,
    params={"prompt": "A small cat paints the sea. 画小猫"},
    default_args={"retries": 2},  # cheap: a retry continues with the ordered job (Airflow 3.3 and later)
    tags=["example", "veo"],
):
    VeoCreateVideoOperator(
        task_id="create_video",
        conn_id="veo_openrouter",
        prompt="{{ params.prompt }}",
        model="google/veo-3.1-fast",
        seconds=4,
        size="1280x720",
        extra_body={"provider": {"options": {"google-vertex": {"negativePrompt": "text, people"}}}},
        destination="{{ dag.dag_id }}/{video_id}.mp4",  # below [veo] storage
        deferrable=True,
    )
