"""One Dag stores a video, and two wait for it: by asset, and by alias."""

from __future__ import annotations

from airflow.sdk import DAG, Asset, AssetAlias, task

from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator

with DAG("makes", schedule=None):
    video = VeoCreateVideoOperator(
        task_id="create",
        prompt="画小猫",
        model="veo-3.1-landscape-fast",
        destination="{{ dag.dag_id }}/{video_id}.mp4",
        outlets=[Asset("new_video")],
        deferrable=True,
    )
    VeoDownloadOperator(
        task_id="copy",
        video_id=video.output,
        destination="{{ dag_run.conf['bucket'] }}/{video_id}.mp4",
        outlets=[AssetAlias("copies")],
    )

for name, outlet in {"on_asset": Asset("new_video"), "on_alias": AssetAlias("copies")}.items():
    with DAG(name, schedule=[outlet]):

        @task
        def read(triggering_asset_events=None):
            """Return the extra fields of the events."""
            return [event.extra for events in triggering_asset_events.values() for event in events]

        read()
