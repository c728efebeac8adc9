"""Withheld videos: the server does not deliver the video of a completed job. Errors and orders of the task."""

from __future__ import annotations

import random
import re
import time
from datetime import timedelta

import pytest

from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.api.errors import (
    ApiError,
    ContentGoneError,
    ContentNotReadyError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.orders import record
from airflow_provider_veo.orders.store import KEY
from tests.support.mp4_boxes import make_video
from tests.support.scripted_server import Reply, connect
from tests.support.task_driver import TaskDriver

VIDEO = make_video(random.Random(4).randbytes(10_000))
BARE = Reply(500, {"error": {"message": "Internal error"}})
NO_SAMPLE = Reply(500, {"error": {"message": "litellm.APIError: No response data in completed operation"}})
FILTERED = "Veo could not generate videos because of its usage guidelines. Support codes: 58061214"


class Gateway:
    """A gateway whose first job can never be collected; each later one can.

    Attributes:
        orders: Number of jobs that were made.
        sick: Number of jobs, from the first one, that cannot be collected.
        content: Answer for the content of such a job.
        status: Answer for the status of such a job; None for a completed one.
    """

    def __init__(self, content=BARE, status=None):
        self.content, self.status = content, status
        self.orders, self.sick = 0, 1

    def __call__(self, request):
        if request.method == "POST":
            self.orders += 1
            return Reply(body={"id": f"video_{self.orders}", "status": "queued"})
        video_id = request.path.split("/")[3]
        is_sick = int(video_id.rpartition("_")[2]) <= self.sick
        if request.path.endswith("/content"):
            return self.content if is_sick else Reply(body=VIDEO)
        if is_sick and self.status:
            return self.status
        return Reply(body={"id": video_id, "status": "completed"})


@pytest.fixture
def ten_minutes_later(monkeypatch):
    """Return a function that stands for ten minutes of refusals: it removes the time that they must last."""
    return lambda: monkeypatch.setattr(record, "LONGEST_REFUSAL", 0.0)


class TestAnErrorWithoutAReason:
    def test_is_asked_about_again_by_each_retry_without_an_order(self, task, ten_minutes_later):
        gateway = Gateway()
        driver = task(gateway, retries=2)
        ten_minutes_later()
        assert isinstance(driver.run(), ApiError)
        assert (driver.tries, gateway.orders) == (3, 1)
        gateway.sick = 0
        assert driver.run()["id"] == "video_1"
        assert gateway.orders == 1

    def test_names_its_time_and_both_ways_to_continue(self, task):
        error = task(Gateway()).run()
        refused = re.search(r"has refused it since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC\. A retry asks", str(error))
        assert refused, error
        assert "A later clear asks once more, and orders another video only if it is refused again" in str(error)
        assert error.video_id == "video_1"

    def test_lets_a_clear_order_only_after_ten_minutes(self, task, ten_minutes_later):
        gateway = Gateway()
        driver = task(gateway)
        driver.run()
        assert isinstance(driver.clear().run(), ApiError)
        assert gateway.orders == 1
        ten_minutes_later()
        assert isinstance(driver.run(), ApiError)  # a manual retry
        assert gateway.orders == 1
        assert driver.clear().run()["id"] == "video_2"
        assert gateway.orders == 2

    def test_counts_from_the_first_time(self, task, monkeypatch):
        gateway = Gateway()
        driver = task(gateway)
        driver.run()
        since = driver.store.values[KEY]["withheld_since"]
        assert abs(since - time.time()) < 60
        driver.run()
        assert driver.store.values[KEY]["withheld_since"] == since

    @pytest.mark.parametrize("most", [1, 2])
    def test_leaves_max_submissions_of_the_clear_unchanged(self, task, ten_minutes_later, most):
        gateway = Gateway()
        driver = task(gateway, max_submissions=most)
        driver.run()
        ten_minutes_later()
        assert driver.clear().run()["submissions"] == 1
        assert gateway.orders == 2

    def test_is_checked_once_more_before_a_clear_orders(self, task, ten_minutes_later):
        gateway = Gateway()
        driver = task(gateway)
        driver.run()
        ten_minutes_later()
        gateway.sick = 0
        assert driver.clear().run()["id"] == "video_1"
        assert gateway.orders == 1

    @pytest.mark.parametrize(
        "content", [Reply(403), Reply(405), Reply(body="<html>Sign in</html>"), Reply(body=VIDEO[:-5])], ids=str
    )
    def test_may_be_of_any_kind(self, task, ten_minutes_later, content):
        gateway = Gateway(content)
        driver = task(gateway)
        assert "A later clear asks once more" in str(driver.run())
        ten_minutes_later()
        assert driver.clear().run()["id"] == "video_2"


class TestAnErrorThatMeansNoVideo:
    @pytest.mark.parametrize("content", [NO_SAMPLE, Reply(502, {"error": {"message": "gemini video url not found"}})])
    def test_ends_the_job_and_a_retry_orders(self, task, content):
        gateway = Gateway(content)
        driver = task(gateway, retries=3)
        assert driver.run()["id"] == "video_2"
        assert isinstance(driver.errors[0], VideoFailedError)
        assert "is completed without a video" in str(driver.errors[0])
        assert (driver.tries, gateway.orders) == (2, 2)

    def test_is_bounded_by_max_submissions_until_a_clear(self, task):
        gateway = Gateway(NO_SAMPLE)
        gateway.sick = 2
        driver = task(gateway, retries=3)
        assert "max_submissions=2 allows no more" in str(driver.run())
        assert gateway.orders == 2
        assert driver.clear().run()["id"] == "video_3"

    @pytest.mark.parametrize(
        "content",
        [
            Reply(500, {"error": {"message": FILTERED}}),
            Reply(404, {"error": {"code": "content_filter", "message": "no"}}),
            Reply(body={"done": True, "response": {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [FILTERED]}}),
        ],
        ids=["Google's text", "a code", "Google's fields"],
    )
    def test_of_a_filter_fails_the_task_without_retries(self, task, content):
        gateway = Gateway(content)
        driver = task(gateway, retries=3)
        error = driver.run()
        assert isinstance(error, VeoFailException)
        assert error.reason == "moderation"
        assert "change the prompt" in str(error)
        assert (driver.tries, gateway.orders) == (1, 1)
        assert driver.clear().run()["id"] == "video_2"

    def test_of_a_filter_may_stand_in_the_status(self, task):
        fields = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [FILTERED]}
        gateway = Gateway(Reply(404), Reply(body={"id": "video_1", "status": "completed", "metadata": fields}))
        error = task(gateway, retries=3).run()
        assert isinstance(error, VeoFailException)
        assert error.reason == "moderation"
        assert "usage guidelines" in str(error)


class TestAnAddressThatRefuses:
    def test_ends_the_job_and_a_clear_orders(self, task, serve):
        cdn = serve(lambda _: Reply(403, "<Error><Code>AccessDenied</Code></Error>"))
        signed = f"{cdn.url}/a.mp4?X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-Signature=canary"
        gateway = Gateway(Reply(302, headers={"Location": signed}))
        driver = task(gateway, retries=3)
        error = driver.run()
        assert isinstance(error, VeoFailException)
        assert "AccessDenied" in str(error)
        assert "clear the task that ordered it" in str(error)
        assert "API key" not in str(error)
        assert "canary" not in str(error)
        assert len(cdn.requests) == 2
        assert gateway.orders == 1
        assert driver.clear().run()["id"] == "video_2"


class TestAStatusThatIsAlwaysAnError:
    """LiteLLM's Gemini route always answers 500 for the status of a job that Google has filtered."""

    @pytest.mark.parametrize("status", [500, 403, 400])
    def test_is_asked_for_again_until_a_later_clear_orders(self, task, ten_minutes_later, status):
        said = Reply(status, {"error": {"message": "generatedSamples Field required"}})
        gateway = Gateway(status=said)
        driver = task(gateway, retries=1, timeout=timedelta(seconds=0.3))
        error = driver.run()
        assert "A later clear asks once more" in str(error)
        assert error.video_id == "video_1"
        driver.clear().run()
        assert gateway.orders == 1
        ten_minutes_later()
        driver.arguments["timeout"] = timedelta(seconds=3)
        assert driver.clear().run()["id"] == "video_2"

    def test_does_not_count_if_the_key_is_refused(self, task, ten_minutes_later):
        gateway = Gateway(status=Reply(401, {"error": {"message": "Invalid token"}}))
        driver = task(gateway)
        driver.run()
        ten_minutes_later()
        assert "API key" in str(driver.clear().run())
        assert gateway.orders == 1

    def test_counts_anew_after_a_running_status(self, task, ten_minutes_later):
        refused, running = Reply(500), Reply(body={"id": "video_1", "status": "processing"})
        gateway = Gateway(status=refused)
        driver = task(gateway, timeout=timedelta(seconds=0.3))
        driver.run()
        gateway.status = running
        assert isinstance(driver.clear().run(), VideoTimeoutError)
        assert driver.store.values[KEY]["withheld_since"] is None

    def test_differs_from_a_running_job(self, task, ten_minutes_later):
        gateway = Gateway(status=Reply(body={"id": "video_1", "status": "processing"}))
        driver = task(gateway, timeout=timedelta(seconds=0.2))
        driver.run()
        ten_minutes_later()
        assert isinstance(driver.clear().run(), VideoTimeoutError)
        assert gateway.orders == 1


class TestADownload:
    @pytest.fixture
    def download(self, serve, monkeypatch, tmp_path):
        def run(answer, **what):
            connect(monkeypatch, serve(answer).url)
            return TaskDriver({"destination": f"{tmp_path}/a.mp4"} | what, operator=VeoDownloadOperator).once()

        return run

    def test_of_an_unknown_id_fails_at_once(self, download):
        started = time.monotonic()
        with pytest.raises(VeoFailException, match="The server does not know it any more") as caught:
            download(lambda _: Reply(404, {"error": {"message": "Task not found"}}), video_id="video_9")
        assert time.monotonic() - started < 30  # an earlier version took two minutes
        assert caught.value.video_id == "video_9"

    def test_of_an_unknown_id_fails_for_any_answer_of_the_content_route(self, download):
        def answer(request):
            return Reply(500) if request.path.endswith("/content") else Reply(404)

        with pytest.raises(VeoFailException, match="The server does not know it any more"):
            download(answer, video_id="video_9")

    def test_of_an_expired_address_advises_to_download_by_id(self, download, serve):
        cdn = serve(lambda _: Reply(403, "<Error><Code>AccessDenied</Code></Error>"))
        with pytest.raises(VeoFailException, match=r"VeoDownloadOperator\(video_id=\.\.\.\)") as caught:
            download(lambda _: Reply(404), url=f"{cdn.url}/a.mp4?X-Amz-Signature=canary")
        assert isinstance(caught.value.cause, ContentGoneError)
        assert "API key" not in str(caught.value)
        assert "canary" not in str(caught.value)
        assert len(cdn.requests) == 1

    def test_of_a_running_job_waits(self, download, monkeypatch):
        monkeypatch.setattr(VeoHook, "download_policy", DownloadPolicy(content_poll_interval=0.01))

        def answer(request):
            return Reply(405) if request.path.endswith("/content") else Reply(body={"id": "v", "status": "processing"})

        with pytest.raises(ContentNotReadyError, match="not finished"):
            download(answer, video_id="v", content_timeout=timedelta(seconds=0.1))
