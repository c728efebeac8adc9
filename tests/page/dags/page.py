"""Dags for the tests of the page: stored videos, a Dag with restricted rights, and prompts that try to inject HTML."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator

NASTY = [
    "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script></p></li>",
    "right to left: \u202eלום עולם gnp.exe \u2066 and never closed",
    "Wörter " + "W" * 9_993,
    "猫在灯塔上看海，电影感，慢镜头。" * 3,
]
SLOW = {"conn_id": "veo_slow", "poll_interval": 1.0, "timeout": timedelta(minutes=30)}
QUICK = {"poll_interval": 1.0, "retries": 3, "retry_delay": timedelta(seconds=1)}

with DAG("clips", schedule=None, default_args=QUICK):
    clips = [
        VeoCreateVideoOperator(
            task_id=task_id,
            prompt=prompt,
            model=model,
            destination=f"{{{{ run_id }}}}/{task_id}.mp4",
            deferrable=True,
        )
        for task_id, model, prompt in (
            (
                "lighthouse",
                "veo-3.1-landscape",
                "A lighthouse in a storm, waves break against the rocks, slow drone shot",
            ),
            ("cat", "veo-3.1-fast", "一只猫在窗台上打哈欠，清晨的阳光，电影感"),
        )
    ]
    VeoExtractFrameOperator(task_id="frame", source=clips[0].output, destination="{{ run_id }}/frame.png")
    VeoConcatOperator(task_id="concat", sources=[clip.output for clip in clips], destination="{{ run_id }}/joined.mp4")

with DAG("nasty", schedule=None, default_args=QUICK):
    VeoCreateVideoOperator.partial(task_id="create", model="veo-3.1-landscape-fast", deferrable=True).expand(
        prompt=NASTY
    )

with DAG("late_download", schedule=None, default_args=QUICK):
    created = VeoCreateVideoOperator(task_id="create", prompt="A paper boat on a river", deferrable=True)
    VeoDownloadOperator(task_id="download", video_id=created.output, destination="{{ run_id }}/boat.mp4")

with DAG("chat", schedule=None, default_args={"retries": 3, "retry_delay": timedelta(seconds=1)}):
    chat = VeoChatCompletionOperator(task_id="create", prompt="Two dancers in the rain", n=2)
    VeoDownloadOperator.partial(task_id="download", destination="{{ run_id }}/dancers_{{ ti.map_index }}.mp4").expand(
        url=chat.output
    )

with DAG("refused", schedule=None):
    VeoCreateVideoOperator(
        task_id="create", prompt="{{ dag_run.conf['prompt'] }}", conn_id="veo_broke", deferrable=True, retries=0
    )

with DAG("nasty_model", schedule=None):
    VeoCreateVideoOperator(
        task_id="create",
        prompt="A model that does not exist",
        model="<b>no</b><script>document.title='broken'</script>\u202e such model",
        deferrable=True,
        retries=0,
    )

with DAG("slow", schedule=None):
    VeoCreateVideoOperator(
        task_id="create",
        prompt="A glacier melts, time lapse over a hundred years",
        model="veo-3.1-landscape",
        destination="{{ run_id }}.mp4",
        deferrable=True,
        **SLOW,
    )

with DAG("secret", schedule=None, default_args=QUICK):
    VeoCreateVideoOperator(
        task_id="create", prompt="A secret product on a table", destination="{{ run_id }}.mp4", deferrable=True
    )
