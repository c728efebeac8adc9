"""A Dag whose tasks fail after they have stored their video. The run's conf says in which way, and how often."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.listeners import hookimpl
from airflow.providers.common.compat.sdk import DAG, AssetAlias, task

from airflow_provider_veo.operators.create import VeoCreateVideoOperator


def fails(context, way):
    """Return whether this try fails in this way, and count it.

    The conf has the `ways`, which the numbers of the tasks select in turn, and the `times` that each task fails.
    """
    conf, ti = context["dag_run"].conf, context["ti"]
    number = int(ti.task_id.rpartition("_")[2])
    if conf["ways"][number % len(conf["ways"])] != way:
        return False
    count = Path(conf["folder"], f"{ti.run_id} {ti.task_id}".replace("/", "_"))
    seen = len(count.read_text()) if count.exists() else 0
    count.write_text("x" * (seen + 1))
    return seen < conf["times"]


def afterwards(context, result):
    """Fail as a user's `post_execute` may."""
    if not fails(context, "template"):
        context["named"] = "a name"
    if fails(context, "post_execute"):
        raise RuntimeError("post_execute")
    if fails(context, "xcom"):
        result["odd"] = object()  # not storable as an XCom
    if fails(context, "sigkill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if fails(context, "listener"):
        from airflow.sdk.listener import get_listener_manager  # Airflow 3

        get_listener_manager().add_listener(Listener())


class Listener:
    """A listener that raises once, at the success of a task."""

    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        from airflow.sdk.listener import get_listener_manager

        get_listener_manager().pm.unregister(self)
        raise RuntimeError("a listener")


def fail_in_callback(context):
    """Fail as a user's callback may."""
    if fails(context, "callback"):
        raise RuntimeError("the user's own callback")


SHARED = {
    "conn_id": "{{ dag_run.conf.get('conn_id', 'veo_default') }}",
    "model": "veo-3.1",
    "poll_interval": 0.2,
    "map_index_template": "{{ named }}",
    "post_execute": afterwards,
    "on_success_callback": fail_in_callback,
    "outlets": [AssetAlias("veo_failing_afterwards")],
    "retries": int(os.environ.get("VEO_RETRIES", "1")),
    "retry_delay": timedelta(0),
}
PROMPT = "{{ run_id }} {{ ti.task_id }}"
PLACE = "{{ run_id }}/{{ ti.task_id }}/{video_id}.mp4"

with DAG("failing_afterwards", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    for number, deferrable in enumerate((True, False)):
        shared = SHARED | {"deferrable": deferrable}
        VeoCreateVideoOperator(task_id=f"plain_{number}", prompt=PROMPT, destination=PLACE, **shared)
        mapped = VeoCreateVideoOperator.partial(task_id=f"mapped_{number + 1}", destination=PLACE, **shared)
        mapped.expand(prompt=[PROMPT])

        @task.veo_video(task_id=f"decorated_{number + 2}", destination=PLACE, **shared)
        def clip(scene, run_id, ti):
            return f"{run_id} {ti.task_id}"

        clip.expand(scene=[1])
    VeoCreateVideoOperator(task_id="nowhere_2", prompt=PROMPT, deferrable=True, **SHARED)
