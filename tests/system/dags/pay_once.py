"""Dags for the system tests. The conf of a run holds the values that differ from run to run."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path
from unittest import mock

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.content.download import Received
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.orders.record import State
from airflow_provider_veo.orders.store import OrderStore

# `FAST` has more retries than the tests need: on a busy machine, Airflow loses some tries before their first line
POINTS = {
    State.INTENT: "intent",
    State.SUBMITTED: "record",
    State.STORED: "storing",
    State.DELIVERED: "delivery",
}

FAST = {"retries": 6, "retry_delay": timedelta(seconds=1), "poll_interval": 1.0}


class CrashingCreateVideoOperator(VeoCreateVideoOperator):
    """A create operator that dies of SIGKILL when it first reaches a given point."""

    template_fields = (*VeoCreateVideoOperator.template_fields, "point", "on_unknown_submission")

    def __init__(self, *, point, **kwargs):
        super().__init__(**kwargs)
        self.point = point

    def execute(self, context):
        self._prepare(context)
        return super().execute(context)

    def execute_complete(self, context, event=None):
        self._prepare(context)
        if self.point == "resume":
            self._die()
        return super().execute_complete(context, event)

    def defer(self, **kwargs):
        if self.point == "deferral":
            self._die()
        super().defer(**kwargs)

    def _prepare(self, context):
        """Patch the classes until this process ends, since the delivery is recorded after the task's success."""
        self._marker = Path(os.environ["VEO_CRASH_MARKERS"], context["run_id"].replace("/", "_"))
        write, create, take = OrderStore._set, VeoClient.create_video, Received.take

        def dying_write(store, record):
            point = POINTS.get(record.state)
            if self.point == f"before {point}":
                self._die()
            write(store, record)
            if self.point == f"after {point}":
                self._die()

        def dying_create(*args):
            video = create(*args)
            if self.point == "after post":
                self._die()
            return video

        def dying_take(received, stream):
            if self.point == "download" and not self._marker.exists():
                received._file.write(next(stream.chunks))
                received._file.flush()
                self._die()
            take(received, stream)

        OrderStore._set, VeoClient.create_video, Received.take = dying_write, dying_create, dying_take

    def _die(self):
        if not self._marker.exists():
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class CrashingChatOperator(VeoChatCompletionOperator):
    """A chat operator that dies of SIGKILL once, as soon as its first video is recorded."""

    def execute(self, context):
        write = OrderStore._set
        marker = Path(os.environ["VEO_CRASH_MARKERS"], context["run_id"].replace("/", "_"))

        def dying_write(store, record):
            write(store, record)
            if len(record.urls) == 1 and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)

        with mock.patch.object(OrderStore, "_set", dying_write):
            return super().execute(context)


with DAG("crashing_chat", schedule=None):
    CrashingChatOperator(
        task_id="create",
        prompt="{{ run_id }}",
        conn_id="{{ dag_run.conf['conn_id'] }}",
        n=2,
        retries=FAST["retries"],
        retry_delay=timedelta(seconds=1),
    )

with DAG("crashing", schedule=None):
    CrashingCreateVideoOperator(
        task_id="create",
        prompt="{{ run_id }}",
        conn_id="{{ dag_run.conf['conn_id'] }}",
        point="{{ dag_run.conf['point'] }}",
        on_unknown_submission="{{ dag_run.conf['on_unknown'] }}",
        destination="{{ run_id }}.mp4",
        deferrable=True,
        **FAST,
    )

for name, arguments in {
    "deferred": {"deferrable": True},
    "waiting": {"deferrable": False},
    "hurried": {"deferrable": True, "execution_timeout": timedelta(seconds=3), "retries": 0},
}.items():
    with DAG(name, schedule=None):
        VeoCreateVideoOperator(
            task_id="create", prompt="{{ run_id }}", conn_id="{{ dag_run.conf['conn_id'] }}", **(FAST | arguments)
        )

with DAG("gated", schedule=None):
    VeoCreateVideoOperator(
        task_id="create",
        prompt="{{ run_id }}",
        conn_id="{{ dag_run.conf['conn_id'] }}",
        pool="gate",
        deferrable=True,
        **FAST,
    )

with DAG("mapped", schedule=None):
    VeoCreateVideoOperator.partial(
        task_id="create", conn_id="{{ dag_run.conf['conn_id'] }}", deferrable=True, **FAST
    ).expand(prompt=[f"mapped {number % 19}" for number in range(20)])

with DAG("hundred", schedule=None):
    VeoCreateVideoOperator.partial(
        task_id="create", conn_id="{{ dag_run.conf['conn_id'] }}", deferrable=True, **FAST
    ).expand(prompt=[f"hundred {number}" for number in range(100)])
