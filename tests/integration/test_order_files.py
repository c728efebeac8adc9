"""A clear collects a paid video where Airflow forgets: charges of tasks with order files, counted by the emulator."""

from __future__ import annotations

import json
import time

import pytest

from airflow_provider_veo import version_compat
from airflow_provider_veo.api.errors import NotOrderedError, TransportError, UnknownSubmissionError, VeoError
from airflow_provider_veo.emulator.faults import Fault, Trouble
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.observability import page
from airflow_provider_veo.observability.keys import OUTCOME_KEY
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.orders.record import State
from airflow_provider_veo.orders.store import KEY
from airflow_provider_veo.storage.local import LocalTarget
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS
from tests.support.dag_runs import DAGS, dags_in
from tests.support.scripted_server import Reply, connect
from tests.support.task_driver import TaskDriver
from tests.support.task_state_store import FakeTaskStateStore


class Killed(BaseException):
    """The process of the task was killed."""


@pytest.fixture(params=["as Airflow 3.4", "before Airflow 3.3"])
def airflow(request, monkeypatch):
    """Let Airflow forget at a clear, or have no task state store."""
    is_new = request.param == "as Airflow 3.4"
    monkeypatch.setattr(version_compat, "AIRFLOW_V_3_3_PLUS", is_new)
    monkeypatch.setattr(version_compat, "AIRFLOW_V_3_4_PLUS", is_new)
    monkeypatch.setattr(version_compat, "CLEAR_KEEPS_TASK_STATE", False)
    return request.param


@pytest.fixture
def storage(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path / "storage"))
    return tmp_path / "storage"


@pytest.fixture
def make(airflow, veo_default):
    """Return a function that returns a task on that Airflow, which orders from the emulator."""

    def make(retries=0, **arguments):
        defaults = {"prompt": "p", "model": "veo-3.1", "deferrable": False, "poll_interval": 0.05}
        store = FakeTaskStateStore() if airflow == "as Airflow 3.4" else None
        return TaskDriver(defaults | arguments, retries, store=store, forgets=True)

    make.jobs = veo_default.jobs
    make.faults = veo_default.faults
    return make


def charged(make):
    """Wait until every job is done, and return the number of charges."""
    while any(job.status(time.time()) in ("queued", "processing") for job in make.jobs.all()):
        time.sleep(0.05)
    return make.jobs.report()["charged"]


def fail_with_a_paid_video(driver):
    """Run the task until it fails because its finished video cannot be fetched, and return the error."""

    def fetch(_self, outcome):
        raise TransportError("The network is away", video_id=outcome.video_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VeoCreateVideoOperator, "_fetch", fetch)
        error = driver.run()
    assert isinstance(error, TransportError)
    return error


@pytest.fixture
def output(capsys, caplog):
    """Return a function that returns the log, which Airflow writes to stdout or to the `logging` module."""
    caplog.set_level("INFO")
    return lambda: capsys.readouterr().out + caplog.text


@pytest.fixture
def files(storage):
    """Return a function that returns the names of all order files, and the record in one."""

    def read(name=None):
        found = {path.name: json.loads(path.read_text()) for path in storage.glob("_veo/orders/*/*")}
        return sorted(found) if name is None else found[name]

    return read


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_clear_collects_a_paid_video(make, files, deferrable, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__SHORTEST_DEFERRAL", "0")
    driver = make(deferrable=deferrable)
    error = fail_with_a_paid_video(driver)
    assert "A retry or a clear of the task continues with video" in str(error)
    result = driver.clear().run()
    assert result["id"] == error.video_id
    assert charged(make) == 1
    assert files() == ["0.done", "0.intent", "0.job", "0.job-2"]
    assert files("0.done")["state"] == "delivered"


def test_a_retry_collects_a_paid_video(make, files):
    driver = make()
    error = fail_with_a_paid_video(driver)
    driver.retries = 0
    result = driver.run()
    assert result["id"] == error.video_id
    assert charged(make) == 1


def test_a_clear_of_a_task_that_has_succeeded_orders_a_new_video(make, files):
    driver = make()
    first = driver.run()["id"]
    assert driver.clear().run()["id"] != first
    assert charged(make) == 2
    assert files() == ["0.done", "0.intent", "0.job", "1.done", "1.intent", "1.job"]


def test_a_clear_hands_over_a_stored_video(make, files, storage):
    driver = make(destination="{video_id}.mp4")
    driver.fails_afterwards = 1
    assert isinstance(driver.run(), RuntimeError)
    assert driver.clear().run()["path"].startswith(str(storage))
    assert charged(make) == 1
    assert files("0.done")["kept"]["path"].startswith(str(storage))


def test_without_a_storage_a_clear_orders_again_and_the_error_has_said_so(make, airflow, monkeypatch):
    monkeypatch.delenv("AIRFLOW__VEO__STORAGE", raising=False)
    driver = make()
    error = str(fail_with_a_paid_video(driver))
    said = {
        "as Airflow 3.4": "without the tick, a clear orders a new video, which is charged again",
        "before Airflow 3.3": "a retry or a clear orders a new video",
    }[airflow]
    assert said in error
    assert driver.clear().run()["status"] == "completed"
    assert charged(make) == 2


@pytest.mark.parametrize("by", ["argument", "option"])
def test_on_clear_new_orders_at_a_clear_and_names_the_video_that_is_left_alone(make, files, output, monkeypatch, by):
    arguments = {"on_clear": "new"} if by == "argument" else {}
    if by == "option":
        monkeypatch.setenv("AIRFLOW__VEO__ON_CLEAR", "new")
    driver = make(**arguments)
    error = fail_with_a_paid_video(driver)
    assert "A clear orders a new video, which is charged again" in str(error)
    assert driver.clear().run()["id"] != error.video_id
    assert charged(make) == 2
    log = output()
    assert "This task was cleared, and on_clear is 'new', so it orders another video" in log
    assert f"VeoDownloadOperator(video_id={error.video_id!r}) stores its video" in log


def test_on_clear_new_orders_nothing_at_a_retry(make, files):
    driver = make(on_clear="new")
    error = fail_with_a_paid_video(driver)
    assert driver.run()["id"] == error.video_id
    assert charged(make) == 1


def test_a_wrong_option_on_clear_is_an_error_before_the_order(make, files, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__ON_CLEAR", "pay")
    assert "[veo] on_clear in Airflow's configuration is 'pay'" in str(make().run())
    assert charged(make) == 0


class TestALostAnswer:
    @pytest.fixture
    def driver(self, make, files):
        make.faults.add("order", Fault(Trouble.DROPPED, accepted=True))
        driver = make(retries=3)
        error = driver.run()
        assert isinstance(error, VeoFailException)
        assert isinstance(error.cause, UnknownSubmissionError)
        driver.retries = 0
        return driver

    def test_is_not_followed_by_an_order_at_a_retry(self, driver, make):
        assert isinstance(driver.run().cause, UnknownSubmissionError)
        assert charged(make) == 1

    def test_is_followed_by_an_order_at_a_clear_with_a_warning(self, driver, make, files, airflow, output):
        assert driver.clear().run()["status"] == "completed"
        assert charged(make) == 2
        log = output()
        assert "that one may have been charged, too (server http://127.0.0.1" in log
        assert f"Idempotency-Key {files('0.intent')['idempotency_key']}" in log
        assert files("1.intent")["idempotency_key"] == files("0.intent")["idempotency_key"]


def test_each_refused_request_is_an_order_that_is_over(make, files):
    make.faults.add("order", Fault(Trouble.RATE_LIMIT), Fault(Trouble.RATE_LIMIT))
    assert make().run()["submissions"] == 1
    assert [name for name in files() if name.endswith((".intent", ".done"))] == [
        *("0.done", "0.intent", "1.done", "1.intent", "2.done", "2.intent")
    ]
    assert [files(f"{number}.done")["state"] for number in range(3)] == ["refused", "refused", "delivered"]


def test_order_files_hold_no_prompt_and_no_key(make, storage, files):
    make(prompt="canary-prompt").run()
    text = "".join(path.read_text() for path in storage.rglob("*") if path.is_file())
    assert '"fingerprint"' in text
    assert "canary-prompt" not in text
    assert "sk-" not in text


STEPS = 12


@pytest.mark.parametrize("at", range(STEPS))
@pytest.mark.parametrize("how", ["before", "after"])
def test_a_task_that_is_killed_at_any_write_pays_once_after_a_clear(make, files, output, monkeypatch, at, how):
    """Only a clear after a kill between the request and the first write of the job pays again, with a warning."""
    writes = 0

    def killing(function):
        def write(*args, **kwargs):
            nonlocal writes
            writes += 1
            if writes == at + 1 and how == "before":
                raise Killed
            result = function(*args, **kwargs)
            if writes == at + 1:
                raise Killed
            return result

        return write

    driver = make()
    with monkeypatch.context() as patch:
        patch.setattr(LocalTarget, "publish", killing(LocalTarget.publish))
        patch.setattr(FakeTaskStateStore, "set", killing(FakeTaskStateStore.set))
        try:
            driver.once()
        except Killed:
            driver.tries = 1
        else:
            assert writes <= at
            return
    ordered = len(make.jobs.all())
    was_delivered = "0.done" in files()
    assert driver.clear().run()["status"] == "completed"
    if charged(make) > 1 and not was_delivered:
        assert ordered == 1
        log = output()
        assert "that one may have been charged, too" in log
        assert "0.job" not in files()


@pytest.mark.parametrize("at", range(STEPS))
def test_a_storage_that_fails_at_any_write_costs_nothing(make, files, monkeypatch, at):
    """Before the request the task fails, and a retry helps; after it the failure is logged."""
    writes, publish = 0, LocalTarget.publish

    def failing(self, part, *, replace):
        nonlocal writes
        writes += 1
        if writes == at + 1:
            raise OSError("the storage is away")
        publish(self, part, replace=replace)

    monkeypatch.setattr(LocalTarget, "publish", failing)
    driver = make()
    result = driver.run()
    if at == 0:
        assert isinstance(result, NotOrderedError)
        assert "nothing was ordered now" in str(result)
        assert not result.permanent
        assert make.jobs.all() == []
        result = driver.run()
    assert result["status"] == "completed"
    assert charged(make) == 1


def test_a_storage_that_cannot_be_read_stops_an_order(make, files, storage):
    storage.write_text("a file where the folder should be")
    error = make().run()
    assert isinstance(error, NotOrderedError)
    assert not error.permanent
    assert make.jobs.all() == []


def test_two_installations_that_share_a_storage_do_not_share_videos(make, files, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__INSTALLATION", "staging")
    error = fail_with_a_paid_video(make())
    monkeypatch.setenv("AIRFLOW__VEO__INSTALLATION", "production")
    assert make().run()["id"] != error.video_id
    assert charged(make) == 2


def test_a_video_of_another_server_is_left_alone_with_a_warning(make, files, serve, monkeypatch, output):
    server = serve(lambda _request: Reply(body={"id": "elsewhere", "status": "completed"}))
    driver = make()
    with monkeypatch.context() as patch:
        connect(patch, server.url)
        assert fail_with_a_paid_video(driver).video_id == "elsewhere"
    assert driver.clear().run()["status"] == "completed"
    assert charged(make) == 1
    log = output()
    assert "Video elsewhere was ordered by an earlier try at" in log
    assert f"from {server.url}" in log
    assert "VeoDownloadOperator(video_id='elsewhere') stores its video" in log


def test_a_video_that_its_server_has_deleted_by_now_is_left_alone(make, files, storage, output):
    driver = make()
    error = fail_with_a_paid_video(driver)
    for path in storage.glob("_veo/orders/*/0.job"):
        long_ago = json.loads(path.read_text()) | {"sent_at": time.time() - 3 * 24 * 3600}
        path.write_text(json.dumps(long_ago))
    assert driver.clear().run()["id"] != error.video_id
    log = output()
    assert f"Video {error.video_id} was ordered by an earlier try" in log


def test_a_waiting_task_survives_an_update_from_airflow_3_3(airflow, make, files):
    if airflow == "before Airflow 3.3":
        pytest.skip("it has no task state store")
    driver = make()
    error = fail_with_a_paid_video(driver)
    new = ("entry", "region", "server")
    driver.store.values[KEY] = {name: value for name, value in driver.store.get(KEY).items() if name not in new}
    before = driver.store.get(KEY)["idempotency_key"]
    fail_with_a_paid_video(driver)
    assert driver.store.get(KEY)["idempotency_key"] == before
    assert isinstance(driver.store.get(KEY)["entry"], int)
    assert driver.clear().run()["id"] == error.video_id
    assert charged(make) == 1


def test_a_clear_of_a_chat_task_returns_the_videos_that_have_arrived(make, files):
    arguments = {"prompt": "p", "model": "veo-3.1-fast", "n": 1}
    driver = make()
    driver.arguments, driver.operator, driver.fails_afterwards = arguments, VeoChatCompletionOperator, 1
    assert isinstance(driver.run(), RuntimeError)
    assert len(driver.clear().run()) == 1
    assert make.jobs.report()["chat_usd"] == pytest.approx(0.15)
    assert files("0.done")["state"] == State.DELIVERED.value


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="before Airflow 3.1 there is no page for page entries")
class TestThePageEntryOfAFailure:
    @pytest.fixture
    def outcomes(self, monkeypatch):
        written = []
        monkeypatch.setattr(page, "write_xcom_past_backend", lambda _ti, key, entry: written.append((key, entry)))
        return lambda: [entry for key, entry in written if key == OUTCOME_KEY]

    def test_names_the_video_that_a_later_try_can_collect(self, make, files, outcomes):
        driver = make()
        error = fail_with_a_paid_video(driver)
        driver.clear().run()
        assert [entry.get("uncollected") for entry in outcomes()] == [error.video_id, None]

    def test_names_none_if_nothing_remembers_it(self, make, airflow, outcomes):
        error = fail_with_a_paid_video(make())
        expected = error.video_id if airflow == "as Airflow 3.4" else None
        assert outcomes()[0].get("uncollected") == expected

    def test_names_none_if_there_is_no_video(self, make, files, outcomes):
        make.faults.add("order", Fault(Trouble.NO_MONEY))
        assert isinstance(make().run(), VeoFailException)
        make.faults.add("content", *[Fault(Trouble.GONE)] * 4)
        driver = make(destination="{video_id}.mp4")
        driver.name = "other"
        assert isinstance(driver.run(), (VeoFailException, VeoError))
        assert [entry.get("uncollected") for entry in outcomes()] == [None, None]

    def test_names_the_video_of_a_task_that_cannot_resume(self, make, files, outcomes, monkeypatch):
        monkeypatch.setenv("AIRFLOW__VEO__SHORTEST_DEFERRAL", "0")
        driver = make(deferrable=True)
        monkeypatch.setattr(driver.operator, "_settle_to_resume", _refuse)
        error = driver.run()
        [entry] = outcomes()
        assert entry["uncollected"] == make.jobs.all()[0].id
        assert f"A retry or a clear of the task continues with video {entry['uncollected']}" in str(error)


def test_a_retry_that_cannot_store_names_the_paid_video(veo_emulator, tmp_path):
    one = TaskDriver({"prompt": "p"}, fails_afterwards=1)
    one.run()
    video_id = veo_emulator.orders[0].id
    (tmp_path / "file").touch()
    one.arguments["destination"] = str(tmp_path / "file" / "video.mp4")
    error = str(one.run())
    assert "cannot be written" in error
    assert f"Video {video_id} of this task is paid for and not collected" in error
    assert "a clear" in error
    assert len(veo_emulator.orders) == 1


def _refuse(_self, _run):
    raise VeoError("The argument is wrong.")


@pytest.mark.usefixtures("database")
def test_airflow_itself_marks_the_video_of_a_successful_task_as_delivered(veo_default, files, monkeypatch):
    """Versions of Airflow differ in the moment at which they run success callbacks."""
    monkeypatch.setattr(version_compat, "CLEAR_KEEPS_TASK_STATE", False)
    dags_in(DAGS)["one_task_waiting"].test()
    assert files("0.done")["state"] == "delivered"
