"""Every backend pays once: tasks of Airflow against the emulator, in each fault of the answers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_veo.api.errors import Reason, VideoFailedError
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.operators.download import VeoDownloadOperator
from tests.support.task_driver import TaskDriver

BACKENDS = ["veo-gateway", "openrouter", "gemini", "vertex"]


@pytest.fixture(params=BACKENDS)
def veo_emulator_dialect(request):
    return request.param


@pytest.fixture
def veo_emulator_settings(veo_emulator_dialect):
    return Settings(dialect=veo_emulator_dialect, generation_seconds=0.3)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__SHORTEST_DEFERRAL", "0")


def task(**arguments):
    return TaskDriver(
        {"prompt": "a paper boat", "destination": "{video_id}.mp4", "timeout": 60.0} | arguments, retries=2
    )


def test_emulator_and_connection_agree(veo_emulator, veo_emulator_dialect):
    """Guard against a dialect that all tests below would silently try by another backend."""
    extra = json.loads(os.environ["AIRFLOW_CONN_VEO_DEFAULT"])["extra"]
    assert extra.get("backend", "veo-gateway") == veo_emulator_dialect


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_task_stores_one_video_that_is_charged_once(veo_emulator, deferrable):
    result = task(deferrable=deferrable).run()
    assert isinstance(result, dict), result
    assert Path(result["path"]).read_bytes()[4:8] == b"ftyp"
    assert (len(veo_emulator.orders), veo_emulator.charged) == (1, 1)
    assert result["status"] == "completed"
    assert "~" in Path(result["path"]).name or result["id"] in result["path"]


def test_a_lost_answer_orders_nothing_more(veo_emulator):
    veo_emulator.answer_next("order", "dropped")
    one = task()
    assert isinstance(one.run(), AirflowFailException)
    assert [error.reason for error in one.errors] == [Reason.UNKNOWN_SUBMISSION]
    assert sum(line.startswith("POST") and "/token" not in line for line in veo_emulator._jobs.requests) == 1


@pytest.mark.parametrize("trouble", ["error", "bad_gateway", "broken_json"])
def test_an_unclear_answer_orders_nothing_more(veo_emulator, trouble):
    veo_emulator.answer_next("order", trouble)
    one = task()
    assert isinstance(one.run(), AirflowFailException)
    assert len(veo_emulator.orders) <= 1


def test_a_rate_limit_is_waited_for(veo_emulator):
    veo_emulator.answer_next("order", "rate_limit", retry_after=0.1)
    veo_emulator.answer_next("status", "rate_limit", retry_after=0.1)
    assert isinstance(task().run(), dict)
    assert (len(veo_emulator.orders), veo_emulator.charged) == (1, 1)


@pytest.mark.parametrize("trouble", ["error", "dropped", "broken_json"])
def test_failing_status_calls_cost_no_video(veo_emulator, trouble):
    veo_emulator.answer_next("status", trouble)
    assert isinstance(task().run(), dict)
    assert (len(veo_emulator.orders), veo_emulator.charged) == (1, 1)


def test_a_job_that_fails_is_ordered_again_by_a_retry(veo_emulator):
    veo_emulator.fail_next("internal error")
    one = task()
    assert isinstance(one.run(), dict)
    assert [type(error) for error in one.errors] == [VideoFailedError]
    assert (len(veo_emulator.orders), veo_emulator.charged) == (2, 1)


def test_a_filtered_job_is_neither_charged_nor_ordered_again(veo_emulator):
    veo_emulator.fail_next("The prompt violates the content policy", "filtered")
    one = task()
    assert isinstance(one.run(), AirflowFailException)
    assert one.errors[-1].reason is Reason.MODERATION
    assert (len(veo_emulator.orders), veo_emulator.charged) == (1, 0)


def test_a_try_that_fails_afterwards_hands_its_file_over(veo_emulator):
    one = task()
    one.fails_afterwards = 1
    assert isinstance(one.run(), dict)
    assert (len(veo_emulator.orders), veo_emulator.charged) == (1, 1)


def test_a_download_by_the_id_alone_stores_the_same_video(veo_emulator):
    first = task().run()
    copied = TaskDriver({"video_id": first["id"], "destination": "copy.mp4"}, operator=VeoDownloadOperator).run()
    assert (copied["bytes"], copied["sha256"]) == (first["bytes"], first["sha256"])


def test_another_backend_is_an_error_before_any_call(veo_emulator, veo_emulator_dialect):
    one = task()
    one.fails_afterwards = 1
    one.arguments.pop("destination")
    one.retries = 0
    one.run()
    calls = len(veo_emulator._jobs.requests)
    other = "openrouter" if veo_emulator_dialect == "gemini" else "gemini"
    veo_emulator.connect("veo_default", backend=other, profile=None, keyfile_dict=None, project=None)
    found = one.run()
    assert isinstance(found, AirflowFailException)
    assert "was ordered by the backend" in str(found)
    assert len(veo_emulator._jobs.requests) == calls
