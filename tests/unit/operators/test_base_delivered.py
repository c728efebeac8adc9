"""A video is delivered once its task has succeeded: a success callback of this package records it."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_veo import version_compat
from airflow_provider_veo.operators.base import mark_delivered
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.orders.record import State
from airflow_provider_veo.orders.store import OrderStore
from airflow_provider_veo.tasks.run import TaskRun
from tests.unit.orders.samples import INTENT, KEPT, RECORD, record


def first(context):
    pass


def second(context):
    pass


def create(**arguments):
    return VeoCreateVideoOperator(**{"task_id": "create", "prompt": "a cat", **arguments})


def succeeded(context, state="success"):
    """Return a context whose task Airflow knows in a state."""
    context["ti"] = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
    context["ti"].get_task_states = lambda **_: {"r": {"t": state}}
    return context


@pytest.mark.parametrize(
    ("given", "own"),
    [
        (None, []),
        ([], []),
        (first, [first]),
        ([first, second], [first, second]),
        ((second, first), [second, first]),
    ],
)
def test_the_providers_callback_comes_before_those_of_the_user(given, own):
    assert create(on_success_callback=given).on_success_callback == [mark_delivered, *own]


def test_a_policy_that_sets_a_callback_does_not_remove_the_providers():
    operator = create(on_success_callback=first)
    operator.on_success_callback = second
    assert operator.on_success_callback == [mark_delivered, second]
    operator.on_success_callback = [first, *operator.on_success_callback]
    assert operator.on_success_callback == [mark_delivered, first, second]
    operator.on_success_callback.append(first)
    assert operator.on_success_callback == [mark_delivered, first, second, first]
    operator.on_success_callback = None
    assert operator.on_success_callback == [mark_delivered]


def test_copies_have_the_callbacks():
    operator = create(on_success_callback=[first, second])
    for made in (copy.copy(operator), copy.deepcopy(operator), pickle.loads(pickle.dumps(operator))):
        assert made.on_success_callback == [mark_delivered, first, second]


@task.veo_video(on_success_callback=[first, second])
def clip(product: str) -> str:
    return f"clip of {product}"


def made_in_a_dag():
    """Return the tasks of each kind, as a worker has them, in a Dag whose default arguments name a callback."""
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
        create(on_success_callback=[first, second])
        VeoCreateVideoOperator.partial(task_id="mapped", on_success_callback=[first, second]).expand(prompt=["a", "b"])
        VeoChatCompletionOperator(task_id="chat", prompt="p", on_success_callback=[first, second])
        clip("cat")
        clip.override(task_id="clips").expand(product=["cat", "dog"])
    mapped = dag.get_task("mapped").unmap({"prompt": "a"})
    clips = dag.get_task("clips").unmap({"op_kwargs": {"product": "cat"}})
    return dag, [dag.get_task("create"), mapped, dag.get_task("chat"), dag.get_task("clip"), clips]


def test_every_kind_of_task_has_the_callbacks():
    for made in made_in_a_dag()[1]:
        assert made.on_success_callback == [mark_delivered, first, second], made.task_id


def test_the_callback_of_default_arguments_is_there_once():
    with DAG("d", schedule=None, default_args={"on_success_callback": first}) as dag:
        create()
        VeoCreateVideoOperator.partial(task_id="mapped").expand(prompt=["a"])
    for made in (dag.get_task("create"), dag.get_task("mapped").unmap({"prompt": "a"})):
        assert made.on_success_callback == [mark_delivered, first]


def test_dags_with_callbacks_can_be_serialized():
    from airflow.serialization.serialized_objects import DagSerialization  # as dag.test() does

    dag, _ = made_in_a_dag()
    text = json.dumps(DagSerialization.to_dict(dag))
    assert "mark_delivered" not in text
    assert set(DagSerialization.from_dict(json.loads(text)).task_dict) == set(dag.task_dict)


def test_tasks_that_order_nothing_have_no_callback():
    operator = VeoDownloadOperator(task_id="t", video_id="v", destination="/tmp/a.mp4")
    assert not operator.on_success_callback


@pytest.mark.parametrize("before", [RECORD, RECORD.as_stored(KEPT)])
def test_a_success_is_recorded(store, before):
    OrderStore(store).write(before)
    mark_delivered(succeeded({"task_state_store": store}))
    assert OrderStore(store).read() == before.as_delivered()


@pytest.mark.parametrize("state", ["running", "failed", "up_for_retry", None])
def test_a_success_that_airflow_has_refused_is_not_recorded(store, state):
    """Airflow's API server may refuse the report, or fail the task because of it. The callbacks run all the same."""
    OrderStore(store).write(RECORD)
    mark_delivered(succeeded({"task_state_store": store}, state))
    assert OrderStore(store).read() == RECORD


@pytest.mark.parametrize("state", [State.INTENT, State.REFUSED, State.LOST])
def test_a_record_without_a_job_is_not_delivered(store, state):
    OrderStore(store).write(record(state))
    mark_delivered(succeeded({"task_state_store": store}))
    assert OrderStore(store).read() == record(state)


def test_without_an_earlier_record_no_delivery_is_recorded(store):
    mark_delivered(succeeded({"task_state_store": store}))
    mark_delivered(succeeded({}))
    assert store.values == {}


def test_a_broken_store_does_not_fail_the_callback(store, caplog):
    store.broken = {"get", "set"}
    mark_delivered(succeeded({"task_state_store": store}))
    assert "a clear of the task collects this video once more, free of charge" in caplog.text


def test_an_unknown_state_of_the_task_does_not_fail_the_callback(store, caplog):
    def away(**_):
        raise RuntimeError("the API server is away")

    OrderStore(store).write(RECORD)
    context = succeeded({"task_state_store": store})
    context["ti"].get_task_states = away
    mark_delivered(context)
    assert OrderStore(store).read() == RECORD
    assert "The success of this task could not be recorded" in caplog.text


def test_without_a_task_state_store_the_order_files_record_a_success(tmp_path, monkeypatch):
    monkeypatch.setattr(version_compat, "CLEAR_KEEPS_TASK_STATE", False)
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path))
    context = succeeded({})
    context["ti"].max_tries = 0
    store = TaskRun(context, logging.getLogger(__name__)).store
    job = store.write_or_log(store.write(INTENT).as_accepted("v"))
    mark_delivered(context)
    assert TaskRun(context, logging.getLogger(__name__)).store.read() == job.as_delivered()


@pytest.mark.parametrize(("state", "is_recorded"), [("success", True), ("running", False), ("failed", False)])
def test_airflow_2_runs_the_callback_before_it_stores_the_success(store, state, is_recorded):
    """There the task instance has the state that is stored next, and has no method that asks for the states."""
    OrderStore(store).write(RECORD)
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, max_tries=0, state=state)
    mark_delivered({"task_state_store": store, "ti": ti})
    assert (OrderStore(store).read().state is State.DELIVERED) is is_recorded
