"""A Dag that reports the modules that the Dag processor, a worker and the triggerer have loaded."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from tests.page.probe import ProbeTrigger, loaded


class Probe(BaseOperator):
    def execute(self, context):
        context["ti"].xcom_push("worker", loaded())
        self.defer(trigger=ProbeTrigger(), method_name="execute_complete")

    def execute_complete(self, context, event=None):
        context["ti"].xcom_push("triggerer", event)


with DAG("probe", schedule=None, description=" ".join(loaded())):
    Probe(task_id="probe", retries=3)
    VeoCreateVideoOperator.partial(task_id="none").expand(prompt=[])
