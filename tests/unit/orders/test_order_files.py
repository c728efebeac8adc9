"""The order files: files in the storage that outlive a clear, each made once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_veo import version_compat
from airflow_provider_veo.api.errors import InvalidInputError, NotOrderedError
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.order_files import OrderFiles, are_kept, name_folder, read_installation
from airflow_provider_veo.orders.record import State
from airflow_provider_veo.storage.destinations import read_folder
from airflow_provider_veo.storage.local import LocalTarget
from airflow_provider_veo.utils.task_instance import Region
from tests.unit.orders.samples import INTENT, KEPT, RECORD

TASK = TaskIdentity("dag", "run", "group.task", -1, epoch=0)


@pytest.fixture(params=["disk", "object storage"])
def storage(request, tmp_path, memory, monkeypatch):
    """Set `[veo] storage`, and return the folder of the task's order files."""
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path) if request.param == "disk" else memory)
    return read_folder("storage").below("_veo", "orders", name_folder(read_installation(), TASK))


@pytest.fixture
def on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path))
    return tmp_path / "_veo" / "orders" / name_folder(read_installation(), TASK)


def read(folder, name):
    with folder.below(name).open() as file:
        return json.load(file)


def test_a_new_task_has_no_order_files(storage):
    assert OrderFiles(TASK).find_latest() is None
    assert storage.read_kind() is None


def test_each_moment_of_an_order_has_its_own_file(storage):
    files = OrderFiles(TASK)
    intent = files.begin(INTENT)
    job = intent.as_accepted("v")
    moments = [job, job.as_stored(KEPT), job.as_stored(KEPT).as_delivered()]
    assert intent == replace(INTENT, entry=0)
    assert OrderFiles(TASK).find_latest() == intent
    for moment in moments:
        files.add(moment)
        assert OrderFiles(TASK).find_latest() == moment
    names = ("0.intent", "0.job", "0.job-2", "0.done")
    for name, record in zip(names, (intent, *moments), strict=True):
        assert {**read(storage, name), "nonce": ""} == {"nonce": ""} | record.to_json()
    assert not storage.below("1.intent").exists()


@pytest.mark.parametrize("end", [INTENT.as_refused(), RECORD.as_lost(), RECORD.as_delivered()])
def test_an_order_that_is_over_stays_over(storage, end):
    files = OrderFiles(TASK)
    begun = files.begin(INTENT)
    over = replace(end, entry=0)
    files.add(over)
    files.add(begun.as_accepted("v"))
    files.add(replace(RECORD, state=State.DELIVERED, entry=0, video_id="another"))
    assert OrderFiles(TASK).find_latest() == over


def test_orders_are_counted_and_the_latest_is_found(storage):
    for number in range(3):
        files = OrderFiles(TASK)
        begun = files.begin(replace(INTENT, idempotency_key=f"k{number}"))
        assert begun.entry == number
        files.add(begun.as_refused())
    assert OrderFiles(TASK).find_latest().idempotency_key == "k2"
    assert OrderFiles(TASK).find_latest(after=1).idempotency_key == "k2"
    assert OrderFiles(TASK).find_latest(after=2) is None
    assert OrderFiles(TASK).read(0).idempotency_key == "k0"
    assert OrderFiles(TASK).read(7) is None


def test_one_try_may_order_several_times(storage):
    files = OrderFiles(TASK)
    assert [files.begin(INTENT).entry for _ in range(3)] == [0, 1, 2]


def test_of_two_tries_one_begins_an_order(storage):
    one, other = OrderFiles(TASK), OrderFiles(TASK)
    assert one.find_latest() is other.find_latest() is None
    begun = one.begin(INTENT)
    with pytest.raises(NotOrderedError, match="Another try of this task has begun an order") as caught:
        other.begin(replace(INTENT, idempotency_key="other"))
    assert not caught.value.permanent
    assert OrderFiles(TASK).find_latest() == begun


def test_two_tries_that_continue_with_one_job_add_files_beside_each_other(storage):
    one, other = OrderFiles(TASK), OrderFiles(TASK)
    begun = one.begin(INTENT)
    assert other.find_latest() == begun
    for files, number in ((one, 1), (other, 2), (one, 3)):
        files.add(replace(begun.as_accepted("v"), posts=number))
    assert [read(storage, name)["posts"] for name in ("0.job", "0.job-2", "0.job-3")] == [1, 2, 3]
    assert OrderFiles(TASK).find_latest().posts == 3


def test_a_driver_that_reports_its_own_file_as_that_of_another_is_not_believed(on_disk, monkeypatch):
    """A driver may repeat a request whose answer was lost, and then find the file that it has made."""
    publish = LocalTarget.publish

    def lose_the_answer(self, part, *, replace):
        publish(self, part, replace=replace)
        raise FileExistsError(str(self))

    monkeypatch.setattr(LocalTarget, "publish", lose_the_answer)
    assert OrderFiles(TASK).begin(INTENT).entry == 0


def test_a_file_that_is_there_after_an_error_counts(on_disk, monkeypatch):
    publish = LocalTarget.publish

    def fail_afterwards(self, part, *, replace):
        publish(self, part, replace=replace)
        raise TimeoutError("no answer")

    monkeypatch.setattr(LocalTarget, "publish", fail_afterwards)
    assert OrderFiles(TASK).begin(INTENT).entry == 0


def test_a_storage_that_lets_another_try_replace_the_file_is_noticed(on_disk, monkeypatch):
    publish = LocalTarget.publish

    def be_replaced(self, part, *, replace):
        publish(self, part, replace=replace)
        self.path.write_text(json.dumps({"nonce": "another"} | INTENT.to_json()))

    monkeypatch.setattr(LocalTarget, "publish", be_replaced)
    with pytest.raises(NotOrderedError, match="Another try"):
        OrderFiles(TASK).begin(INTENT)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "x" * 300_000,
        json.dumps(INTENT.to_json() | {"state": "dreaming"}),
        json.dumps(RECORD.to_json() | {"video_id": "a\nb"}),
    ],
)
def test_a_file_that_holds_no_record_is_an_error(on_disk, content):
    on_disk.mkdir(parents=True)
    (on_disk / "0.intent").write_text(content)
    with pytest.raises(NotOrderedError, match="cannot be read, so nothing was ordered now") as caught:
        OrderFiles(TASK).find_latest()
    assert not caught.value.permanent
    assert str(on_disk) in str(caught.value)


def test_a_storage_that_takes_no_file_is_an_error_before_the_order(on_disk):
    on_disk.parent.mkdir(parents=True)
    on_disk.write_text("a file where the folder should be")
    with pytest.raises(NotOrderedError, match="cannot be written, so nothing was ordered now") as caught:
        OrderFiles(TASK).begin(INTENT)
    assert not caught.value.permanent


def test_a_storage_that_is_no_place_is_an_error_that_names_the_option(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", "relative/folder")
    with pytest.raises(InvalidInputError, match=r"\[veo\] storage is 'relative/folder'"):
        OrderFiles(TASK).find_latest()
    monkeypatch.delenv("AIRFLOW__VEO__STORAGE")
    with pytest.raises(InvalidInputError, match=r"\[veo\] storage is empty"):
        OrderFiles(TASK).begin(INTENT)


OTHERS = [
    replace(TASK, dag_id="other"),
    replace(TASK, run_id="other"),
    replace(TASK, task_id="other"),
    replace(TASK, map_index=0),
    replace(TASK, pass_index=0),
    replace(TASK, pass_index=1),
    replace(TASK, dag_id="dag.group", task_id="task"),
]


def test_no_two_task_instances_share_a_folder():
    names = [name_folder("here", task) for task in (TASK, *OTHERS)] + [name_folder("there", TASK)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "same", [replace(TASK, region=Region("r", 0)), replace(TASK, epoch=7, try_number=8, clear_number=1, retries=2)]
)
def test_a_clear_does_not_change_the_folder(same):
    assert name_folder("here", same) == name_folder("here", TASK)


@pytest.mark.parametrize("odd", ["a/b", "ä" * 300, "..", "\ud800", "a b\n"])
def test_a_folder_has_a_name_that_every_storage_takes(odd):
    name = name_folder(odd, replace(TASK, dag_id=odd, task_id=odd))
    assert len(name.encode()) < 150
    assert "/" not in name
    assert "\n" not in name
    assert name.rpartition("~")[2].isalnum()


@pytest.mark.parametrize("clear_keeps", [True, False])
@pytest.mark.parametrize("folder", ["", "  ", "/data"])
def test_order_files_are_kept_where_airflow_forgets_and_a_storage_is_set(monkeypatch, clear_keeps, folder):
    monkeypatch.setattr(version_compat, "CLEAR_KEEPS_TASK_STATE", clear_keeps)
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", folder)
    assert are_kept() is (folder == "/data" and not clear_keeps)


def test_an_installation_is_named_by_its_option_or_by_its_address(monkeypatch):
    section = "API" if version_compat.AIRFLOW_V_3_0_PLUS else "WEBSERVER"
    monkeypatch.setenv(f"AIRFLOW__{section}__BASE_URL", "https://airflow.example.com/")
    assert read_installation() == "https://airflow.example.com"
    monkeypatch.setenv("AIRFLOW__VEO__INSTALLATION", " staging ")
    assert read_installation() == "staging"
