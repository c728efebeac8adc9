"""The provider behind a real LiteLLM proxy: ids, labels, errors and retries, and jobs that Google filters."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path

import httpx
import pytest

from airflow_provider_veo.api.backends.backend import Cancellation
from airflow_provider_veo.api.client import AsyncVeoClient, VeoClient
from airflow_provider_veo.api.error_answers import make_api_error
from airflow_provider_veo.api.errors import ApiError, ContentError, Reason
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.polling.decision import WaitPolicy
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.emulator.faults import Fault, Trouble
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.orders.failures import find_pause, is_unknown
from tests.support.contents import open_content
from tests.support.dag_runs import run
from tests.support.pictures import picture_of
from tests.support.scripted_server import Reply, ScriptedServer, connect
from tests.system.litellm_proxy import MODEL_WITHOUT_RETRIES, LiteLLMProxy

KEY = "sk-canary-of-the-proxy"
GOOGLE_MODEL, OMNI_MODEL = "veo-of-google", "wan-of-ours"


@pytest.fixture(scope="module")
def gateway():
    with EmulatorServer(
        Settings(api_key="sk-canary-of-the-gateway", generation_seconds=0.5, dialect="openai")
    ) as server:
        yield server


class Google:
    """A stand-in for Google's Veo API.

    Attributes:
        end: Fields of the finished operation; None while it runs.
        server: Server on loopback.
    """

    def __init__(self):
        self.end = None
        self.server = ScriptedServer(self._answer)

    def _answer(self, request):
        operation = {"name": "models/veo-3.1-generate-preview/operations/abcdefghijkl"}
        return Reply(body=operation | ({"done": True, **self.end} if self.end and request.method == "GET" else {}))

    def order(self, client, prompt, end):
        """Order a video whose operation has the given end, and return its id."""
        self.end = None
        video_id = client.create_video(VideoSpec(prompt, GOOGLE_MODEL, seconds=6)).id
        self.end = end
        return video_id


FILTERED = {"response": {"generateVideoResponse": {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["Sorry."]}}}
FAILED = {"error": {"code": 13, "message": "Video generation failed due to an internal server issue."}}


class Omni:
    """A stand-in for vLLM-Omni, which answers HTTP 500 with the job as the body for a failed job."""

    def __init__(self):
        self.server = ScriptedServer(self._answer)

    def _answer(self, request):
        job = {"id": "video_gen_1", "object": "video", "model": "Wan-AI/X", "prompt": "p", "status": "queued"}
        if request.method == "POST":
            return Reply(body=job)
        return Reply(500, job | {"status": "failed", "error": {"code": 500, "message": "CUDA out of memory"}})


@pytest.fixture(scope="module")
def google():
    stand_in = Google()
    yield stand_in
    stand_in.server.close()


@pytest.fixture(scope="module")
def omni():
    stand_in = Omni()
    yield stand_in
    stand_in.server.close()


@pytest.fixture(scope="module")
def proxy(gateway, google, omni, tmp_path_factory):
    others = {
        GOOGLE_MODEL: {"model": "gemini/veo-3.1-generate-preview", "api_base": google.server.url, "api_key": "k"},
        OMNI_MODEL: {"model": "hosted_vllm/Wan-AI/X", "api_base": f"{omni.server.url}/v1", "api_key": "k"},
    }
    folder = tmp_path_factory.mktemp("litellm")
    with LiteLLMProxy(folder, gateway.url, gateway.settings.api_key, KEY, others) as running:
        yield running


@pytest.fixture
def client(proxy):
    with VeoClient(ClientSettings(proxy.url, KEY)) as made:
        yield made


@pytest.fixture
def raw(proxy):
    """Return an HTTP client for the proxy, without the headers of the provider's client."""
    authorization = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=proxy.url, headers=authorization, timeout=60, trust_env=False) as made:
        yield made


def ask_once(raw, path):
    """Return the answer of the proxy without its retries: by default it asks its upstream three times, with pauses."""
    return raw.get(f"/v1/videos/{path}", headers={"x-litellm-num-retries": "0"})


@pytest.fixture
def prompt(request):
    """Return a prompt that no other test uses."""
    return request.node.name


@pytest.fixture
def finished(client, prompt):
    """Order a video and wait for it."""
    video = client.create_video(VideoSpec(prompt, "veo-3.1"))
    assert client.wait_for_video(video.id, patience(), print).kind == "completed"
    return video


def patience():
    return WaitPolicy(time.time(), time.time() + 60, poll_interval=0.1)


def ordered(gateway, prompt):
    """Return the jobs that the gateway has for a prompt."""
    return [job for job in gateway.jobs.all() if job.prompt == prompt]


def content(settings, video_id):
    with VeoClient(settings) as client, open_content(client, video_id=video_id) as stream:
        return b"".join(stream.chunks)


def original(gateway, prompt):
    """Return the one video of a prompt as the gateway itself delivers it."""
    (job,) = ordered(gateway, prompt)
    return content(ClientSettings(gateway.url, gateway.settings.api_key), job.id)


def order_raw(raw, prompt, model):
    return raw.post("/v1/videos", json={"model": model, "prompt": prompt})


# --- a video


def test_a_failed_job_has_its_reason(client, gateway, prompt):
    gateway.jobs.fail_next("Content policy violation")
    video = client.create_video(VideoSpec(prompt, "veo-3.1"))
    outcome = client.wait_for_video(video.id, patience(), print)
    assert (outcome.kind, outcome.reason) == ("failed", Reason.MODERATION.value)
    assert "Content policy violation" in outcome.message


def test_both_clients_get_the_video(client, gateway, prompt):
    async def ask():
        async with AsyncVeoClient(client.settings) as waiting:
            return await waiting.get_video(video.id)

    video = client.create_video(VideoSpec(prompt, "veo-3.1"))
    outcome = client.wait_for_video(video.id, patience(), print)
    assert (outcome.kind, outcome.video_id, outcome.size) == ("completed", video.id, "720x1280")
    assert asyncio.run(ask()).status.value == "completed"
    assert content(client.settings, video.id) == original(gateway, prompt)


def test_the_hook_stores_the_video(proxy, gateway, finished, prompt, monkeypatch, tmp_path):
    connect(monkeypatch, proxy.url, KEY)
    stored = VeoHook().download_video(tmp_path / "a.mp4", video_id=finished.id)
    expected = original(gateway, prompt)
    assert (stored.bytes, stored.sha256) == (len(expected), hashlib.sha256(expected).hexdigest())
    assert (tmp_path / "a.mp4").read_bytes() == expected


def test_a_dag_stores_the_video(proxy, gateway, monkeypatch, tmp_path):
    from airflow.utils.db import initdb

    initdb()
    connect(monkeypatch, proxy.url, KEY)
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path))
    state, _, result = run("two_tasks")
    assert state == "success"
    created, stored = result("create"), result("download")
    assert (created["status"], created["size"]) == ("completed", "720x1280")
    path = Path(stored["path"])
    # the id and ".mp4.json" are too long for one name, so its beginning and a hash stand for it
    assert path.parent == tmp_path / "two_tasks"
    assert path.name.startswith(created["id"][:200])
    assert (path.suffix, len(path.name)) == (".mp4", 250)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == stored["sha256"]
    assert stored["sha256"] == hashlib.sha256(original(gateway, "画小猫")).hexdigest()


def test_the_id_of_the_order_stays_the_same(client, raw, finished):
    assert raw.get(f"/v1/videos/{finished.id}").json()["id"] == finished.id
    assert client.get_video(finished.id).id == finished.id


def test_an_id_is_too_long_for_a_file_name(client, google, prompt):
    assert 255 < len(google.order(client, prompt, None)) <= 410


def test_content_is_not_compressed(client, raw, gateway, finished, prompt):
    expected = original(gateway, prompt)
    answer = raw.get(f"/v1/videos/{finished.id}/content", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) == len(expected)
    with open_content(client, video_id=finished.id) as stream:
        assert (stream.total, b"".join(stream.chunks)) == (len(expected), expected)


def test_the_proxy_ignores_ranges(raw, gateway, finished, prompt):
    answer = raw.get(f"/v1/videos/{finished.id}/content", headers={"Range": "bytes=100-"})
    assert (answer.status_code, answer.content) == (200, original(gateway, prompt))


# --- failed jobs in the answers of the proxy


def test_a_job_that_google_filters_stays_an_error(client, raw, google, prompt):
    video_id = google.order(client, prompt, FILTERED)
    for part in ("", "/content") * 2:
        answer = ask_once(raw, f"{video_id}{part}")
        assert (answer.status_code, "generatedSamples" in answer.text) == (500, True)


def test_a_job_that_fails_at_google_is_completed_without_a_video(client, raw, google, prompt):
    video_id = google.order(client, prompt, FAILED)
    assert client.get_video(video_id).status.value == "completed"
    for _ in range(2):
        answer = ask_once(raw, f"{video_id}/content")
        assert (answer.status_code, "No response data in completed operation" in answer.text) == (500, True)


def test_a_failed_job_of_vllm_omni_is_an_error_that_holds_the_job_as_text(client, raw, prompt):
    video_id = client.create_video(VideoSpec(prompt, OMNI_MODEL)).id
    answer = ask_once(raw, video_id)
    said = answer.json()["error"]["message"]
    assert answer.status_code == 500
    assert '"status": "failed"' in said
    assert "CUDA out of memory" in said


def test_a_job_cannot_be_cancelled(client, raw, finished):
    answer = raw.delete(f"/v1/videos/{finished.id}")
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})
    assert client.cancel_video(finished.id) is Cancellation.IMPOSSIBLE


def test_json_labelled_as_a_video_is_refused(client, raw, gateway, finished, prompt):
    gateway.faults.add("content", Fault(Trouble.BROKEN_JSON), Fault(Trouble.BROKEN_JSON))
    answer = raw.get(f"/v1/videos/{finished.id}/content")
    assert (answer.status_code, answer.headers["content-type"], answer.text[:1]) == (200, "video/mp4", "{")
    with pytest.raises(ContentError, match="expected a video file"), open_content(client, video_id=finished.id):
        pass
    assert content(client.settings, finished.id) == original(gateway, prompt)


def frame(colour):
    return Frame.from_bytes(picture_of(colour, size=(720, 1280)), f"{colour}.png")


def test_a_first_frame_reaches_the_gateway(client, gateway, prompt):
    first = frame("red")
    client.create_video(VideoSpec(prompt, "veo-3.1-fl", first_frame=first))
    assert [job.frames for job in ordered(gateway, prompt)] == [(first.content,)]


def test_the_proxy_drops_the_first_of_two_frames(client, gateway, prompt):
    """The video then begins with the last frame, so this proxy must not be used with two frames."""
    first, last = frame("red"), frame("blue")
    client.create_video(VideoSpec(prompt, "veo-3.1-fl", first_frame=first, last_frame=last))
    assert [job.frames for job in ordered(gateway, prompt)] == [(last.content,)]


# --- refusals


@pytest.mark.parametrize(
    ("settings", "model", "status", "words", "reason"),
    [
        ({"api_key": "sk-wrong-key"}, "veo-3.1", 400, "No connected db", Reason.AUTHENTICATION),
        ({"api_key": None}, "veo-3.1", 401, "No api key passed in", Reason.AUTHENTICATION),
        ({"auth_scheme": "raw"}, "veo-3.1", 401, "Malformed API Key", Reason.AUTHENTICATION),
        ({}, "veo-9", 400, "Invalid model name", Reason.BAD_REQUEST),
    ],
    ids=["wrong key", "no key", "raw key", "unknown model"],
)
def test_a_refused_order_has_its_reason(proxy, gateway, prompt, settings, model, status, words, reason):
    with (
        VeoClient(ClientSettings(**{"base_url": proxy.url, "api_key": KEY} | settings)) as client,
        pytest.raises(ApiError, match=words) as caught,
    ):
        client.create_video(VideoSpec(prompt, model))
    error = caught.value
    assert (error.status, error.reason, error.permanent, is_unknown(error)) == (status, reason, True, False)
    assert KEY not in str(error)
    assert ordered(gateway, prompt) == []


def test_an_error_of_the_gateway_arrives_through_the_proxy(client):
    """An order with an empty prompt, which `create_video` refuses. LiteLLM wraps the error of the gateway."""
    answer = client.call(ApiRequest("POST", "/v1/videos", json={"model": "veo-3.1", "prompt": ""}))
    error = make_api_error(answer, "Creating the video")
    assert (error.status, error.reason, error.permanent) == (400, Reason.BAD_REQUEST, True)
    assert "prompt is required" in str(error)


def test_an_unknown_id_is_a_server_error(client):
    """The proxy asks api.openai.com for the job, and cannot reach it here. The error does not prove an unknown id."""
    with pytest.raises(ApiError) as caught:
        client.get_video("video_of_another_user")
    assert (caught.value.status, caught.value.reason, caught.value.permanent) == (500, Reason.SERVER, False)


def test_the_test_button_checks_the_key(proxy, monkeypatch):
    connect(monkeypatch, proxy.url, KEY)
    assert VeoHook().test_connection() == (True, f"{proxy.url} answers and accepts the key.")
    connect(monkeypatch, proxy.url, "sk-wrong-key")
    accepted, message = VeoHook().test_connection()
    assert not accepted
    assert "Check the API key" in message


# --- each order is sent once


def test_a_rate_limit_has_its_delay(client, gateway, prompt):
    gateway.faults.add("order", Fault(Trouble.RATE_LIMIT, seconds=7))
    with pytest.raises(ApiError) as caught:
        client.create_video(VideoSpec(prompt, "veo-3.1"))
    error = caught.value
    assert (error.status, error.reason, error.retry_after) == (429, Reason.RATE_LIMITED, 7)
    assert find_pause(error, 1) == 7
    assert ordered(gateway, prompt) == []


@pytest.mark.parametrize("trouble", [Trouble.ERROR, Trouble.BAD_GATEWAY, Trouble.BROKEN_JSON, Trouble.DROPPED])
def test_an_order_with_a_bad_answer_is_unknown(client, gateway, prompt, trouble):
    gateway.faults.add("order", Fault(trouble, accepted=True))
    with pytest.raises(ApiError) as caught:
        client.create_video(VideoSpec(prompt, "veo-3.1"))
    assert is_unknown(caught.value)
    assert len(ordered(gateway, prompt)) == 1


def test_the_proxy_repeats_orders_without_the_providers_header(raw, gateway, prompt):
    """The proxy repeats orders by default, without a log line. A header of the provider's orders forbids it."""
    gateway.faults.add("order", Fault(Trouble.ERROR, accepted=True))
    assert order_raw(raw, prompt, "veo-3.1").status_code == 200
    assert len(ordered(gateway, prompt)) == 2


def test_num_retries_0_in_the_proxys_configuration_prevents_repeats(raw, gateway, prompt):
    gateway.faults.add("order", Fault(Trouble.ERROR, accepted=True))
    assert order_raw(raw, prompt, MODEL_WITHOUT_RETRIES).status_code == 500
    assert len(ordered(gateway, prompt)) == 1
