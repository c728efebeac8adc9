"""Dags for the tests of the page: a user's own operator, several tries, and a task loop (Airflow 3.4 and later)."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS

QUICK = {"poll_interval": 1.0, "retries": 3, "retry_delay": timedelta(seconds=1), "deferrable": True}


class OwnVideoOperator(VeoCreateVideoOperator):
    """An operator as users derive it."""


with DAG("own", schedule=None, default_args=QUICK):
    OwnVideoOperator(task_id="create", prompt="A tram climbs a hill", destination="{{ run_id }}/tram.mp4")

with DAG("tries", schedule=None, default_args=QUICK):
    VeoCreateVideoOperator(
        task_id="create",
        prompt="A balloon, as try {{ ti.try_number }} wants it",
        destination="{{ run_id }}/balloon_{{ ti.try_number }}.mp4",
    )

if AIRFLOW_V_3_4_PLUS:
    from airflow.sdk import task_group

    with DAG("looped", schedule=None, default_args=QUICK):

        @task_group
        def takes():
            """Make two videos and one more in each pass."""
            two = VeoCreateVideoOperator.partial(
                task_id="two", destination="{{ run_id }}/{{ loop.index }}_{{ ti.map_index }}.mp4"
            ).expand(prompt=["A kite over the dunes, pass {{ loop.index }}", "A crab, pass {{ loop.index }}"])
            one = VeoCreateVideoOperator(
                task_id="one",
                prompt="A harbour, pass {{ loop.index }}",
                destination="{{ run_id }}/{{ loop.index }}.mp4",
            )
            two >> one

        takes.loop(max_iterations=2)
