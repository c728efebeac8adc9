"""The parts that all operators share: the hook."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.decorators.video import VeoVideoDecoratedOperator
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.sensors.video import VeoVideoSensor

OPERATORS = [
    (VeoCreateVideoOperator, {"prompt": "a cat"}),
    (VeoChatCompletionOperator, {"prompt": "a cat"}),
    (VeoDownloadOperator, {"video_id": "v", "destination": "/tmp/a.mp4"}),
]
KINDS = [*OPERATORS, (VeoVideoSensor, {"video_id": "v"})]


@pytest.fixture
def connections(monkeypatch):
    for name in ("one", "two"):
        connection = {"conn_type": "veo", "host": f"https://{name}.example.com", "password": f"sk-canary-{name}"}
        connection["extra"] = {"profile": "veo-gateway"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


@pytest.mark.usefixtures("connections")
@pytest.mark.parametrize(("kind", "arguments"), OPERATORS)
def test_the_hook_is_made_once_and_of_the_rendered_connection(kind, arguments):
    operator = kind(task_id="t", conn_id="{{ which }}", **arguments)
    operator.conn_id = "one"  # as Airflow does when it renders the template
    assert operator.hook is operator.hook
    assert operator.hook.settings.base_url == "https://one.example.com"


@pytest.mark.parametrize(("kind", "arguments"), KINDS)
def test_a_parsed_dag_and_its_copies_have_no_hook(kind, arguments):
    from airflow.serialization import serialized_objects

    # Airflow 3.2 and later have another name for it
    serializer = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    with DAG("d", schedule=None) as dag:
        operator = kind(task_id="t", **arguments)
    assert '"hook"' not in json.dumps(serializer.to_dict(dag))
    for made in (operator, copy.copy(operator), copy.deepcopy(operator), pickle.loads(pickle.dumps(operator))):
        assert "hook" not in vars(made)


@pytest.mark.usefixtures("connections")
def test_an_operator_that_has_used_its_hook_can_be_copied():
    operator = VeoCreateVideoOperator(task_id="t", prompt="a cat", conn_id="one")
    assert operator.hook.settings.api_key == "sk-canary-one"
    assert copy.deepcopy(operator).hook.settings.base_url == "https://one.example.com"


@pytest.mark.usefixtures("connections")
def test_a_function_may_return_another_connection():
    operator = VeoVideoDecoratedOperator(task_id="t", python_callable=lambda: "a cat", conn_id="one")
    assert operator.hook.conn_id == "one"
    operator._take({"prompt": "a cat", "conn_id": "two"})
    assert operator.hook.conn_id == "two"
