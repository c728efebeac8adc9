"""Both clients against real servers: the emulator, and one that misbehaves as real ones do."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import time
from dataclasses import replace

import pytest

from airflow_provider_veo.api.backends.openai.cancelling import Cancellation
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
from tests.support.pictures import picture_of
from tests.support.servers import KEY, Said, every_dialect

# small and short, where the server lets us choose: these clips are rendered in no time
SPEC = VideoSpec("画小猫 {curly} %20", "veo-3.1", seconds=1, size="128x128")
VIDEO = b"\0\0\0\x20ftypisom" + os.urandom(300_000)


class Both:
    """The two clients behind one blocking face, so that each test runs with both."""

    def __init__(self, kind, url, **settings):
        self.kind = kind
        self.settings = ClientSettings(url, KEY, **settings)

    def __getattr__(self, name):
        def call(*args):
            if self.kind == "sync":
                with VeoClient(self.settings) as client:
                    return getattr(client, name)(*args)
            return asyncio.run(self._call(name, args))

        return call

    async def _call(self, name, args):
        async with AsyncVeoClient(self.settings) as client:
            return await getattr(client, name)(*args)


@pytest.fixture(params=["sync", "async"])
def client_of(request):
    return lambda url, **settings: Both(request.param, url, **settings)


@every_dialect
def test_order_wait_and_see(client_of, emulator):
    client = client_of(emulator.url)
    video = client.create_video(SPEC)
    notes = []
    policy = WaitPolicy(time.time(), time.time() + 60, poll_interval=0.05)
    outcome = client.wait_for_video(video.id, policy, notes.append)
    assert (outcome.kind, outcome.video_id) == ("completed", video.id)
    assert len(notes) == len(set(notes)) > 0
    assert emulator.jobs.report()["orders"] == 1


def test_the_order_on_the_wire(client_of, serve):
    server = serve(Said(body={"id": "v", "status": "queued"}))
    client_of(server.url, auth_scheme="raw").create_video(SPEC)
    heard = server.heard[0]
    assert (heard.method, heard.path) == ("POST", "/v1/videos")
    assert heard.body.decode() == '{"prompt":"画小猫 {curly} %20","model":"veo-3.1","seconds":"1","size":"128x128"}'
    assert heard.headers["authorization"] == KEY
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["user-agent"].startswith("airflow-provider-veo/")


@every_dialect
def test_frames_on_the_wire(client_of, emulator):
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
def test_multipart_without_frames(client_of, emulator):
    video = client_of(emulator.url, request_format="multipart").create_video(SPEC)
    assert emulator.jobs.get(video.id).prompt == SPEC.prompt


@every_dialect
def test_cancel(client_of, emulator):
    client = client_of(emulator.url)
    video = client.create_video(SPEC)
    offered = emulator.settings.dialect in ("vllm-omni", "sglang", "fastvideo", "openai")
    assert client.cancel_video(video.id) is (Cancellation.ACCEPTED if offered else Cancellation.IMPOSSIBLE)
    assert (emulator.jobs.get(video.id) is None) is offered


@pytest.mark.parametrize("emulator", ["vllm-omni"], indirect=True)
def test_a_server_that_reads_forms_only_gets_one(client_of, emulator):
    video = client_of(emulator.url).create_video(SPEC)
    assert emulator.jobs.get(video.id).prompt == SPEC.prompt
    assert (emulator.jobs.report()["orders"], emulator.jobs.report()["refused"]) == (1, 1)


@pytest.mark.parametrize("emulator", ["vllm-omni"], indirect=True)
def test_json_that_was_asked_for_is_refused_with_the_way_out(client_of, emulator):
    with pytest.raises(ApiError, match='set request_format to "multipart"') as caught:
        client_of(emulator.url, request_format="json").create_video(SPEC)
    assert caught.value.permanent
    assert (emulator.jobs.report()["orders"], emulator.jobs.report()["refused"]) == (0, 1)


UNREAD = Said(422, {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": None}]})


def test_an_order_goes_as_a_form_where_json_is_not_read(client_of, serve):
    server = serve(UNREAD, Said(body={"id": "v", "status": "queued"}))
    assert client_of(server.url).create_video(SPEC, "key-1").id == "v"
    assert [heard.headers["idempotency-key"] for heard in server.heard] == ["key-1", "key-1"]
    assert [heard.headers["content-type"].partition(";")[0] for heard in server.heard] == [
        "application/json",
        "multipart/form-data",
    ]


def test_an_order_goes_as_a_form_once(client_of, serve):
    server = serve(lambda _heard: UNREAD)
    with pytest.raises(ApiError):
        client_of(server.url).create_video(SPEC)
    assert len(server.heard) == 2


def test_a_form_whose_answer_is_lost_is_no_refusal(client_of, serve):
    server = serve(UNREAD, Said(body={"id": "v"}, close_early=3))
    with pytest.raises(TransportError) as caught:
        client_of(server.url).create_video(SPEC)
    assert not isinstance(caught.value, NotSentError)
    assert len(server.heard) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 504])
def test_an_order_is_sent_once_whatever_the_server_says(client_of, serve, status):
    server = serve(lambda _heard: Said(status, {"error": {"message": "no"}}, {"Retry-After": "0"}))
    with pytest.raises(ApiError):
        client_of(server.url).create_video(SPEC)
    assert len(server.heard) == 1


def test_an_order_does_not_follow_redirects(client_of, serve):
    server = serve(lambda _heard: Said(307, b"", {"Location": "/v1/videos/"}))
    with pytest.raises(ApiError, match="HTTP 307"):
        client_of(server.url).create_video(SPEC)
    assert len(server.heard) == 1


def test_a_lost_answer_is_no_refusal(client_of, serve):
    server = serve(Said(body={"id": "v"}, close_early=3))
    with pytest.raises(TransportError) as caught:
        client_of(server.url).create_video(SPEC)
    assert not isinstance(caught.value, NotSentError)
    assert len(server.heard) == 1


def test_a_silent_server_is_no_refusal(client_of):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TransportError, match="ReadTimeout") as caught:
            client_of(url, timeout=0.2).create_video(SPEC)
    assert not isinstance(caught.value, NotSentError)


def test_a_server_that_is_not_there_got_nothing(client_of):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(NotSentError, match="ConnectError"):
        client_of(url).create_video(SPEC)


def test_the_key_is_never_shown_even_when_the_server_repeats_it(client_of, serve):
    server = serve(lambda heard: Said(401, {"error": {"message": f"Incorrect key: {heard.headers['authorization']}"}}))
    with pytest.raises(ApiError) as caught:
        client_of(server.url).create_video(SPEC)
    assert caught.value.reason is Reason.AUTHENTICATION
    assert "Incorrect key: Bearer ***" in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["1", "video", "EMPTY"])
def test_a_key_that_is_no_secret_does_not_spoil_an_answer(client_of, serve, key):
    server = serve(Said(body={"id": "video_123_EMPTY", "status": "queued"}))
    client = client_of(server.url)
    client.settings = ClientSettings(server.url, key)
    assert client.create_video(SPEC).id == "video_123_EMPTY"


def test_the_id_of_the_order_stays(client_of, serve):
    server = serve(Said(body={"id": "video_other", "status": "completed"}))
    assert client_of(server.url).get_video("video_mine=").id == "video_mine="
    assert server.heard[0].path == "/v1/videos/video_mine%3D"


# --- content: the sync client alone; downloads run on workers


def content(server, **what):
    with (
        VeoClient(ClientSettings(server.url, KEY)) as client,
        client.open_content(**(what or {"video_id": "v"})) as stream,
    ):
        return stream.total, b"".join(stream.chunks)


@every_dialect
def test_a_video_from_the_emulator(emulator):
    with VeoClient(ClientSettings(emulator.url, KEY)) as client:
        video_id = client.create_video(SPEC).id
        client.wait_for_video(video_id, WaitPolicy(time.time(), time.time() + 60, poll_interval=0.05), [].append)
    length, video = content(emulator, video_id=video_id)
    assert length == len(video) == emulator.jobs.report()["content_bytes"]
    assert video[4:8] == b"ftyp"


def test_bytes(serve):
    server = serve(Said(body=VIDEO))
    assert content(server) == (len(VIDEO), VIDEO)
    assert server.heard[0].path == "/v1/videos/v/content"
    assert server.heard[0].headers["accept-encoding"] == "identity"


def test_the_content_type_is_not_believed(serve):
    assert content(serve(Said(body=VIDEO, headers={"Content-Type": "application/json"})))[1] == VIDEO
    with pytest.raises(ContentError, match="an HTML page"):
        content(serve(Said(body="<html>login</html>", headers={"Content-Type": "video/mp4"})))


def test_compressed_against_our_will(serve):
    server = serve(Said(body=gzip.compress(VIDEO), headers={"Content-Encoding": "gzip"}))
    assert content(server) == (None, VIDEO)


@pytest.mark.parametrize("way", ["redirect", "json", "text"])
def test_another_host_gets_no_key(serve, way):
    cdn = serve(Said(body=VIDEO))
    # another port is another origin; another name of the same machine is another host
    url = cdn.url.replace("127.0.0.1", "localhost") + "/flow/a.mp4?sig=1"
    said = {
        "redirect": Said(302, b"", {"Location": url}),
        "json": Said(body={"id": "v", "status": "completed", "url": url}),
        "text": Said(body=url),
    }[way]
    api = serve(said)
    assert content(api)[1] == VIDEO
    assert api.heard[0].headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in cdn.heard[0].headers
    assert cdn.heard[0].path == "/flow/a.mp4?sig=1"


def test_the_same_host_gets_the_key(serve):
    def answer(heard):
        return Said(body={"url": "/files/a.mp4"}) if heard.path.endswith("/content") else Said(body=VIDEO)

    server = serve(answer)
    assert content(server)[1] == VIDEO
    assert [heard.headers["authorization"] for heard in server.heard] == [f"Bearer {KEY}"] * 2


def test_a_url_on_another_host_gets_no_key(serve):
    api, cdn = serve(Said()), serve(Said(body=VIDEO))
    assert content(api, url=f"{cdn.url}/a.mp4")[1] == VIDEO
    assert api.heard == []
    assert "authorization" not in cdn.heard[0].headers


def test_a_circle_of_redirects_ends(serve):
    server = serve(lambda _heard: Said(302, b"", {"Location": "/v1/videos/v/content"}))
    with pytest.raises(ContentError, match="more than 5 redirects"):
        content(server)
    assert len(server.heard) == 5


def test_a_cut_download_is_an_error(serve):
    with pytest.raises(TransportError, match="RemoteProtocolError"):
        content(serve(Said(body=VIDEO, close_early=100_000)))


def test_not_ready(serve):
    with pytest.raises(ContentNotReadyError):
        content(serve(Said(400, {"error": {"message": "Task is not completed yet"}})))


def test_errors_show_no_signature(serve):
    server = serve(Said(body="<html>expired</html>"))
    with pytest.raises(VeoError) as caught:
        content(server, url=f"{server.url}/a.mp4?signature=secret")
    assert "secret" not in str(caught.value)
