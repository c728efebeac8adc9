"""A real LiteLLM proxy in front of Veo on Google Cloud: paid once, stored, filtered.

LiteLLM 1.108.7 does not cool down after an upstream 401. The answers of 1.110.2, which does, are in
`tests/wire/litellm.json`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_veo.api.errors import Reason, VideoFailedError
from airflow_provider_veo.emulator.faults import Fault, Trouble
from airflow_provider_veo.emulator.google_cloud import make_key
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from tests.support.scripted_server import connect
from tests.support.task_driver import TaskDriver
from tests.system.litellm_proxy import LiteLLMProxy

KEY = "sk-canary-of-the-proxy"
MODEL = "veo"


@pytest.fixture(scope="module")
def google():
    with EmulatorServer(Settings(dialect="vertex", generation_seconds=0.5)) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(google, tmp_path_factory):
    folder = tmp_path_factory.mktemp("litellm")
    key = folder / "service-account.json"
    key.write_text(json.dumps(make_key(google.url)))
    model = {
        "model": "vertex_ai/veo-3.1-fast-generate-001",
        "vertex_project": "my-project",
        "vertex_location": "us-central1",
        "vertex_credentials": str(key),
        "api_base": google.url,
    }
    with LiteLLMProxy(folder, google.url, "none", KEY, {MODEL: model}) as running:
        yield running


@pytest.fixture(autouse=True)
def connection(proxy, monkeypatch, tmp_path):
    connect(monkeypatch, proxy.url, KEY, profile="litellm", default_model=MODEL)
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__VEO__SHORTEST_DEFERRAL", "0")


@pytest.fixture
def task(request):
    def make(**arguments):
        defaults = {"prompt": request.node.name, "destination": "{video_id}.mp4", "timeout": 60.0}
        return TaskDriver(defaults | arguments, retries=2)

    return make


@pytest.fixture
def orders(request, google):
    """Return a function that returns the jobs that the test has ordered."""
    return lambda: [job for job in google.jobs.all() if job.prompt == request.node.name]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_task_stores_its_video(task, orders, deferrable):
    result = task(deferrable=deferrable, seconds=8).run()
    assert isinstance(result, dict), result
    assert Path(result["path"]).read_bytes()[4:8] == b"ftyp"
    assert result["status"] == "completed"
    (job,) = orders()
    assert (job.model.id, job.model.seconds) == ("veo-3.1-fast-generate-001", 8)


def test_a_filtered_job_is_final_although_the_proxy_calls_it_completed(task, orders, google):
    google.jobs.fail_next("Veo could not generate videos. You will not be charged.", "filtered")
    one = task()
    error = one.run()
    assert isinstance(error, AirflowFailException)
    assert error.reason is Reason.MODERATION
    assert len(orders()) == 1


def test_a_failed_job_is_ordered_again_by_a_retry(task, orders, google):
    google.jobs.fail_next("Internal error encountered.", "13")
    one = task()
    assert isinstance(one.run(), dict)
    assert [type(error) for error in one.errors] == [VideoFailedError]
    assert len(orders()) == 2


@pytest.mark.parametrize("trouble", [Trouble.ERROR, Trouble.BAD_GATEWAY, Trouble.DROPPED])
def test_an_order_with_a_bad_answer_is_unknown_and_is_sent_once(task, orders, google, trouble):
    google.faults.add("order", Fault(trouble, accepted=True))
    one = task()
    assert isinstance(one.run(), AirflowFailException)
    assert [error.reason for error in one.errors] == [Reason.UNKNOWN_SUBMISSION]
    assert len(orders()) == 1
