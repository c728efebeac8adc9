"""The order record in Airflow's task state store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_veo.api.errors import NotOrderedError
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.order_files import OrderFiles
from airflow_provider_veo.orders.record import State
from airflow_provider_veo.orders.store import KEY, NAMED_KEY, OrderStore
from airflow_provider_veo.storage.local import LocalTarget
from tests.unit.orders.samples import INTENT, KEPT, RECORD, record


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


def test_before_airflow_3_3_no_record_is_kept_without_a_storage():
    store = OrderStore(None)
    store.write(RECORD)
    store.delete_named()
    assert store.read() is None
    assert not store.is_there
    assert not store.remembers


TASK = TaskIdentity("d", "r", "t", -1, epoch=0)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Set `[veo] storage`, and return a function that makes the order files of one task instance."""
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path))
    return lambda: OrderFiles(TASK)


def break_storage(tmp_path):
    """Make the storage take nothing, and give nothing."""
    folder = tmp_path / "_veo"
    if folder.exists():
        folder.rename(tmp_path / "away")
    folder.write_text("a file where the folder should be")


class TestWithOrderFiles:
    def test_an_intent_has_a_number_in_both_records(self, store, files):
        written = OrderStore(store, files()).write(INTENT)
        assert written == replace(INTENT, entry=0)
        assert OrderStore(store).read() == written
        assert files().find_latest() == written
        assert OrderStore(store, files()).write(INTENT.as_refused()).entry is None

    def test_a_clear_that_empties_the_task_state_store_does_not_empty_the_files(self, store, files):
        kept = OrderStore(store, files())
        job = kept.write_or_log(kept.write(INTENT).as_accepted("v"))
        store.values.clear()
        found = OrderStore(store, files())
        assert found.read() == job
        assert found.is_of_files

    def test_an_airflow_without_a_store_remembers_by_the_files_alone(self, files):
        kept = OrderStore(None, files())
        job = kept.write_or_log(kept.write(INTENT).as_accepted("v"))
        found = OrderStore(None, files())
        assert found.read() == job
        assert (found.is_there, found.remembers) == (False, True)

    def test_the_task_state_store_has_the_latest_changes_of_an_order(self, store, files):
        kept = OrderStore(store, files())
        job = kept.write_or_log(kept.write(INTENT).as_accepted("v"))
        OrderStore(store).write_or_log(changed := replace(job, posts=5))
        assert kept.read() == changed
        assert not kept.is_of_files

    def test_a_job_that_the_task_state_store_did_not_take_is_found(self, store, files):
        kept = OrderStore(store, files())
        sent = kept.write(INTENT)
        store.broken = {"set"}
        job = kept.write_or_log(sent.as_accepted("v"))
        store.broken = set()
        assert OrderStore(store).read() == sent
        assert OrderStore(store, files()).read() == job

    def test_a_later_order_in_the_files_is_found_although_a_late_try_has_written(self, store, files):
        early, late = OrderStore(store, files()), OrderStore(store, files())
        first = early.write_or_log(early.write(INTENT).as_refused())
        late.read()
        second = late.write_or_log(late.write(INTENT).as_accepted("v"))
        early.write_or_log(first)
        assert OrderStore(store).read() == second
        store.values["veo_submission"] = first.to_json()  # as if it had written between two steps of the other one
        assert OrderStore(store, files()).read() == second

    def test_a_record_of_airflow_3_3_wins_and_gets_a_number_when_it_is_written_next(self, store, files):
        OrderStore(None, files()).write(INTENT)  # an older order, of a time without the task state store
        store.values["veo_submission"] = RECORD.to_json()
        kept = OrderStore(store, files())
        assert kept.read() == RECORD
        entered = kept.write_or_log(RECORD.as_stored(KEPT))
        assert entered == replace(RECORD.as_stored(KEPT), entry=1)
        store.values.clear()
        assert OrderStore(store, files()).read() == entered

    @pytest.mark.parametrize("over", [INTENT, INTENT.as_refused(), RECORD.as_lost(), RECORD.as_delivered()])
    def test_a_record_of_airflow_3_3_without_an_open_job_gets_no_number(self, store, files, over):
        assert OrderStore(store, files()).write_or_log(over).entry is None
        assert files().find_latest() is None

    def test_the_loser_of_two_tries_writes_nothing(self, store, files):
        one, other = OrderStore(store, files()), OrderStore(store, files())
        assert one.read() is other.read() is None
        written = one.write(INTENT)
        with pytest.raises(NotOrderedError, match="Another try"):
            other.write(replace(INTENT, idempotency_key="other"))
        assert OrderStore(store).read() == written

    def test_an_intent_that_the_task_state_store_refuses_is_over(self, store, files):
        store.broken = {"set"}
        with pytest.raises(NotOrderedError, match="cannot be written to the task state store"):
            OrderStore(store, files()).write(INTENT)
        assert files().find_latest() == replace(INTENT, entry=0).as_refused()

    def test_a_storage_that_takes_no_intent_stops_the_order(self, store, files, tmp_path):
        break_storage(tmp_path)
        with pytest.raises(NotOrderedError, match="nothing was ordered now"):
            OrderStore(store, files()).write(INTENT)
        assert store.values == {}

    def test_a_storage_that_takes_no_job_does_not_lose_a_video(self, store, files, tmp_path, caplog):
        kept = OrderStore(store, files())
        sent = kept.write(INTENT)
        break_storage(tmp_path)
        job = kept.write_or_log(sent.as_accepted("v"))
        assert OrderStore(store).read() == job
        assert "Video v: its record could not be written to the order files" in caplog.text

    @pytest.mark.parametrize("state", [None, State.INTENT, State.REFUSED, State.LOST])
    def test_a_storage_that_cannot_be_read_stops_a_task_that_may_order(
        self, store, files, tmp_path, monkeypatch, state
    ):
        if state:
            store.values["veo_submission"] = replace(record(state), entry=0).to_json()
        monkeypatch.setattr(LocalTarget, "read_kind", fail)
        with pytest.raises(NotOrderedError, match="The order files of this task cannot be read") as caught:
            OrderStore(store, files()).read()
        assert not caught.value.permanent

    @pytest.mark.parametrize("state", [State.SUBMITTED, State.STORED, State.DELIVERED])
    def test_a_storage_that_cannot_be_read_does_not_stop_a_task_with_a_job(self, store, files, monkeypatch, state):
        known = replace(record(state), entry=0)
        store.values["veo_submission"] = known.to_json()
        monkeypatch.setattr(LocalTarget, "read_kind", fail)
        assert OrderStore(store, files()).read() == known

    def test_the_task_state_store_is_written_before_the_file_of_a_job(self, store, files, monkeypatch):
        kept = OrderStore(store, files())
        sent = kept.write(INTENT)
        monkeypatch.setattr(LocalTarget, "publish", lambda *_, **__: done.append(OrderStore(store).read()))
        done: list[object] = []
        job = kept.write_or_log(sent.as_accepted("v"))
        assert done == [job]


def fail(*_):
    raise OSError("the storage is away")
