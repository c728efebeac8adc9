"""Charges of a task when something fails: each test runs on the emulator, which counts the charges."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.api.errors import ApiError, StorageFullError, VeoError, VideoFailedError, VideoTimeoutError
from airflow_provider_veo.emulator.faults import Fault, Faults, Trouble
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.policies.retry import make_default_retry_policy
from airflow_provider_veo.triggers.video import VeoVideoTrigger
from tests.support.airflow_version import AIRFLOW_3
from tests.support.scripted_server import KEY, connect
from tests.support.task_driver import TaskDriver
from tests.support.task_state_store import FakeTaskStateStore

LOST = [
    Fault(Trouble.DROPPED, accepted=True),
    Fault(Trouble.ERROR, accepted=True),
    Fault(Trouble.BAD_GATEWAY, accepted=True),
    Fault(Trouble.BROKEN_JSON, accepted=True),
]

GONE = [Fault(Trouble.GONE)] * 4  # two requests each to the content route and to the address in the status


def charged(task):
    """Wait until every job is done, and return the number of charges."""
    while any(job.status(time.time()) in ("queued", "processing") for job in task.emulator.jobs.all()):
        time.sleep(0.05)
    return task.emulator.jobs.report()["charged"]


def test_a_successful_task_pays_once(emulated_task):
    assert emulated_task().run()["submissions"] == 1
    assert charged(emulated_task) == 1


@pytest.mark.parametrize("lost", LOST, ids=lambda fault: fault.trouble.name)
class TestALostAnswer:
    def test_fails_the_task_without_retries_and_with_advice(self, emulated_task, lost):
        emulated_task.emulator.faults.add("order", lost)
        driver = emulated_task(retries=3)
        error = driver.run()
        assert isinstance(error, VeoFailException)
        assert driver.tries == 1
        for words in ("It is unknown", "Dag d, run r, task t", "request fingerprint", "console", "clear this task"):
            assert words in str(error)
        assert charged(emulated_task) == 1

    def test_is_not_followed_by_an_order_at_a_manual_retry(self, emulated_task, lost):
        emulated_task.emulator.faults.add("order", lost)
        driver = emulated_task()
        driver.run()
        assert "ended between the order and the answer" in str(driver.run())
        assert charged(emulated_task) == 1

    def test_is_followed_by_a_new_order_after_a_clear(self, emulated_task, lost):
        emulated_task.emulator.faults.add("order", lost)
        driver = emulated_task()
        driver.run()
        assert driver.clear().run()["status"] == "completed"
        assert charged(emulated_task) == 2

    def test_may_be_paid_twice_with_resubmit(self, emulated_task, lost):
        emulated_task.emulator.faults.add("order", lost)
        result = emulated_task(retries=1, on_unknown_submission="resubmit").run()
        assert result["submissions"] == 2
        assert charged(emulated_task) == 2


@pytest.mark.parametrize("lost", LOST, ids=lambda fault: fault.trouble.name)
@pytest.mark.parametrize("deferrable", [True, False])
def test_resubmit_pays_once_if_the_server_honours_the_idempotency_key(monkeypatch, lost, deferrable):
    settings = Settings(api_key=KEY, generation_seconds=0.2, honours_idempotency_key=True)
    with EmulatorServer(settings) as emulator:
        connect(monkeypatch, emulator.url)
        emulator.faults.add("order", lost)
        arguments = {"prompt": "p", "deferrable": deferrable, "on_unknown_submission": "resubmit"}
        assert TaskDriver(arguments, retries=1).run()["status"] == "completed"
        assert emulator.jobs.report()["charged"] == 1
        assert emulator.jobs.report()["repeated_orders"] == 1


def test_a_task_waits_for_a_short_rate_limit(emulated_task):
    emulated_task.emulator.faults.add("order", Fault(Trouble.RATE_LIMIT), Fault(Trouble.RATE_LIMIT))
    driver = emulated_task()
    assert driver.run()["submissions"] == 1
    assert driver.tries == 1
    assert charged(emulated_task) == 1


def test_a_long_rate_limit_is_left_to_airflows_retries(emulated_task):
    emulated_task.emulator.faults.add("order", Fault(Trouble.RATE_LIMIT, seconds=120))
    driver = emulated_task(retries=1)
    assert driver.run()["submissions"] == 1
    assert driver.tries == 2
    assert charged(emulated_task) == 1
    assert driver.errors[0].retry_after == 120
    if policy := make_default_retry_policy():  # Airflow 3.3+
        decision = policy.evaluate(driver.errors[0], 1, 3)
        assert decision.retry_delay == timedelta(seconds=120)
        assert "saturated" in decision.reason


def test_a_failed_job_is_replaced_by_a_retry_and_costs_nothing(emulated_task):
    emulated_task.emulator.jobs.fail_next("AUDIO_FILTERED")
    driver = emulated_task(retries=3)
    assert driver.run()["submissions"] == 2
    assert isinstance(driver.errors[0], VideoFailedError)
    assert charged(emulated_task) == 1


def test_max_submissions_limits_the_orders(emulated_task):
    for _ in range(5):
        emulated_task.emulator.jobs.fail_next("AUDIO_FILTERED")
    driver = emulated_task(retries=5)
    error = driver.run()
    assert isinstance(error, VeoFailException)
    assert "max_submissions=2 allows no more" in str(error)
    assert emulated_task.emulator.jobs.report()["orders"] == 2
    emulated_task.emulator.jobs._failures.clear()
    assert driver.clear().run()["submissions"] == 1


def test_a_refused_prompt_is_not_retried_by_airflow(emulated_task):
    emulated_task.emulator.jobs.fail_next("Content policy violation")
    driver = emulated_task(retries=3)
    assert isinstance(driver.run(), VeoFailException)
    assert driver.tries == 1


def test_a_clear_of_a_finished_task_orders_one_new_video(emulated_task):
    driver = emulated_task()
    first = driver.run()
    second = driver.clear().run()
    assert first["id"] != second["id"]
    assert charged(emulated_task) == 2


def test_a_retry_of_a_delivered_task_returns_its_video(emulated_task):
    driver = emulated_task()
    assert driver.run()["id"] == driver.run()["id"]
    assert charged(emulated_task) == 1


class TestATaskThatFailsAfterItHasStoredItsVideo:
    @pytest.fixture
    def driver(self, emulated_task, tmp_path):
        driver = emulated_task(destination=str(tmp_path / "a.mp4"), sidecar=True)
        driver.fails_afterwards = 1
        return driver

    @pytest.mark.parametrize("again", [lambda driver: driver, TaskDriver.clear], ids=["retry", "clear"])
    def test_the_next_try_returns_the_video_without_a_request(self, emulated_task, driver, again, tmp_path):
        assert "template" in str(driver.run())
        seen = (tmp_path / "a.mp4").stat().st_mtime_ns
        record = driver.store.values["veo_submission"]["kept"]
        requests = len(emulated_task.emulator.jobs.requests)
        (tmp_path / "a.mp4.json").unlink()
        result = again(driver).run()
        assert len(emulated_task.emulator.jobs.requests) == requests
        assert (tmp_path / "a.mp4").stat().st_mtime_ns == seen
        assert {name: result[name] for name in ("path", "bytes", "sha256")} == {
            name: record[name] for name in ("path", "bytes", "sha256")
        }
        sidecar = json.loads((tmp_path / "a.mp4.json").read_text())
        assert (sidecar["video_id"], sidecar["sha256"]) == (result["id"], result["sha256"])
        assert charged(emulated_task) == 1

    def test_the_next_try_returns_the_same_result(self, emulated_task, tmp_path):
        driver = emulated_task(destination=str(tmp_path / "a.mp4"))
        first = driver.run()
        assert first["url"]
        again = driver.run()  # not cleared, so the order record is unchanged
        withheld = "?" in first["url"]  # signed addresses are not recorded
        assert again == first | ({"url": None} if withheld else {})
        assert charged(emulated_task) == 1

    def test_the_number_of_orders_is_kept_after_a_clear(self, emulated_task, driver):
        emulated_task.emulator.jobs.fail_next("AUDIO_FILTERED")
        driver.retries = 1
        assert "template" in str(driver.run())
        assert driver.clear().run()["submissions"] == 2
        assert charged(emulated_task) == 1

    def test_a_clear_that_fails_again_orders_nothing(self, emulated_task, driver):
        driver.fails_afterwards = 3
        driver.run()
        driver.clear().run()
        assert "template" in str(driver.clear().run())
        first = driver.clear().run()
        assert charged(emulated_task) == 1
        assert driver.clear().run()["id"] != first["id"]  # the task had succeeded
        assert charged(emulated_task) == 2

    def test_a_missing_file_is_fetched_again(self, emulated_task, driver, tmp_path):
        driver.run()
        (tmp_path / "a.mp4").unlink()
        result = driver.run()
        assert (tmp_path / "a.mp4").stat().st_size == result["bytes"]
        assert charged(emulated_task) == 1

    @pytest.mark.parametrize("changed", [b"", b"another file"])
    def test_a_changed_file_is_replaced(self, emulated_task, driver, tmp_path, changed):
        driver.run()
        (tmp_path / "a.mp4").write_bytes(changed)
        result = driver.run()
        assert hashlib.sha256((tmp_path / "a.mp4").read_bytes()).hexdigest() == result["sha256"]
        assert charged(emulated_task) == 1

    def test_a_folder_in_place_of_the_file_is_an_error_without_an_order(self, emulated_task, driver, tmp_path):
        driver.run()
        (tmp_path / "a.mp4").unlink()
        (tmp_path / "a.mp4").mkdir()
        assert isinstance(driver.run(), Exception)
        assert emulated_task.emulator.jobs.report()["orders"] == 1

    def test_another_destination_gets_a_copy(self, emulated_task, driver, tmp_path):
        driver.run()
        requests = len(emulated_task.emulator.jobs.requests)
        driver.arguments["destination"] = str(tmp_path / "new" / "{video_id}.mp4")
        result = driver.run()
        assert result["path"] == str(tmp_path / "new" / f"{result['id']}.mp4")
        assert (tmp_path / "new" / f"{result['id']}.mp4").read_bytes() == (tmp_path / "a.mp4").read_bytes()
        assert len(emulated_task.emulator.jobs.requests) == requests

    def test_objects_are_returned_and_copied_too(self, emulated_task, driver, memory):
        driver.arguments["destination"] = f"{memory}/{{video_id}}.mp4"
        driver.run()
        requests = len(emulated_task.emulator.jobs.requests)
        driver.fails_afterwards = 1
        driver.run()
        driver.arguments["destination"] = f"{memory}/new/{{video_id}}.mp4"
        result = driver.run()
        assert result["path"] == f"{memory}/new/{result['id']}.mp4"
        assert len(emulated_task.emulator.jobs.requests) == requests
        assert hashlib.sha256(ObjectStoragePath(result["path"]).read_bytes()).hexdigest() == result["sha256"]

    def test_the_video_stays_in_place_if_the_destination_is_removed(self, emulated_task, driver, tmp_path):
        driver.run()
        del driver.arguments["destination"]
        assert driver.run()["path"] == str(tmp_path / "a.mp4")
        assert charged(emulated_task) == 1

    def test_an_unreachable_storage_is_an_error_without_an_order(self, emulated_task, driver, mocker, tmp_path):
        driver.run()
        away = mocker.patch("airflow_provider_veo.storage.delivery.find_stored", side_effect=OSError("no route"))
        error = driver.clear().run()
        assert f"has stored the video at {tmp_path / 'a.mp4'}, which cannot be read now" in str(error)
        assert "set on_clear='new' and clear the task" in str(error)
        assert "OSError: no route" in str(error)
        mocker.stop(away)
        assert driver.run()["path"] == str(tmp_path / "a.mp4")
        assert charged(emulated_task) == 1

    def test_a_clear_orders_again_if_the_file_and_the_content_are_gone(self, emulated_task, driver, tmp_path):
        driver.run()
        (tmp_path / "a.mp4").unlink()
        emulated_task.emulator.faults.add("content", *GONE)
        assert "the video is gone" in str(driver.run())
        assert driver.clear().run()["path"] == str(tmp_path / "a.mp4")
        assert charged(emulated_task) == 2

    def test_the_log_of_a_clear_says_how_to_get_a_new_video(self, emulated_task, driver, mocker):
        driver.run()
        log = mocker.patch.object(VeoCreateVideoOperator, "log")
        driver.clear().run()
        assert "another clear orders a new video" in str(log.info.call_args_list)


def test_a_task_without_a_destination_that_fails_at_its_end_collects_its_video(emulated_task):
    driver = emulated_task()
    driver.fails_afterwards = 2
    driver.run()
    driver.clear().run()
    first = driver.clear().run()
    assert charged(emulated_task) == 1
    assert driver.clear().run()["id"] != first["id"]
    assert charged(emulated_task) == 2


def test_an_order_record_of_an_earlier_version_is_read(emulated_task, tmp_path):
    driver = emulated_task(destination=str(tmp_path / "a.mp4"))
    first = driver.run()
    del driver.store.values["veo_submission"]["kept"]
    assert driver.run()["id"] == first["id"]
    del driver.store.values["veo_submission"]["kept"]
    assert driver.clear().run()["id"] != first["id"]


@pytest.mark.parametrize("again", ["retry", "clear"])
def test_a_video_that_could_not_be_stored_is_collected_by_the_next_try(emulated_task, tmp_path, again, mocker):
    driver = emulated_task(destination=str(tmp_path / "videos" / "a.mp4"))
    full = mocker.patch("airflow_provider_veo.storage.files.shutil.disk_usage", return_value=mocker.Mock(free=0))
    assert isinstance(driver.run(), StorageFullError)
    mocker.stop(full)
    result = (driver.clear() if again == "clear" else driver).run()
    assert (tmp_path / "videos" / "a.mp4").stat().st_size == result["bytes"]
    assert charged(emulated_task) == 1


def test_an_unwritable_folder_is_refused_before_the_order(emulated_task, tmp_path):
    (tmp_path / "videos").touch()
    error = emulated_task(destination=str(tmp_path / "videos" / "a.mp4")).run()
    assert isinstance(error, VeoFailException)
    assert "videos is a file" in str(error)
    assert charged(emulated_task) == 0


def test_a_clear_orders_again_if_the_server_has_deleted_the_content(emulated_task, tmp_path):
    """The status is still `completed`; only the content is gone."""
    driver = emulated_task(destination=str(tmp_path / "a.mp4"))
    emulated_task.emulator.faults.add("content", *GONE)
    error = driver.run()
    assert isinstance(error, VeoFailException)
    assert "the video is gone" in str(error)
    assert "clear the task that ordered it; that is charged again" in str(error)
    assert charged(emulated_task) == 1
    result = driver.clear().run()
    assert (tmp_path / "a.mp4").stat().st_size == result["bytes"]
    assert charged(emulated_task) == 2


def test_a_download_continues_after_a_cut_connection(emulated_task, tmp_path, monkeypatch):
    monkeypatch.setattr(VeoHook, "download_policy", DownloadPolicy(retry_pause=0.01))
    emulated_task.emulator.faults.add("content", Fault(Trouble.CUT))
    result = emulated_task(destination=str(tmp_path / "a.mp4")).run()
    content = (tmp_path / "a.mp4").read_bytes()
    assert result["sha256"] == hashlib.sha256(content).hexdigest()
    assert charged(emulated_task) == 1


def test_a_changed_prompt_orders_a_new_video(emulated_task):
    driver = emulated_task()
    first = driver.run()
    driver.arguments["prompt"] = "q"
    assert driver.run()["id"] != first["id"]
    driver.arguments["prompt"] = "r"
    assert "max_submissions=2 allows no more" in str(driver.run())
    assert driver.clear().run()["status"] == "completed"


def test_after_the_deadline_a_retry_collects_the_video(emulated_task):
    emulated_task.emulator.jobs.hold()
    driver = emulated_task(timeout=timedelta(seconds=0.2))
    error = driver.run()
    assert isinstance(error, VideoTimeoutError)
    video_id = emulated_task.emulator.jobs.all()[0].id
    assert video_id in str(error)
    assert "may still finish, and is billed then" in str(error)
    emulated_task.emulator.jobs.release()
    while emulated_task.emulator.jobs.all()[0].status(time.time()) != "completed":
        time.sleep(0.05)
    assert driver.run()["id"] == video_id
    assert charged(emulated_task) == 1


def test_the_deadline_counts_from_the_first_order(emulated_task):
    emulated_task.emulator.jobs.fail_next("AUDIO_FILTERED")
    driver = emulated_task()
    assert isinstance(driver.run(), VideoFailedError)
    driver.arguments["timeout"] = timedelta(seconds=0.3)  # the failed job has taken longer
    error = driver.run()
    assert isinstance(error, VeoFailException)
    assert "Nothing was ordered now: the time for another one" in str(error)
    assert emulated_task.emulator.jobs.report()["orders"] == 1
    driver.arguments["timeout"] = timedelta(seconds=60)
    assert driver.clear().run()["status"] == "completed"


def test_a_clear_gives_a_running_job_a_new_deadline(emulated_task):
    emulated_task.emulator.jobs.hold()
    driver = emulated_task(timeout=timedelta(seconds=0.3))
    assert isinstance(driver.run(), VideoTimeoutError)
    emulated_task.emulator.jobs.release()
    driver.arguments["timeout"] = timedelta(seconds=60)
    assert driver.clear().run()["submissions"] == 1
    assert charged(emulated_task) == 1


class TestTheStateStore:
    def test_that_cannot_be_read_prevents_an_order(self, emulated_task):
        driver = emulated_task()
        driver.store.broken = {"get"}
        assert "nothing was ordered" in str(driver.run())
        assert emulated_task.emulator.jobs.report()["orders"] == 0

    def test_that_cannot_be_written_prevents_an_order(self, emulated_task):
        driver = emulated_task()
        driver.store.broken = {"set"}
        assert "nothing was ordered" in str(driver.run())
        assert emulated_task.emulator.jobs.report()["orders"] == 0

    def test_that_fails_after_the_order_does_not_lose_the_video(self, emulated_task, mocker):
        driver = emulated_task()
        write = FakeTaskStateStore.set

        def first_only(self, key, value, **more):
            self.broken = {"get", "set"}
            self.values[key] = json.loads(json.dumps(value))

        mocker.patch.object(FakeTaskStateStore, "set", first_only)
        assert driver.run()["status"] == "completed"
        mocker.patch.object(FakeTaskStateStore, "set", write)
        assert charged(emulated_task) == 1

    def test_that_is_missing_makes_the_task_log_a_warning(self, emulated_task, mocker):
        log = mocker.patch.object(VeoCreateVideoOperator, "log")
        driver = emulated_task()
        driver.store = None
        result = driver.run()
        assert result["submissions"] is None
        assert "a retry of this task orders again" in str(log.warning.call_args_list)


@pytest.mark.parametrize("most", [1, 2])
def test_a_job_that_the_clear_itself_cancels_is_replaced(monkeypatch, most):
    """The new try may see the old job running just before the trigger's cancellation reaches the server."""
    with EmulatorServer(Settings(api_key=KEY, generation_seconds=0.5, can_cancel=True)) as emulator:
        connect(monkeypatch, emulator.url)
        emulator.jobs.hold()
        arguments = {"prompt": "p", "deferrable": True, "timeout": timedelta(seconds=0.05), "max_submissions": most}
        driver = TaskDriver(arguments)
        assert isinstance(driver.run(), VideoTimeoutError)
        driver.arguments["timeout"] = timedelta(seconds=30)
        run = VeoVideoTrigger.run

        async def cancelled_first(trigger):
            VeoVideoTrigger.run = run
            await VeoHook(trigger.conn_id).acancel_video(trigger.video_id)
            emulator.jobs.release()
            async for event in run(trigger):
                yield event

        monkeypatch.setattr(VeoVideoTrigger, "run", cancelled_first)
        result = driver.clear().run()
        assert (result["status"], result["submissions"]) == ("completed", 1)
        assert emulator.jobs.report()["cancelled"] == 1
        assert emulator.jobs.report()["charged"] == 1


def run_with_random_faults(monkeypatch, seed, count):
    """Run tasks on a gateway where 30 % of all answers fail; return their results or errors, and the jobs."""
    faults = Faults(share=0.3, seed=seed, seconds=0.02)
    with EmulatorServer(Settings(api_key=KEY, generation_seconds=0.1), faults=faults) as emulator:
        connect(monkeypatch, emulator.url)

        def run(number):
            arguments = {"prompt": f"p{number % 50}", "deferrable": bool(number % 2), "poll_interval": 0.05}
            return TaskDriver(arguments | {"timeout": timedelta(seconds=120)}, retries=3, name=f"t{number}").run()

        if AIRFLOW_3:
            with ThreadPoolExecutor(16) as pool:
                results = list(pool.map(run, range(count)))
        else:  # operators of Airflow 2 run in the main thread only
            results = [run(number) for number in range(count)]
        while any(job.status(time.time()) in ("queued", "processing") for job in emulator.jobs.all()):
            time.sleep(0.05)
    return results, emulator.jobs


@pytest.mark.parametrize("seed", [1, 2])
def test_two_hundred_tasks_with_random_faults_end_in_videos_or_named_errors(monkeypatch, seed, capsys):
    """A charge without a video belongs to a task whose error says that its order is unknown."""
    results, jobs = run_with_random_faults(monkeypatch, seed, 200)
    ends = Counter("video" if isinstance(result, dict) else _kind(result) for result in results)
    charged = {job.id for job in jobs.charged()}
    with capsys.disabled():
        sys.stdout.write(f"\nrandom faults, {seed=}: {dict(ends)}, charged {len(charged)}\n")
    assert set(ends) <= {"video", "unknown order", "rate limited"}
    assert ends["video"] > 100
    known = {result["id"] for result in results if isinstance(result, dict)}
    assert len(known) == ends["video"]
    assert known <= charged
    # an order whose answer was lost may have been charged
    assert len(charged - known) <= ends["unknown order"]


def test_random_faults_can_be_repeated(monkeypatch):
    first, again = (
        [isinstance(result, dict) or _kind(result) for result in run_with_random_faults(monkeypatch, 3, 40)[0]]
        for _ in range(2)
    )
    assert first == again


def _kind(error):
    if isinstance(error, VeoFailException) and "It is unknown" in str(error):
        return "unknown order"
    if isinstance(error, ApiError) and error.status == 429:
        return "rate limited"
    assert isinstance(error, VeoError), error
    return f"{type(error).__name__}: {error}"
