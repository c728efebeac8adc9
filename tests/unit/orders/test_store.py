"""The order record in Airflow's task state store."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.errors import NotOrderedError
from airflow_provider_veo.orders.store import KEY, NAMED_KEY, OrderStore
from tests.unit.orders.samples import RECORD


def test_a_written_record_is_read(store):
    OrderStore(store).write(RECORD)
    assert OrderStore(store).read() == RECORD
    assert store.values == {"veo_submission": RECORD.to_json()}


def test_a_record_stays_as_long_as_its_dag_run(store):
    context = pytest.importorskip("airflow.sdk.execution_time.context", reason="before Airflow 3.3")
    if not hasattr(context, "NEVER_EXPIRE"):
        pytest.skip("before Airflow 3.3")
    OrderStore(store).write(RECORD)
    assert store.retentions[KEY] is context.NEVER_EXPIRE


def test_an_empty_store_has_no_record(store):
    assert OrderStore(store).read() is None
    assert OrderStore(store).read_named() is None


@pytest.mark.parametrize("value", ["text", 5, {}, {"state": "dreaming"}])
def test_a_record_that_cannot_be_read_is_an_error(store, value):
    store.values[KEY] = value
    with pytest.raises(NotOrderedError, match="nothing was ordered") as caught:
        OrderStore(store).read()
    assert caught.value.permanent is False


def test_a_store_that_cannot_be_read_is_an_error(store):
    store.broken = {"get", "set"}
    for read in (OrderStore(store).read, OrderStore(store).read_named):
        with pytest.raises(NotOrderedError, match=r"cannot be read from the task state store.* RuntimeError: the API"):
            read()


def test_a_store_that_cannot_be_written_stops_an_order(store):
    store.broken = {"get", "set"}
    with pytest.raises(NotOrderedError, match=r"cannot be written .* RuntimeError: the API server is away") as caught:
        OrderStore(store).write(RECORD)
    assert caught.value.permanent is False


def test_a_record_that_is_written_after_an_event_is_read(store):
    OrderStore(store).write_or_log(RECORD)
    assert OrderStore(store).read() == RECORD


def test_a_store_that_cannot_be_written_does_not_lose_a_video(store, caplog):
    store.broken = {"get", "set"}
    OrderStore(store).write_or_log(RECORD)
    assert "Video v: its record could not be written" in caplog.text


def test_a_named_job_is_read_and_deleted(store):
    store.values[NAMED_KEY] = "v"
    assert OrderStore(store).read_named() == "v"
    store.delete = store.values.pop
    OrderStore(store).delete_named()
    assert store.values == {}


def test_a_named_job_that_cannot_be_deleted_is_logged(store, caplog):
    def fail(_key):
        raise RuntimeError("the API server is away")

    store.delete = fail
    OrderStore(store).delete_named()
    assert caplog.messages == [f"{NAMED_KEY} could not be deleted from the task state store. Delete it by hand."]


def test_before_airflow_3_3_no_record_is_kept():
    store = OrderStore(None)
    store.write(RECORD)
    store.delete_named()
    assert store.read() is None
    assert not store.is_there
