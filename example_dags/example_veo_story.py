"""A story in scenes. Each further clip begins with the last frame of the clip before it, and the last task joins them.

The Dag needs the extra `media`: `pip install 'airflow-provider-veo[media]'`.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator

SCENES = [
    "A small cat wakes up in a lighthouse",
    "The cat climbs the stairs to the lamp",
    "The cat looks at the sea; a ship is coming. 猫看着大海",
    "The ship passes, and the cat falls asleep again",
]
FOLDER = "{{ dag.dag_id }}/{{ run_id }}"  # below [veo] storage

with DAG(
    dag_id="example_veo_story",
    description="Each further clip begins with the last frame of the clip before it, and the last task joins them.",
    schedule=None,
    default_args={"retries": 2},  # cheap: a retry continues with the ordered job (Airflow 3.3 and later)
    tags=["example", "veo"],
):
    clips, last_frame = [], None
    for number, scene in enumerate(SCENES, 1):
        clip = VeoCreateVideoOperator(
            task_id=f"scene_{number}",
            prompt=scene,
            model="veo-3.1-landscape-fast" + ("-fl" if last_frame else ""),
            first_frame=last_frame and last_frame.output,
            destination=f"{FOLDER}/scene_{number}.mp4",
            deferrable=True,
        )
        clips.append(clip)
        if number < len(SCENES):
            last_frame = VeoExtractFrameOperator(
                task_id=f"last_frame_{number}",
                source=clip.output,
                destination=f"{FOLDER}/scene_{number}_last_frame.png",
                at="last",
            )
    VeoConcatOperator(
        task_id="story",
        sources=[clip.output for clip in clips],
        destination=f"{FOLDER}/story.mp4",
    )
