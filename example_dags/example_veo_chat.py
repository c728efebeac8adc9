"""The streaming chat call makes two videos of one prompt, and a mapped task stores each of them.

The chat call holds a worker slot until it ends. If the gateway offers `/v1/videos`, prefer `VeoCreateVideoOperator`.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator

with DAG(
    dag_id="example_veo_chat",
    description="The streaming chat call makes two videos of one prompt, and a mapped task stores each of them.",
    schedule=None,
    params={"prompt": "画只猪在天上飞"},
    default_args={"retries": 2},  # cheap: a retry orders only the missing videos (Airflow 3.3 and later)
    tags=["example", "veo"],
):
    chat = VeoChatCompletionOperator(
        task_id="chat",
        prompt="{{ params.prompt }}",
        model="veo-3.1-fast",
        n=2,
    )
    VeoDownloadOperator.partial(
        task_id="download_video",
        destination="{{ dag.dag_id }}/{{ run_id }}/{{ ti.map_index }}.mp4",
    ).expand(url=chat.output)
