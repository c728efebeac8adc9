"""The clients against real servers: the emulator, and a server that misbehaves as real ones do."""

from __future__ import annotations

import gzip
import os
import socket
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from airflow_provider_veo.api.backends.backend import Cancellation
from airflow_provider_veo.api.backends.openai.backend import OpenAiBackend
from airflow_provider_veo.api.client import AsyncVeoClient, VeoClient
from airflow_provider_veo.api.errors import (
    ApiError,
    ContentError,
    ContentNotReadyError,
    NotSentError,
    Reason,
    TransportError,
    VeoError,
)
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.polling.decision import WaitPolicy
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.emulator.server import EmulatorServer
from tests.support.contents import open_content
from tests.support.pictures import picture_of
from tests.support.scripted_server import KEY, Reply, every_dialect

# a small and short video is rendered at once; not every server lets a client choose
SPEC = VideoSpec("画小猫 {curly} %20", "veo-3.1", seconds=1, size="128x128")
VIDEO = b"\0\0\0\x20ftypisom" + os.urandom(300_000)


@pytest.fixture
def client_of():
    """Return a function that makes clients, which are closed after the test."""
    with ExitStack() as clients:
        yield lambda url, **settings: clients.enter_context(VeoClient(ClientSettings(url, KEY, **settings)))


@every_dialect
def test_an_order_is_waited_for(client_of, emulator):
    client = client_of(emulator.url)
    video = client.create_video(SPEC)
    notes = []
    policy = WaitPolicy(time.time(), time.time() + 60, poll_interval=0.05)
    outcome = client.wait_for_video(video.id, policy, notes.append)
    assert (outcome.kind, outcome.video_id) == ("completed", video.id)
    assert len(notes) == len(set(notes)) > 0
    assert emulator.jobs.report()["orders"] == 1


def test_an_order_has_the_documented_path_body_and_headers(client_of, serve):
    server = serve(Reply(body={"id": "v", "status": "queued"}))
    client_of(server.url, auth_scheme="raw").create_video(SPEC)
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/videos")
    assert request.body.decode() == '{"prompt":"画小猫 {curly} %20","model":"veo-3.1","seconds":"1","size":"128x128"}'
    assert request.headers["authorization"] == KEY
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("airflow-provider-veo/")


@every_dialect
def test_frames_reach_the_server(client_of, emulator):
    first = Frame.from_bytes(picture_of("red"), "a")
    last = Frame.from_bytes(picture_of("blue", "JPEG"), "b")
    dialect = emulator.settings.dialect
    with EmulatorServer(replace(emulator.settings, model="veo-3.1-fl")) as server:
        video = client_of(server.url).create_video(VideoSpec("画", "veo-3.1-fl", first, last, 1, "128x128"))
        job = server.jobs.get(video.id)
    counted = {"veo-gateway": (first, last), "new-api": (first, last), "relay": (first,), "openai": (first,)}
    frames = counted.get(dialect, (last,))
    assert (job.prompt, job.frames) == ("画", tuple(frame.content for frame in frames))


@every_dialect
def test_an_order_without_frames_can_be_multipart(client_of, emulator):
    video = client_of(emulator.url, backend=OpenAiBackend("multipart")).create_video(SPEC)
    assert emulator.jobs.get(video.id).prompt == SPEC.prompt


@every_dialect
def test_cancelling_reports_whether_the_server_can_cancel(client_of, emulator):
    client = client_of(emulator.url)
    video = client.create_video(SPEC)
    offered = emulator.settings.dialect in ("vllm-omni", "sglang", "fastvideo", "openai")
    assert client.cancel_video(video.id) is (Cancellation.ACCEPTED if offered else Cancellation.IMPOSSIBLE)
    assert (emulator.jobs.get(video.id) is None) is offered


@pytest.mark.parametrize("emulator", ["vllm-omni"], indirect=True)
def test_a_server_that_reads_only_forms_gets_a_form(client_of, emulator):
    video = client_of(emulator.url).create_video(SPEC)
    assert emulator.jobs.get(video.id).prompt == SPEC.prompt
    assert (emulator.jobs.report()["orders"], emulator.jobs.report()["refused"]) == (1, 1)


@pytest.mark.parametrize("emulator", ["vllm-omni"], indirect=True)
def test_refused_json_names_the_setting_for_multipart(client_of, emulator):
    with pytest.raises(ApiError, match='set request_format to "multipart"') as caught:
        client_of(emulator.url, backend=OpenAiBackend("json")).create_video(SPEC)
    assert caught.value.permanent
    assert (emulator.jobs.report()["orders"], emulator.jobs.report()["refused"]) == (0, 1)


UNREAD = Reply(
    422, {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": None}]}
)


def test_an_order_is_sent_again_as_a_form_if_json_is_not_read(client_of, serve):
    server = serve(UNREAD, Reply(body={"id": "v", "status": "queued"}))
    assert client_of(server.url).create_video(SPEC, "key-1").id == "v"
    assert [request.headers["idempotency-key"] for request in server.requests] == ["key-1", "key-1"]
    assert [request.headers["content-type"].partition(";")[0] for request in server.requests] == [
        "application/json",
        "multipart/form-data",
    ]


def test_an_order_is_sent_as_a_form_only_once(client_of, serve):
    server = serve(lambda _request: UNREAD)
    with pytest.raises(ApiError):
        client_of(server.url).create_video(SPEC)
    assert len(server.requests) == 2


def test_a_form_without_an_answer_is_not_a_refused_order(client_of, serve):
    server = serve(UNREAD, Reply(body={"id": "v"}, close_early=3))
    with pytest.raises(TransportError) as caught:
        client_of(server.url).create_video(SPEC)
    assert not isinstance(caught.value, NotSentError)
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 504])
def test_no_error_status_repeats_an_order(client_of, serve, status):
    server = serve(lambda _request: Reply(status, {"error": {"message": "no"}}, {"Retry-After": "0"}))
    with pytest.raises(ApiError):
        client_of(server.url).create_video(SPEC)
    assert len(server.requests) == 1


def test_an_order_does_not_follow_redirects(client_of, serve):
    server = serve(lambda _request: Reply(307, b"", {"Location": "/v1/videos/"}))
    with pytest.raises(ApiError, match="HTTP 307"):
        client_of(server.url).create_video(SPEC)
    assert len(server.requests) == 1


def test_a_lost_answer_is_not_a_refused_order(client_of, serve):
    server = serve(Reply(body={"id": "v"}, close_early=3))
    with pytest.raises(TransportError) as caught:
        client_of(server.url).create_video(SPEC)
    assert not isinstance(caught.value, NotSentError)
    assert len(server.requests) == 1


def test_a_silent_server_has_not_refused_the_order(client_of):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TransportError, match="ReadTimeout") as caught:
            client_of(url, timeout=0.2).create_video(SPEC)
    assert not isinstance(caught.value, NotSentError)


def test_a_failed_connection_means_that_nothing_was_sent(client_of):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(NotSentError, match="ConnectError"):
        client_of(url).create_video(SPEC)


def test_the_key_is_masked_if_the_server_repeats_it(client_of, serve):
    server = serve(
        lambda request: Reply(401, {"error": {"message": f"Incorrect key: {request.headers['authorization']}"}})
    )
    with pytest.raises(ApiError) as caught:
        client_of(server.url).create_video(SPEC)
    assert caught.value.reason is Reason.AUTHENTICATION
    assert "Incorrect key: Bearer ***" in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["1", "video", "EMPTY"])
def test_a_short_key_is_not_masked_in_an_answer(serve, key):
    server = serve(Reply(body={"id": "video_123_EMPTY", "status": "queued"}))
    with VeoClient(ClientSettings(server.url, key)) as client:
        assert client.create_video(SPEC).id == "video_123_EMPTY"


def test_a_video_keeps_the_id_of_the_order(client_of, serve):
    server = serve(Reply(body={"id": "video_other", "status": "completed"}))
    assert client_of(server.url).get_video("video_mine=").id == "video_mine="
    assert server.requests[0].path == "/v1/videos/video_mine%3D"


# --- the async client, which triggers use


@every_dialect
async def test_the_async_client_asks_and_cancels(emulator):
    settings = ClientSettings(emulator.url, KEY)
    with VeoClient(settings) as client:
        video = client.create_video(SPEC)
    offered = emulator.settings.dialect in ("vllm-omni", "sglang", "fastvideo", "openai")
    async with AsyncVeoClient(settings) as client:
        assert (await client.get_video(video.id)).id == video.id
        cancelled = await client.cancel_video(video.id)
    assert cancelled is (Cancellation.ACCEPTED if offered else Cancellation.IMPOSSIBLE)
    assert (emulator.jobs.get(video.id) is None) is offered


async def test_the_async_client_distinguishes_refusals_from_lost_answers(serve):
    server = serve(
        Reply(401, {"error": {"message": f"Incorrect key: {KEY}"}}),
        Reply(body={"id": "v"}, close_early=3),
        Reply(body={"id": "video_other", "status": "completed"}),
    )
    async with AsyncVeoClient(ClientSettings(server.url, KEY)) as client:
        with pytest.raises(ApiError, match=r"Incorrect key: \*\*\*") as refused:
            await client.get_video("video_mine=")
        with pytest.raises(TransportError) as lost:
            await client.get_video("video_mine=")
        assert (await client.get_video("video_mine=")).id == "video_mine="
    assert refused.value.reason is Reason.AUTHENTICATION
    assert not isinstance(lost.value, NotSentError)
    assert server.requests[0].path == "/v1/videos/video_mine%3D"


async def test_the_async_client_reports_that_an_unreachable_server_received_nothing():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    async with AsyncVeoClient(ClientSettings(url)) as client:
        with pytest.raises(NotSentError, match="ConnectError"):
            await client.get_video("v")


# --- content


def content(server, **what):
    with (
        VeoClient(ClientSettings(server.url, KEY)) as client,
        open_content(client, **(what or {"video_id": "v"})) as stream,
    ):
        return stream.total, b"".join(stream.chunks)


@every_dialect
def test_the_emulators_content_is_an_mp4_file(emulator):
    with VeoClient(ClientSettings(emulator.url, KEY)) as client:
        video_id = client.create_video(SPEC).id
        client.wait_for_video(video_id, WaitPolicy(time.time(), time.time() + 60, poll_interval=0.05), [].append)
    length, video = content(emulator, video_id=video_id)
    assert length == len(video) == emulator.jobs.report()["content_bytes"]
    assert video[4:8] == b"ftyp"


def test_content_arrives_unchanged(serve):
    server = serve(Reply(body=VIDEO))
    assert content(server) == (len(VIDEO), VIDEO)
    assert server.requests[0].path == "/v1/videos/v/content"
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_the_content_type_is_ignored(serve):
    assert content(serve(Reply(body=VIDEO, headers={"Content-Type": "application/json"})))[1] == VIDEO
    with pytest.raises(ContentError, match="an HTML page"):
        content(serve(Reply(body="<html>login</html>", headers={"Content-Type": "video/mp4"})))


def test_compressed_content_is_decompressed(serve):
    server = serve(Reply(body=gzip.compress(VIDEO), headers={"Content-Encoding": "gzip"}))
    assert content(server) == (None, VIDEO)


@pytest.mark.parametrize("way", ["redirect", "json", "text"])
def test_another_host_gets_no_key(serve, way):
    cdn = serve(Reply(body=VIDEO))
    # another port is another origin; another name of the same machine is another host
    url = cdn.url.replace("127.0.0.1", "localhost") + "/flow/a.mp4?sig=1"
    said = {
        "redirect": Reply(302, b"", {"Location": url}),
        "json": Reply(body={"id": "v", "status": "completed", "url": url}),
        "text": Reply(body=url),
    }[way]
    api = serve(said)
    assert content(api)[1] == VIDEO
    assert api.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in cdn.requests[0].headers
    assert cdn.requests[0].path == "/flow/a.mp4?sig=1"


def test_the_same_host_gets_the_key(serve):
    def answer(request):
        return Reply(body={"url": "/files/a.mp4"}) if request.path.endswith("/content") else Reply(body=VIDEO)

    server = serve(answer)
    assert content(server)[1] == VIDEO
    assert [request.headers["authorization"] for request in server.requests] == [f"Bearer {KEY}"] * 2


def test_a_url_on_another_host_gets_no_key(serve):
    api, cdn = serve(Reply()), serve(Reply(body=VIDEO))
    assert content(api, url=f"{cdn.url}/a.mp4")[1] == VIDEO
    assert api.requests == []
    assert "authorization" not in cdn.requests[0].headers


def test_endless_redirects_are_an_error(serve):
    server = serve(lambda _request: Reply(302, b"", {"Location": "/v1/videos/v/content"}))
    with pytest.raises(ContentError, match="more than 5 redirects"):
        content(server)
    assert len(server.requests) == 5


def test_a_cut_download_is_an_error(serve):
    with pytest.raises(TransportError, match="RemoteProtocolError"):
        content(serve(Reply(body=VIDEO, close_early=100_000)))


def test_unfinished_content_is_not_ready(serve):
    with pytest.raises(ContentNotReadyError):
        content(serve(Reply(400, {"error": {"message": "Task is not completed yet"}})))


def test_errors_show_no_signature(serve):
    server = serve(Reply(body="<html>expired</html>"))
    with pytest.raises(VeoError) as caught:
        content(server, url=f"{server.url}/a.mp4?signature=secret")
    assert "secret" not in str(caught.value)
