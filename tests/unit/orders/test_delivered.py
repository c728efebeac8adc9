"""Delivered means that the task has succeeded: a success callback of our own writes it down, before the user's."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_veo.operators.base import mark_delivered
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.orders.submission import Kept, Ledger, State, Submission
from airflow_provider_veo.version_compat import AIRFLOW_V_3_3_PLUS

RECORD = Submission(
    State.SUBMITTED, "f", epoch=0, idempotency_key="k", submissions=1, waiting_since=900.0, sent_at=950.0, video_id="v"
)
KEPT = Kept("/v/a.mp4", 5, "ab", {"version": 1, "kind": "completed", "video_id": "v", "status": "completed"}, 1)

with_a_store = pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="before Airflow 3.3 nothing is remembered")


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
@with_a_store
def test_ours_comes_before_the_users(given, own):
    assert create(on_success_callback=given).on_success_callback == [mark_delivered, *own]


@with_a_store
def test_a_policy_that_sets_another_callback_does_not_remove_ours():
    operator = create(on_success_callback=first)
    operator.on_success_callback = second
    assert operator.on_success_callback == [mark_delivered, second]
    operator.on_success_callback = [first, *operator.on_success_callback]
    assert operator.on_success_callback == [mark_delivered, first, second]
    operator.on_success_callback.append(first)
    assert operator.on_success_callback == [mark_delivered, first, second, first]
    operator.on_success_callback = None
    assert operator.on_success_callback == [mark_delivered]


@with_a_store
def test_copies_have_them():
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


@with_a_store
def test_every_kind_of_task_has_them():
    for made in made_in_a_dag()[1]:
        assert made.on_success_callback == [mark_delivered, first, second], made.task_id


@with_a_store
def test_default_arguments_reach_the_users_function_once():
    with DAG("d", schedule=None, default_args={"on_success_callback": first}) as dag:
        create()
        VeoCreateVideoOperator.partial(task_id="mapped").expand(prompt=["a"])
    for made in (dag.get_task("create"), dag.get_task("mapped").unmap({"prompt": "a"})):
        assert made.on_success_callback == [mark_delivered, first]


@with_a_store
def test_dags_with_them_can_be_serialized():
    from airflow.serialization.serialized_objects import DagSerialization  # as dag.test() does

    dag, _ = made_in_a_dag()
    text = json.dumps(DagSerialization.to_dict(dag))
    assert "mark_delivered" not in text
    assert set(DagSerialization.from_dict(json.loads(text)).task_dict) == set(dag.task_dict)


def test_tasks_that_order_nothing_have_none():
    operator = VeoDownloadOperator(task_id="t", video_id="v", destination="/tmp/a.mp4")
    assert not operator.on_success_callback


@pytest.mark.skipif(AIRFLOW_V_3_3_PLUS, reason="Airflow 3.3 and later remember")
def test_where_nothing_is_remembered_nothing_is_changed():
    assert not create().on_success_callback
    assert create(on_success_callback=first).on_success_callback in (first, [first])


@pytest.mark.parametrize("record", [RECORD, RECORD.stored(KEPT)])
def test_a_success_is_written_down(store, record):
    Ledger(store).write(record)
    mark_delivered(succeeded({"task_state_store": store}))
    assert Ledger(store).read() == record.delivered()


@pytest.mark.parametrize("state", ["running", "failed", "up_for_retry", None])
def test_a_success_that_airflow_has_not_taken_is_none(store, state):
    """Its API server may refuse the report, or fail the task because of it; the callbacks run all the same."""
    Ledger(store).write(RECORD)
    mark_delivered(succeeded({"task_state_store": store}, state))
    assert Ledger(store).read() == RECORD


@pytest.mark.parametrize("state", [State.INTENT, State.REFUSED, State.LOST])
def test_there_is_no_delivery_without_a_job(store, state):
    record = Submission(state, "f", 0, "k", submissions=1, waiting_since=900.0, sent_at=950.0)
    Ledger(store).write(record)
    mark_delivered(succeeded({"task_state_store": store}))
    assert Ledger(store).read() == record


def test_nothing_on_record_stays_nothing(store):
    mark_delivered(succeeded({"task_state_store": store}))
    mark_delivered(succeeded({}))
    assert store.values == {}


def test_a_store_that_is_away_does_no_harm(store, caplog):
    store.broken = {"get", "set"}
    mark_delivered(succeeded({"task_state_store": store}))
    assert "a Clear of it collects this video once more, free of charge" in caplog.text


def test_an_airflow_that_does_not_tell_the_state_does_no_harm(store, caplog):
    def away(**_):
        raise RuntimeError("the API server is away")

    Ledger(store).write(RECORD)
    context = succeeded({"task_state_store": store})
    context["ti"].get_task_states = away
    mark_delivered(context)
    assert Ledger(store).read() == RECORD
    assert "It could not be written down that this task has succeeded" in caplog.text
