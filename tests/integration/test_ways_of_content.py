"""The ways in which servers offer a finished video: each video is stored unchanged, and only the API gets the key."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.operators.download import VeoDownloadOperator
from tests.support.dag_runs import run
from tests.support.mp4_boxes import make_video
from tests.support.scripted_server import KEY, Reply, connect
from tests.support.task_driver import TaskDriver

VIDEO_BYTES = make_video(random.Random(18).randbytes(40_000))
BASE64 = base64.b64encode(VIDEO_BYTES).decode()
DATA_URL = f"data:video/mp4;base64,{BASE64}"
SIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=29991127T000000Z&X-Amz-Expires=3600&X-Amz-Signature=canary"
ONE_MECHANISM = "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"
NO_ROUTE = Reply(404, {"detail": "Not Found"})
SGLANG = Reply(400, {"detail": "Video has been uploaded to cloud storage. Please use the cloud URL: http://s3/a.mp4"})
GEMINI = Reply(502, {"error": {"message": "Failed to resolve Gemini video URL", "type": "server_error"}})


@dataclass
class Way:
    """A way in which a server offers a video. `{cdn}` stands for another origin, `{api}` for the origin of the API.

    Attributes:
        content: Answers of the content route, in their order; the last one repeats.
        status: Fields of the status, besides the id and `completed`.
        files: Answers of paths of both origins, like `content`; other paths answer with the video.
    """

    content: list = field(default_factory=lambda: [NO_ROUTE])
    status: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)


def names(address, **more):
    return Reply(body={"url": address} | more)


def leads(address, status=302):
    return Reply(status, headers={"Location": address})


def at(url, refusal=NO_ROUTE):
    """Return a way that offers the video only in the status."""
    return Way([refusal], {"url": url})


VIDEO = Reply(body=VIDEO_BYTES)
REFUSED = Reply(403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
WAYS = {
    "bytes": Way([VIDEO]),
    "bytes with another content type": Way([Reply(body=VIDEO_BYTES, headers={"Content-Type": "application/json"})]),
    "compressed bytes": Way([Reply(body=gzip.compress(VIDEO_BYTES), headers={"Content-Encoding": "gzip"})]),
    "bytes after a while": Way([NO_ROUTE, NO_ROUTE, VIDEO]),
    "bytes after errors": Way([Reply(500), GEMINI, VIDEO]),
    "bytes in two halves": Way([Reply(body=VIDEO_BYTES, close_early=20_000), VIDEO]),
    "redirect to another origin": Way([leads("{cdn}/a.mp4", 307)]),
    "redirect on the API's origin": Way([leads("/files/a.mp4")]),
    "redirect to a redirect": Way([leads("{cdn}/b")], files={"/b": [leads("/a.mp4", 301)]}),
    "redirect to a presigned address on the API's origin": Way([leads(f"/minio/a.mp4?{SIGNED}")]),
    "redirect to a presigned address elsewhere": Way([leads("{cdn}/a.mp4?se=2999-01-01T00%3A00%3A00Z&sig=canary%3D")]),
    "address": Way([names("{cdn}/a.mp4")]),
    "address on the API's origin": Way([names("/files/a.mp4")]),
    "address that is presigned on the API's origin": Way([names("{api}/minio/a.mp4?%53ignature=canary&Expires=9")]),
    "address in an envelope": Way([Reply(body={"code": "success", "data": {"video_url": "{cdn}/a.mp4"}})]),
    "address as text": Way([Reply(body="{cdn}/a.mp4\n")]),
    "address after a byte order mark": Way([Reply(body='\ufeff{"url": "{cdn}/a.mp4"}')]),
    "data: address": Way([Reply(body={"id": "v", "status": "completed", "url": DATA_URL})]),
    "data: address in metadata": Way([Reply(body={"id": "v", "metadata": {"url": DATA_URL}})]),
    "b64_json": Way([Reply(body={"created": 1, "data": [{"b64_json": BASE64}]})]),
    "bytesBase64Encoded": Way([Reply(body={"response": {"videos": [{"bytesBase64Encoded": BASE64}]}})]),
    "base64 in the alphabet of addresses": Way(
        [Reply(body={"video": base64.urlsafe_b64encode(VIDEO_BYTES).decode().rstrip("=")})]
    ),
    "base64 with escapes": Way([Reply(body=json.dumps({"b64_json": BASE64}).replace("/", "\\/"))]),
    "address in the status, and no content route": at("{cdn}/a.mp4"),
    "address in the status, and SGLang's hint at it": at(f"{{cdn}}/a.mp4?{SIGNED}", SGLANG),
    "address in the status, and a method that is not allowed": at("{cdn}/a.mp4", Reply(405)),
    "address in the status, and a route that is not implemented": at("{cdn}/a.mp4", Reply(501)),
    "address in the status, and a route that always fails": at("{cdn}/a.mp4", Reply(500)),
    "address in the status, and a route that refuses": at("{cdn}/a.mp4", Reply(403)),
    "address in the status, and content that is gone": at("{cdn}/a.mp4", Reply(410)),
    "address in the status, and a web page": at("/files/a.mp4", Reply(body="<html>Sign in</html>")),
    "address in the status's metadata": Way([NO_ROUTE], {"metadata": {"url": "{cdn}/a.mp4"}}),
    "address in the status that is cut once": Way(
        [NO_ROUTE], {"url": "{cdn}/a.mp4"}, {"/a.mp4": [Reply(body=VIDEO_BYTES, close_early=20_000), VIDEO]}
    ),
    "address in the status that leads to the content route": Way(
        [NO_ROUTE, NO_ROUTE, VIDEO], {"metadata": {"url": "{api}/v1/videos/v/content"}}
    ),
    "data: address in the status, and no content route": at(DATA_URL),
    "bytesBase64Encoded in the status, and no content route": Way(
        [NO_ROUTE], {"response": {"videos": [{"bytesBase64Encoded": BASE64}]}}
    ),
    "a new address each time, of which the first ones are refused": Way(
        [names("{cdn}/1.mp4"), NO_ROUTE, names("{cdn}/2.mp4"), NO_ROUTE, names("{cdn}/3.mp4")],
        files={"/1.mp4": [REFUSED], "/2.mp4": [Reply(410)]},
    ),
    "an address that is refused, and another one in the status": Way(
        [leads("{cdn}/old.mp4")], {"url": "{cdn}/a.mp4"}, {"/old.mp4": [Reply(400, ONE_MECHANISM)]}
    ),
    "an address whose file comes later": Way([names("{cdn}/a.mp4")], files={"/a.mp4": [Reply(404), REFUSED, VIDEO]}),
    "an address in trouble": Way([leads("{cdn}/a.mp4")], files={"/a.mp4": [Reply(503), Reply(429), VIDEO]}),
}
every_way = pytest.mark.parametrize("name", WAYS)
some_ways = pytest.mark.parametrize(
    "name",
    [
        "bytes",
        "redirect to a presigned address on the API's origin",
        "bytesBase64Encoded",
        "address in the status, and SGLang's hint at it",
        "data: address in the status, and no content route",
        "a new address each time, of which the first ones are refused",
    ],
)


class Servers:
    """The API, and a CDN of another origin, which offer a video in one way.

    Args:
        way: The way in which they offer the video.
        serve: Function that starts a server.
    """

    def __init__(self, way, serve):
        self._way = way
        self._asked = Counter()
        self.cdn = serve(self._file)
        self.api = serve(self._answer)

    def _next_of(self, answers, path):
        self._asked[path] += 1
        return self._filled(answers[min(self._asked[path], len(answers)) - 1])

    def _filled(self, said):
        def fill(text):
            return text.replace("{cdn}", self.cdn.url).replace("{api}", self.api.url)

        body = said.body if isinstance(said.body, bytes) else fill(said.content().decode()).encode()
        return replace(said, body=body, headers={name: fill(value) for name, value in said.headers.items()})

    def _file(self, request):
        path = request.path.partition("?")[0]
        if "ignature=" in request.path and "authorization" in request.headers:
            return Reply(400, ONE_MECHANISM, {"Content-Type": "application/xml"})
        return self._next_of(self._way.files.get(path, [VIDEO]), path)

    def _answer(self, request):
        if request.method == "POST":
            return Reply(body={"id": "v", "status": "queued"})
        if request.path == "/v1/videos/v/content":
            return self._next_of(self._way.content, request.path)
        if request.path == "/v1/videos/v":
            return self._filled(Reply(body={"id": "v", "status": "completed"} | self._way.status))
        return self._file(request)


@pytest.fixture
def offer(serve, monkeypatch):
    """Return a function that starts the servers of a way."""
    monkeypatch.setattr(VeoHook, "download_policy", DownloadPolicy(content_poll_interval=0.02, retry_pause=0.01))

    def start(name):
        servers = Servers(WAYS[name], serve)
        connect(monkeypatch, servers.api.url)
        return servers

    return start


@pytest.fixture
def check(tmp_path):
    """Return a function that checks the stored file, and that only the API got the key."""

    def look(servers, sha256):
        assert (tmp_path / "videos/v.mp4").read_bytes() == VIDEO_BYTES
        assert [path.name for path in (tmp_path / "videos").iterdir()] == ["v.mp4"]
        assert sha256 == hashlib.sha256(VIDEO_BYTES).hexdigest()
        assert KEY not in str([(request.path, request.headers) for request in servers.cdn.requests])
        signed = [request for request in servers.api.requests if "ignature=" in request.path]
        assert not [request for request in signed if "authorization" in request.headers]

    return look


def test_the_table_has_at_least_twenty_ways():
    assert len(WAYS) >= 20


@every_way
def test_a_video_is_stored_from_each_way(offer, check, tmp_path, name):
    servers = offer(name)
    stored = VeoHook().download_video(f"{tmp_path}/videos/{{video_id}}.mp4", video_id="v")
    check(servers, stored.sha256)


@some_ways
@pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "waiting"])
def test_a_create_task_stores_the_video(offer, check, tmp_path, name, deferrable):
    servers = offer(name)
    destination = f"{tmp_path}/videos/{{video_id}}.mp4"
    driver = TaskDriver({"prompt": "p", "deferrable": deferrable, "poll_interval": 0.01, "destination": destination})
    check(servers, driver.run()["sha256"])
    assert len([request for request in servers.api.requests if request.method == "POST"]) == 1


@some_ways
@pytest.mark.parametrize("of", ["v", {"id": "v", "status": "completed", "url": None}], ids=["id", "result"])
def test_a_download_task_stores_the_video(offer, check, tmp_path, name, of):
    servers = offer(name)
    driver = TaskDriver({"video_id": of, "destination": f"{tmp_path}/videos/"}, operator=VeoDownloadOperator)
    check(servers, driver.once()["sha256"])


@pytest.mark.usefixtures("database")
def test_both_tasks_find_the_address_in_the_status_on_a_real_airflow(offer, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path))
    servers = offer("address in the status, and SGLang's hint at it")
    state, _, result = run("two_tasks")
    assert state == "success"
    assert result("download")["sha256"] == hashlib.sha256(VIDEO_BYTES).hexdigest()
    assert (tmp_path / "two_tasks/v.mp4").read_bytes() == VIDEO_BYTES
    assert KEY not in str([(request.path, request.headers) for request in servers.cdn.requests])
