"""Each time example_veo_text_to_video has stored a video, this Dag makes a poster of it (Airflow 3 and later).

The Dag needs the extra `media`: `pip install 'airflow-provider-veo[media]'`.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_veo.operators.media import VeoExtractFrameOperator

EVENT = "(triggering_asset_events.values() | first | first)"

with DAG(
    dag_id="example_veo_on_new_video",
    description="Each time example_veo_text_to_video has stored a video, this Dag makes a poster of it.",
    schedule=[Asset("veo_daily_video")],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    default_args={"retries": 2},  # cheap: this Dag orders nothing
    tags=["example", "veo"],
):
    VeoExtractFrameOperator(
        task_id="make_poster",
        source="{{ " + EVENT + ".source_task_instance.xcom_pull()['path'] }}",
        destination="{{ dag.dag_id }}/{{ " + EVENT + ".extra['video_id'] }}.jpg",
        at="first",
    )
