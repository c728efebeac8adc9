"""Errors of failed tasks: one line says what happened, where, to which video, and what to do."""

from __future__ import annotations

import json
import logging
import pickle
import socket
from datetime import timedelta

import pytest

from airflow_provider_veo import version_compat
from airflow_provider_veo.api.client import AsyncVeoClient, VeoClient
from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.api.errors import ApiError, ContentError, Reason, TransportError, VeoError, VideoTimeoutError
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.exceptions import VeoFailException, VeoSensorTimeout
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.orders import failures
from airflow_provider_veo.sensors.video import VeoVideoSensor
from tests.support.scripted_server import KEY, Reply, connect
from tests.support.task_driver import TaskDriver

both_ways = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "waiting"])
CREATE = {"prompt": "p", "model": "veo-3.1", "poll_interval": 0.1}
CUT = Reply(body={"id": "video_1"}, close_early=3)


@pytest.fixture
def url_without_server():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"http://127.0.0.1:{gone.getsockname()[1]}"


@pytest.fixture
def summary(caplog):
    """Return a function that returns the summary lines of failed tasks."""
    caplog.set_level("INFO")
    return lambda: [
        record.getMessage()
        for record in caplog.records
        if (record.name, record.levelno) == ("airflow_provider_veo.observability.summary", logging.ERROR)
    ]


def job(status="processing"):
    return Reply(body={"id": "video_1", "status": status, "model": "veo-3.1"})


def orders_then(*answers):
    """Return a server's behaviour: it takes orders, then gives these answers about the job; the last one repeats."""
    left = list(answers)

    def answer(request):
        if request.method == "POST":
            return job("queued")
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


@both_ways
def test_an_order_to_an_unreachable_gateway_is_reported_as_not_sent(
    url_without_server, monkeypatch, summary, deferrable
):
    monkeypatch.setattr(failures, "_MOST_ATTEMPTS", 1)
    connect(monkeypatch, url_without_server)
    error = TaskDriver(CREATE | {"deferrable": deferrable}).run()
    assert isinstance(error, TransportError)
    assert (error.reason, error.video_id) == (Reason.NETWORK, None)
    assert str(error).startswith(f"POST {url_without_server}/v1/videos: ConnectError")
    assert str(error).endswith(
        "Nothing was ordered: a retry or a clear of the task orders it. (connection 'veo_default')"
    )
    assert summary() == [f"Summary: failed (reason network): {error}"]


@both_ways
@pytest.mark.parametrize("remembers", [True, False])
def test_a_gateway_that_fails_during_the_wait_is_reported_with_the_video(
    serve, monkeypatch, summary, deferrable, remembers
):
    monkeypatch.setattr(version_compat, "AIRFLOW_V_3_3_PLUS", remembers)
    server = serve(orders_then(job(), CUT))
    connect(monkeypatch, server.url)
    error = TaskDriver(CREATE | {"deferrable": deferrable, "timeout": timedelta(seconds=1.5)}).run()
    assert isinstance(error, VideoTimeoutError)
    assert (error.reason, error.video_id) == (Reason.NETWORK, "video_1")
    text = str(error)
    assert text.startswith("Video video_1 was not finished")
    assert "Wait until the API can be reached again." in text
    if remembers:
        assert "A retry or a clear of the task continues with video video_1 and orders nothing." in text
    else:
        assert "VeoDownloadOperator(video_id='video_1') stores it. Do not clear the task" in text
    assert text.endswith(" (connection 'veo_default')")
    assert text.count(server.url) == 1
    assert summary()[0] == f"Summary: failed (reason network): {text}"


def test_a_clear_continues_with_the_job_as_the_error_says(serve, monkeypatch):
    monkeypatch.setattr(version_compat, "AIRFLOW_V_3_3_PLUS", True)
    answers = [CUT]
    server = serve(lambda request: job("queued") if request.method == "POST" else answers[0])
    connect(monkeypatch, server.url)
    task = TaskDriver(CREATE | {"timeout": timedelta(seconds=1)})
    assert "a clear of the task continues with video video_1 and orders nothing" in str(task.run())
    answers[0] = job("completed")
    assert task.clear().run()["id"] == "video_1"
    assert [request.method for request in server.requests].count("POST") == 1


def test_a_gateway_that_fails_while_a_sensor_waits_is_a_network_error(serve, monkeypatch, summary):
    server = serve(orders_then(CUT))
    connect(monkeypatch, server.url)
    task = TaskDriver(
        {"video_id": "video_1", "poll_interval": 0.1, "timeout": 1.5, "deferrable": True}, operator=VeoVideoSensor
    )
    error = task.run()
    assert isinstance(error, VeoSensorTimeout)
    assert (error.reason, error.video_id) == (Reason.NETWORK, "video_1")
    assert "A retry or a clear of the task asks again, and orders nothing. (connection 'veo_default')" in str(error)


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (CUT, Reason.NETWORK, "Last error: "),
        (
            Reply(404, body={"error": {"message": "Task not found"}}),
            Reason.NOT_FOUND,
            "Check the id and the connection",
        ),
        (job(), Reason.TIMEOUT, "Wait until the video may be finished."),
    ],
    ids=["dead", "unknown", "running"],
)
def test_the_error_of_a_sensor_that_airflow_ends_names_the_job(serve, monkeypatch, summary, answer, reason, said):
    server = serve(orders_then(answer))
    connect(monkeypatch, server.url)
    arguments = {"video_id": "video_1", "poke_interval": 0.1, "timeout": 0.3, "deferrable": False}
    error = TaskDriver(arguments, operator=VeoVideoSensor).run()
    assert isinstance(error, VeoSensorTimeout)
    assert (error.reason, error.video_id) == (reason, "video_1")
    assert str(error).startswith("Video video_1 was not finished within the sensor's timeout of 0.3 s. ")
    assert said in str(error)
    assert "connection 'veo_default'" in str(error)
    assert summary() == [f"Summary: failed (reason {reason.value}): {error}"]


@both_ways
def test_a_wrong_key_names_the_connection_and_the_host(emulator, monkeypatch, summary, deferrable):
    connect(monkeypatch, emulator.url, key="sk-wrong-0123456789")
    error = TaskDriver(CREATE | {"deferrable": deferrable}).run()
    assert isinstance(error, VeoFailException)
    assert error.reason is Reason.AUTHENTICATION
    assert str(error).endswith(
        "Check the API key (password) and auth_scheme of the Airflow connection. Nothing was ordered: when that is "
        f"corrected, clear the task. (connection 'veo_default'; {emulator.url})"
    )
    assert "sk-wrong" not in repr(error)
    assert summary() == [f"Summary: failed (reason authentication): {error}"]


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (VeoCreateVideoOperator, CREATE),
        (VeoCreateVideoOperator, CREATE | {"deferrable": True}),
        (VeoChatCompletionOperator, {"prompt": "p"}),
        (VeoDownloadOperator, {"video_id": "video_1", "destination": "/tmp/never.mp4"}),
        (VeoVideoSensor, {"video_id": "video_1", "deferrable": True, "poll_interval": 0.1}),
        (VeoVideoSensor, {"video_id": "video_1", "deferrable": False}),
    ],
)
def test_a_missing_connection_fails_without_retries(operator, arguments, summary):
    task = TaskDriver(arguments | {"conn_id": "veo_nowhere"}, retries=2, operator=operator)
    error = task.run()
    assert task.tries == 1
    assert isinstance(error, VeoFailException)
    assert error.reason is Reason.INVALID_INPUT
    assert "onnection 'veo_nowhere' does not exist. Add it in Airflow's UI" in str(error)
    assert all("'veo_nowhere' does not exist" in line for line in summary())


WRONG_ADDRESSES = {
    "nginx": Reply(404, "<html><h1>404 Not Found</h1><hr>nginx</html>"),
    "FastAPI": Reply(404, {"detail": "Not Found"}),
    "Go": Reply(404, "404 page not found"),
    "a method that is not allowed": Reply(405, {"detail": "Method Not Allowed"}),
    "a web page that takes no orders": Reply(405, "<h1>405 Not Allowed</h1>"),
    "a file server": Reply(501, "<h1>Error response</h1><p>Message: Unsupported method ('POST').</p>"),
}


@pytest.mark.parametrize("operator", [VeoCreateVideoOperator, VeoChatCompletionOperator])
@pytest.mark.parametrize("kind", WRONG_ADDRESSES)
def test_an_order_to_a_wrong_address_advises_to_check_the_host(serve, monkeypatch, operator, kind):
    server = serve(lambda _request: WRONG_ADDRESSES[kind])
    connect(monkeypatch, server.url)
    task = TaskDriver({"prompt": "p"}, retries=2, operator=operator)
    error = task.run()
    assert (task.tries, len(server.requests), error.reason) == (1, 1, Reason.NO_ROUTE)
    assert "There is no such route here: check that the connection's host" in str(error)
    assert "kept for a day" not in str(error)
    assert "Nothing was ordered" in str(error)


def test_an_unknown_model_is_not_a_missing_route(serve, monkeypatch):
    server = serve(Reply(404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}))
    connect(monkeypatch, server.url)
    assert TaskDriver({"prompt": "p"}).run().reason is Reason.MODEL_UNAVAILABLE


def test_an_unknown_job_is_not_a_missing_route(serve, monkeypatch):
    server = serve(Reply(404, {"detail": "Not Found"}))
    connect(monkeypatch, server.url)
    with pytest.raises(ApiError, match="how long this server keeps its jobs") as caught:
        VeoHook().get_video("video_1")
    assert (caught.value.reason, caught.value.video_id) == (Reason.NOT_FOUND, "video_1")


def test_errors_of_the_hook_name_connection_host_and_video(serve, monkeypatch, tmp_path):
    server = serve(lambda _request: Reply(500, {"error": "oops"}))
    connect(monkeypatch, server.url)
    hook = VeoHook()
    monkeypatch.setattr(hook, "download_policy", DownloadPolicy(retry_pause=0.01))
    for ask in (
        lambda: hook.get_video("video_1"),
        lambda: hook.cancel_video("video_1"),
        lambda: hook.download_video(tmp_path / "a.mp4", video_id="video_1", content_timeout=timedelta(0)),
    ):
        with pytest.raises(VeoError) as caught:
            ask()
        error = pickle.loads(pickle.dumps(caught.value))
        assert error.video_id == "video_1"
        assert f"(connection 'veo_default'; {server.url})" in str(error)
    with pytest.raises(VeoError, match="connection 'veo_default'"):
        hook.create_video(VideoSpec("p", "m"))


SECRET = "pk-canary-0123456789ab"
FURTHER = {"x-portkey-api-key": SECRET, "x-portkey-provider": "openai"}


class TestFurtherHeaders:
    def test_are_sent_with_each_request_to_the_api(self, serve, monkeypatch):
        server = serve(lambda request: job("completed"))
        connect(monkeypatch, server.url, headers=FURTHER)
        hook = VeoHook()
        hook.create_video(VideoSpec("p", "m"))
        hook.create_video(VideoSpec("p", "m", extra_body={"x": 1}), "key")
        hook.get_video("video_1")
        hook.cancel_video("video_1")
        hook.test_connection()
        list(hook.stream_chat(ChatSpec("p", "m")))
        assert len(server.requests) > 6
        for request in server.requests:
            assert FURTHER.items() <= request.headers.items()
            assert request.headers["authorization"] == f"Bearer {KEY}"

    async def test_are_sent_with_each_request_of_a_triggerer(self, serve):
        server = serve(job())
        settings = ClientSettings(server.url, headers=tuple(FURTHER.items()))
        async with AsyncVeoClient(settings) as client:
            await client.get_video("video_1")
        assert FURTHER.items() <= server.requests[0].headers.items()

    def test_are_not_sent_to_other_hosts(self, serve, monkeypatch, tmp_path):
        cdn = serve(lambda _request: Reply(404, "gone"))
        server = serve(lambda _request: Reply(302, "", {"Location": f"{cdn.url}/a.mp4"}))
        connect(monkeypatch, server.url, headers=FURTHER)
        with pytest.raises(ContentError):
            VeoHook().download_video(tmp_path / "a.mp4", video_id="video_1", content_timeout=timedelta(0))
        assert FURTHER.items() <= server.requests[0].headers.items()
        assert cdn.requests
        assert not any(
            name.startswith(("x-portkey", "authorization")) for request in cdn.requests for name in request.headers
        )

    def test_are_hidden_in_errors_if_a_server_quotes_them(self, serve, monkeypatch, caplog):
        caplog.set_level("DEBUG")

        def answer(request):
            quoted = json.dumps(request.headers)
            return Reply(400, {"error": {"message": f"bad headers {quoted}"}})

        server = serve(answer)
        connect(monkeypatch, server.url, headers=FURTHER)
        error = TaskDriver({"prompt": "p"}).run()
        for text in (str(error), repr(error), str(pickle.dumps(error)), caplog.text):
            assert SECRET not in text

    def test_are_not_in_the_repr_of_a_client(self):
        settings = ClientSettings("https://api.example.com", headers=tuple(FURTHER.items()))
        assert SECRET not in repr(settings) + repr(VeoClient(settings)) + repr(settings.mask)
