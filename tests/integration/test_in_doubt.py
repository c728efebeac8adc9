"""Jobs whose status and content contradict each other: a paid video is stored, and paid for once."""

from __future__ import annotations

import random
import time
from datetime import timedelta

import pytest

from airflow_provider_veo.api.errors import TransportError, VideoFailedError, VideoTimeoutError
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.sensors.video import VeoVideoSensor
from tests.support.mp4_boxes import make_video
from tests.support.scripted_server import Reply, connect
from tests.support.task_driver import TaskDriver

VIDEO = make_video(random.Random(4).randbytes(10_000))


class Gateway:
    """A gateway that answers with a status and a content that the test sets.

    Attributes:
        status: Fields of the status; or a list of them, of which the last one repeats; or an answer.
        content: Answer to a request for the content.
        orders: Number of jobs that were made.
        well: IDs of jobs whose content is delivered regardless of `content`.
    """

    def __init__(self, status, content=None):
        self.status, self.content = status, content or Reply(body=VIDEO)
        self.orders, self.well = 0, set()

    def __call__(self, request):
        if request.method == "POST":
            self.orders += 1
            return Reply(body={"id": f"video_{self.orders}", "status": "queued"})
        video_id = request.path.split("/")[3]
        if request.path.endswith("/content"):
            return Reply(body=VIDEO) if video_id in self.well else self.content
        status = self.status
        if isinstance(status, list):
            status = status.pop(0) if len(status) > 1 else status[0]
        return status if isinstance(status, Reply) else Reply(body={"id": video_id} | status)


HARMLESS = [
    {"error": {"code": "warning", "message": "The soundtrack was dropped"}},
    {"error_message": "Video generated successfully"},
    {"fail_reason": "https://cdn.example/v.mp4"},
    {"error": "-"},
    {"url": "v.mp4"},
    {"filtered": "no"},
    {"block_reason": "BLOCK_REASON_UNSPECIFIED"},
    {"metadata": {"error": "no errors"}},
]


class TestACompletedJobWithAMessage:
    @pytest.mark.parametrize("beside", HARMLESS, ids=str)
    def test_is_stored_if_the_content_is_there(self, task, tmp_path, beside):
        gateway = Gateway({"status": "completed"} | beside)
        result = task(gateway).run()
        assert (result["id"], result["status"]) == ("video_1", "completed")
        assert (tmp_path / "video_1.mp4").read_bytes() == VIDEO
        assert gateway.orders == 1

    def test_succeeds_without_a_destination(self, task):
        gateway = Gateway({"status": "completed"} | HARMLESS[0])
        assert task(gateway, destination=None).run()["status"] == "completed"
        assert gateway.orders == 1

    def test_fails_if_the_content_is_refused(self, task):
        gateway = Gateway({"status": "completed", "error": {"message": "The model broke"}}, Reply(404))
        error = task(gateway).run()
        assert isinstance(error, VideoFailedError)
        assert "The model broke" in str(error)

    def test_fails_without_retries_if_a_filter_withholds_the_content(self, task):
        gateway = Gateway(
            {"status": "completed", "metadata": {"raiMediaFilteredReasons": ["Support codes: 1"]}}, Reply(404)
        )
        error = task(gateway, retries=3).run()
        assert isinstance(error, VeoFailException)
        assert error.reason == "moderation"
        assert gateway.orders == 1

    def test_is_asked_for_again_after_a_rate_limit(self, task):
        gateway = Gateway({"status": "completed"} | HARMLESS[0], Reply(429))
        driver = task(gateway, retries=1)
        assert not isinstance(driver.run(), VideoFailedError)
        gateway.content = Reply(body=VIDEO)
        assert driver.run()["id"] == "video_1"
        assert gateway.orders == 1

    def test_is_collected_by_a_retry(self, task):
        gateway = Gateway({"status": "processing"})
        driver = task(gateway, timeout=timedelta(seconds=0.2))
        driver.run()
        gateway.status = {"status": "completed"} | HARMLESS[0]
        assert driver.run()["id"] == "video_1"
        assert gateway.orders == 1

    @pytest.mark.parametrize("deferrable", [True, False])
    def test_ends_the_wait_of_a_sensor(self, serve, monkeypatch, deferrable):
        connect(monkeypatch, serve(Gateway({"status": "completed"} | HARMLESS[0])).url)
        sensor = {"video_id": "v", "deferrable": deferrable, "poll_interval": 0.01}
        result = TaskDriver(sensor, operator=VeoVideoSensor).once()
        assert getattr(result, "xcom_value", result)["status"] == "completed"


class TestAnUnknownStatusWord:
    @pytest.mark.parametrize("word", ["completed_with_warnings", "ready_for_review", "rendered", "100%", ""])
    def test_does_not_lose_a_video_that_is_there_at_the_deadline(self, task, tmp_path, word):
        gateway = Gateway({"status": word})
        assert task(gateway, timeout=timedelta(seconds=0.2)).run()["id"] == "video_1"
        assert (tmp_path / "video_1.mp4").read_bytes() == VIDEO

    @pytest.mark.parametrize(
        "content", [Reply(404), Reply(500), Reply(403), Reply(body={"status": "ripening"})], ids=str
    )
    def test_is_a_timeout_without_a_video(self, task, content):
        gateway = Gateway({"status": "ripening"}, content)
        assert isinstance(task(gateway, timeout=timedelta(seconds=0.2)).run(), VideoTimeoutError)

    def test_differs_from_a_running_job_whose_content_is_not_requested(self, task):
        gateway = Gateway({"status": "processing"})
        assert isinstance(task(gateway, timeout=timedelta(seconds=0.2)).run(), VideoTimeoutError)

    @pytest.mark.parametrize("word", ["Task not found", "not_found", "JOB_DOES_NOT_EXIST"])
    def test_allows_a_new_order_after_a_clear_if_it_means_an_unknown_job(self, task, monkeypatch, word):
        monkeypatch.setattr("airflow_provider_veo.orders.decision.RECENT", 0.0)
        gateway = Gateway({"status": "processing"}, Reply(404))
        driver = task(gateway, timeout=timedelta(seconds=0.2))
        driver.run()
        gateway.status = {"status": word}
        driver.clear().run()
        assert gateway.orders == 2


@pytest.fixture
def clock(monkeypatch):
    """Return a function that sets the clock of the tasks forward by some seconds."""
    real, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])

    def advance(seconds):
        ahead[0] += seconds

    return advance


class TestAWithheldVideo:
    def test_is_ordered_again_only_by_a_clear_that_begins_after_ten_minutes(self, task, clock, monkeypatch):
        gateway = Gateway({"status": "completed"}, Reply(500))
        driver = task(gateway)
        driver.run()
        clock(595)
        opened = VeoHook.download_video

        def slow(*args, **kwargs):
            clock(30)
            return opened(*args, **kwargs)

        monkeypatch.setattr(VeoHook, "download_video", slow)
        driver.clear().run()
        assert gateway.orders == 1
        driver.clear().run()
        assert gateway.orders == 2

    def test_counts_its_ten_minutes_anew_after_a_running_status(self, task, clock):
        gateway = Gateway(Reply(500))
        driver = task(gateway, timeout=timedelta(seconds=0.2))
        driver.run()
        clock(3600)
        gateway.status = [{"status": "processing"}, {"status": "completed"}]
        gateway.content = Reply(500)
        driver.arguments["timeout"] = timedelta(seconds=5)
        driver.clear().run()
        assert gateway.orders == 1

    def test_is_not_ordered_again_if_the_record_cannot_be_written(self, task, clock):
        gateway = Gateway({"status": "completed"}, Reply(500))
        driver = task(gateway)
        driver.run()
        clock(700)
        driver.clear()
        real = driver.store.set

        def full(key, value, **more):
            if value["state"] == "lost":
                raise RuntimeError("the API server is away")
            real(key, value, **more)

        driver.store.set = full
        assert "nothing was ordered" in str(driver.run())
        assert gateway.orders == 1


class TestAnAddressThatCannotBeReached:
    def test_withholds_the_video_and_a_later_clear_orders(self, task, clock):
        gateway = Gateway({"status": "completed"}, Reply(302, headers={"Location": "http://127.0.0.1:9/v.mp4"}))
        driver = task(gateway)
        error = driver.run()
        assert isinstance(error, TransportError)
        assert "A later clear asks once more" in str(error)
        clock(700)
        gateway.well.add("video_2")
        assert driver.clear().run()["id"] == "video_2"

    def test_differs_from_an_api_that_cannot_be_reached(self, task, clock):
        gateway = Gateway({"status": "completed"}, Reply(200, VIDEO, close_early=0))
        driver = task(gateway)
        assert "A later clear" not in str(driver.run())

    def test_does_not_hide_the_address_in_the_status(self, task, serve, tmp_path):
        cdn = serve(lambda _: Reply(body=VIDEO))
        gateway = Gateway(
            {"status": "completed", "url": f"{cdn.url}/v.mp4"},
            Reply(302, headers={"Location": "http://10.255.255.1/v.mp4"}),
        )
        assert task(gateway).run()["id"] == "video_1"
        gateway.content = Reply(302, headers={"Location": "http://127.0.0.1:9/v.mp4"})
        assert task(gateway).run()["id"] == "video_2"
