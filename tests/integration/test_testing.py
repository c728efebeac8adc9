"""The pytest plugin, as users use it in their own tests."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import httpx
import pytest

from airflow_provider_veo.api.errors import VideoFailedError
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from tests.support.task_driver import TaskDriver


def task(**arguments):
    return TaskDriver({"prompt": "a cat", "deferrable": True, **arguments})


def progress(video_id):
    return VeoHook().get_video(video_id).progress


def test_a_video_is_ordered_stored_and_charged(veo_emulator):
    result = task(destination="cat.mp4").run()
    assert result["path"] == str(veo_emulator.storage / "cat.mp4")
    assert [(job.id, job.prompt, job.model.id) for job in veo_emulator.orders] == [
        (result["id"], "a cat", "veo-3.1-fast")
    ]
    assert (veo_emulator.charged, veo_emulator.charged_usd) == (1, 0.15)


def test_a_failure_can_be_set_for_one_prompt(veo_emulator):
    veo_emulator.fail_next(prompt="dog")
    videos = [task(prompt=prompt).run() for prompt in ("a cat", "a dog", "another dog")]
    assert [isinstance(video, VeoFailException) for video in videos] == [False, True, False]


def test_the_next_video_fails_and_is_not_charged(veo_emulator):
    veo_emulator.fail_next("internal error")
    veo_emulator.fail_next()
    first, second, third = task().run(), task().run(), task().run()
    assert isinstance(first, VideoFailedError)
    assert isinstance(second, VeoFailException)
    assert third["status"] == "completed"
    assert (len(veo_emulator.orders), veo_emulator.charged_usd) == (3, 0.15)


@pytest.mark.parametrize("call", ["order", "status", "content"])
def test_a_task_survives_a_rate_limit(veo_emulator, call):
    veo_emulator.answer_next(call, "rate_limit", "rate_limit", retry_after=0.1)
    assert task(destination="cat.mp4").run()["status"] == "completed"
    assert veo_emulator.charged == 1


def test_an_empty_account_refuses_orders(veo_emulator):
    veo_emulator.answer_next("order", "no_money")
    assert "out of money" in str(task().run())
    assert veo_emulator.orders == []


@pytest.mark.parametrize(
    ("call", "trouble", "complaint"),
    [
        ("orders", "error", "no call 'orders'; there are: order, status, content"),
        ("order", "ratelimit", "no trouble 'ratelimit'; there are: no_money, rate_limit"),
    ],
)
def test_an_unknown_call_or_trouble_is_refused(veo_emulator, call, trouble, complaint):
    with pytest.raises(ValueError, match=complaint):
        veo_emulator.answer_next(call, trouble)


def test_progress_can_be_set(veo_emulator):
    veo_emulator.hold()
    one, other = (VeoHook().create_video(VideoSpec(name, "veo-3.1")).id for name in ("one", "other"))
    assert progress(one) == progress(other) == 0
    veo_emulator.set_progress(42)
    assert progress(one) == progress(other) == 42
    assert veo_emulator.charged == 0
    veo_emulator.set_progress(100, one)
    assert (progress(one), progress(other)) == (100, 42)
    assert veo_emulator.charged == 1
    assert VeoHook().wait_for_video(one).kind == "completed"


def test_released_jobs_finish(veo_emulator):
    veo_emulator.hold()
    veo_emulator.release()
    assert task().run()["status"] == "completed"


@pytest.mark.parametrize(("percent", "video_id", "complaint"), [(101, None, "percent is 101"), (5, "v", "No job 'v'")])
def test_impossible_progress_is_refused(veo_emulator, percent, video_id, complaint):
    with pytest.raises(ValueError, match=complaint):
        veo_emulator.set_progress(percent, video_id)


def test_chat_calls_are_charged_too(veo_emulator):
    TaskDriver({"prompt": "p", "n": 2}, operator=VeoChatCompletionOperator).run()
    assert (veo_emulator.charged, veo_emulator.charged_usd) == (2, 0.30)


def test_another_connection_can_be_added(veo_emulator):
    veo_emulator.connect("veo_prod", default_model="veo-3.1")
    task(conn_id="veo_prod").run()
    assert veo_emulator.charged_usd == 0.25


class TestOtherSettings:
    @pytest.fixture
    def veo_emulator_settings(self):
        return Settings(dialect="openai", api_key="sk-other", generation_seconds=0.1)

    def test_the_fixture_can_be_overridden(self, veo_emulator):
        assert veo_emulator.api_key == "sk-other"
        assert httpx.get(f"{veo_emulator.url}/v1/models").status_code == 401
        assert task(model="sora-2").run()["status"] == "completed"


ORDERS_OF_DIALECTS = {
    "vertex": {"model": "veo-3.1-lite-generate-001", "seconds": 4},
    "gemini": {"model": "gemini-omni-1.2-flash", "seconds": 3, "size": "640x360"},
    "openrouter": {"model": "google/veo-3.1-lite", "seconds": 4},
}
PRICES_OF_DIALECTS = {"vertex": 0.2, "gemini": 0.07, "openrouter": 0.2}


@pytest.fixture
def google(veo_emulator_dialect):
    """Skip a test of Google Cloud if its extra is missing."""
    if veo_emulator_dialect != "openrouter":
        pytest.importorskip("google.auth", reason="the extra google is not installed")


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize("veo_emulator_dialect", ORDERS_OF_DIALECTS)
class TestOtherBackends:
    def test_a_video_is_ordered_stored_and_charged(self, veo_emulator, veo_emulator_dialect):
        result = task(destination="cat.mp4", **ORDERS_OF_DIALECTS[veo_emulator_dialect]).run()
        assert result["path"] == str(veo_emulator.storage / "cat.mp4")
        assert [job.id for job in veo_emulator.orders] == [result["id"]]
        assert (veo_emulator.charged, veo_emulator.charged_usd) == (1, PRICES_OF_DIALECTS[veo_emulator_dialect])

    def test_failures_are_those_of_the_docs(self, veo_emulator, veo_emulator_dialect):
        fields = ORDERS_OF_DIALECTS[veo_emulator_dialect]
        veo_emulator.fail_next("internal error")
        veo_emulator.fail_next()
        veo_emulator.fail_next("Blocked by the content filter.", "filtered")
        may_pass, refused, filtered = (task(**fields).run() for _ in range(3))
        assert isinstance(may_pass, VideoFailedError)
        assert isinstance(refused, VeoFailException)
        assert isinstance(filtered, VeoFailException)
        assert (len(veo_emulator.orders), veo_emulator.charged) == (3, 0)

    def test_a_task_survives_faults(self, veo_emulator, veo_emulator_dialect):
        veo_emulator.answer_next("order", "rate_limit", retry_after=0.1)
        veo_emulator.answer_next("status", "bad_gateway", "rate_limit", retry_after=0.1)
        assert task(**ORDERS_OF_DIALECTS[veo_emulator_dialect]).run()["status"] == "completed"
        assert veo_emulator.charged == 1


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize(("veo_emulator_dialect", "extra"), [("vertex", {}), ("gemini", {"project": "my-project"})])
def test_an_expired_token_is_renewed(veo_emulator, veo_emulator_dialect, extra):
    veo_emulator.connect("veo_default", **extra)
    spec = VideoSpec("a cat", **ORDERS_OF_DIALECTS[veo_emulator_dialect])
    video = VeoHook().create_video(spec)
    veo_emulator.expire_tokens()
    assert VeoHook().get_video(video.id).id == video.id
    assert video.id in [job.id for job in veo_emulator.orders]


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize(
    ("veo_emulator_dialect", "extra"), [("vertex", {}), ("gemini", {"project": "my-project", "location": "global"})]
)
def test_a_bucket_gets_the_video(veo_emulator, veo_emulator_dialect, extra):
    veo_emulator.connect("veo_default", output_uri="gs://my-bucket/day/", **extra)
    spec = VideoSpec("a cat", **ORDERS_OF_DIALECTS[veo_emulator_dialect])
    outcome = VeoHook().wait_for_video(VeoHook().create_video(spec).id)
    assert outcome.url.startswith("gs://my-bucket/day/")


def test_pytest_finds_the_plugin_without_importing_airflow(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        textwrap.dedent("""
            import os, sys

            def test_plain():
                assert "airflow_provider_veo.testing" in sys.modules
                assert [name for name in sys.modules if name.startswith(("airflow.", "starlette", "uvicorn"))] == []

            def test_connected(veo_emulator):
                assert veo_emulator.url in os.environ["AIRFLOW_CONN_VEO_DEFAULT"]
                assert os.environ["AIRFLOW__VEO__STORAGE"] == str(veo_emulator.storage)

            def test_alone():
                assert "AIRFLOW_CONN_VEO_DEFAULT" not in os.environ
        """)
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert "3 passed" in result.stdout, result.stdout + result.stderr
