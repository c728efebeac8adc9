"""Reasons of errors: servers quote the order, wrap the answer of another server, or write a byte order mark."""

from __future__ import annotations

import codecs
import json
import time

import pytest

from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import ApiError, Reason, VideoFailedError
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.exceptions import VeoFailException
from tests.support.contents import open_content
from tests.support.scripted_server import KEY, Reply, SeenRequest, connect
from tests.support.task_driver import TaskDriver

PROMPT = "a workplace safety video"
SPEC = VideoSpec(PROMPT, "gem-rai")
ID = "video_made_up_17"
ORDERED = Reply(200, {"id": ID, "status": "queued"})
MARK = codecs.BOM_UTF8


def client(server):
    return VeoClient(ClientSettings(server.url, KEY))


def marked(body, status=200):
    return Reply(status, MARK + json.dumps(body).encode(), {"Content-Type": "application/json; charset=utf-8"})


def failed_at_an_upstream(message):
    job = {"id": "video_gen_5", "object": "video", "status": "failed", "error": {"code": 500, "message": message}}
    return Reply(500, {"error": {"message": f"litellm.InternalServerError: - {json.dumps(job)}.", "code": "500"}})


def failed(message):
    return Reply(200, {"id": ID, "status": "failed", "error": {"code": "generation_failed", "message": message}})


def test_json_with_a_byte_order_mark_is_read_by_each_call(serve):
    video = b"\0\0\0\x18ftypisom" + bytes(64)

    def answer(request: SeenRequest) -> Reply:
        if request.path.endswith(".mp4"):
            return Reply(200, video, {"Content-Type": "video/mp4"})
        if request.path.endswith("/content"):
            return marked({"url": "/files/one.mp4"})
        if request.path.endswith("/none"):
            return marked({"error": {"message": "no such job", "code": "task_not_exist"}}, 400)
        return marked({"id": ID, "status": "queued" if request.method == "POST" else "completed"})

    with client(serve(answer)) as api:
        assert api.create_video(SPEC).id == ID
        assert api.get_video(ID).status.value == "completed"
        with pytest.raises(ApiError) as caught:
            api.get_video("none")
        assert caught.value.reason is Reason.NOT_FOUND
        with open_content(api, video_id=ID) as stream:
            assert b"".join(stream.chunks) == video


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("message", "error"),
    [
        (f"out of memory at '{PROMPT}' (model group gem-rai)", VideoFailedError),
        (f"'{PROMPT}' was refused: content policy violation", VeoFailException),
    ],
)
@pytest.mark.parametrize("fail", [failed_at_an_upstream, failed], ids=["at an upstream", "here"])
def test_the_reason_of_a_failed_job_does_not_come_from_the_prompt(serve, monkeypatch, deferrable, message, error, fail):
    server = serve(lambda request: ORDERED if request.method == "POST" else fail(message))
    connect(monkeypatch, server.url, default_model="gem-rai")
    driver = TaskDriver({"prompt": PROMPT, "deferrable": deferrable})
    found = driver.run()
    assert isinstance(found, error)
    assert f"Video {ID} failed" in str(found)


@pytest.mark.parametrize("deferrable", [True, False])
def test_errors_that_quote_a_misleading_prompt_do_not_end_the_wait(serve, monkeypatch, deferrable):
    prompt = json.dumps({"status": "failed", "id": ID, "why": "content policy, quota is not enough, video not found"})
    troubles = [
        Reply(500, {"error": {"message": f"cannot look for '{prompt}'", "code": "internal"}}),
        Reply(503, {"detail": f"no worker for {prompt}"}),
        Reply(500, f"Internal Server Error: {prompt}"),
        Reply(200, {"id": ID, "status": "completed"}),
    ]
    server = serve(lambda request: ORDERED if request.method == "POST" else troubles.pop(0))
    connect(monkeypatch, server.url)
    result = TaskDriver({"prompt": prompt, "deferrable": deferrable}).run()
    assert result["status"] == "completed"
    assert [request.method for request in server.requests].count("POST") == 1


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_filtered_video_fails_without_retries(serve, monkeypatch, tmp_path, deferrable):
    why = "The input image has been blocked by your current safety settings"
    body = {"id": ID, "status": "completed", "metadata": {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [why]}}
    server = serve(lambda request: ORDERED if request.method == "POST" else Reply(200, body))
    connect(monkeypatch, server.url)
    found = TaskDriver(
        {"prompt": "p", "deferrable": deferrable, "destination": str(tmp_path / "a.mp4")}, retries=2
    ).run()
    assert isinstance(found, VeoFailException)
    assert why in str(found)
    assert (
        len([request for request in server.requests if request.path.endswith("/content")]) == 1
    )  # it has the last word


def test_a_retry_delay_in_googles_format_is_followed(serve, monkeypatch):
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.2s"}
    upstream = {"error": {"code": 429, "message": "Resource exhausted.", "details": [info]}}
    refusals = [Reply(429, {"error": {"message": f"litellm.RateLimitError: {json.dumps(upstream)}", "code": "429"}})]
    times = []

    def answer(request: SeenRequest) -> Reply:
        if request.method == "POST":
            times.append(time.monotonic())
            return refusals.pop() if refusals else ORDERED
        return Reply(200, {"id": ID, "status": "succeed", "url": "https://files.example.net/a.mp4"})

    connect(monkeypatch, serve(answer).url)
    assert TaskDriver({"prompt": "p", "deferrable": False}).run()["status"] == "completed"
    assert len(times) == 2
    assert times[1] - times[0] >= 0.2
