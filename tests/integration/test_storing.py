"""Downloads from a server into a file, with the failures on the way."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import os
import random
import signal
import socket
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import httpx
import pytest

from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.api.errors import (
    ApiError,
    ContentChangedError,
    ContentError,
    ContentGoneError,
    ContentTooLargeError,
    InvalidInputError,
    StorageFullError,
    TransportError,
)
from airflow_provider_veo.hooks import veo as hook_module
from airflow_provider_veo.hooks.veo import VeoHook
from tests.support.file_answers import FileAnswers
from tests.support.mp4_boxes import FTYP, box, make_video, moov, numbers, track
from tests.support.scripted_server import KEY, Reply, connect

VIDEO = make_video(random.Random(6).randbytes(2_000_000))
SOUND = FTYP + box(b"mdat", bytes(99)) + moov(track([9], [8], [(1, 1)], handler=b"soun"))
TENTHS = [len(VIDEO) * tenth // 10 for tenth in range(1, 10)]


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    monkeypatch.setattr(VeoHook, "download_policy", DownloadPolicy(content_poll_interval=0.05, retry_pause=0.01))


@pytest.fixture
def download(monkeypatch, tmp_path):
    """Return a function that downloads the video of a server to `tmp_path/videos/a.mp4`."""

    def fetch(server, destination=tmp_path / "videos/a.mp4", **options):
        connect(monkeypatch, server.url)
        return VeoHook().download_video(destination, **({"video_id": "v"} | options))

    return fetch


@pytest.fixture
def stored(tmp_path):
    """Return a function that returns the stored files by name, hidden files included."""

    def look():
        folder = tmp_path / "videos"
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}

    return look


class TestBrokenTransfers:
    def test_a_download_continues_after_each_of_nine_cuts(self, serve, download, stored):
        answers = FileAnswers(VIDEO, TENTHS)
        server = serve(answers)
        result = download(server)
        assert stored() == {"a.mp4": VIDEO}
        assert result.sha256 == hashlib.sha256(VIDEO).hexdigest()
        assert answers.sent < 1.15 * len(VIDEO)
        assert len(server.requests) == len(TENTHS) + 1
        assert {request.headers["if-range"] for request in server.requests[1:]} == {answers.etag}

    def test_a_download_without_ranges_begins_again(self, serve, download, stored):
        server = serve(FileAnswers(VIDEO, TENTHS, ranges=False))
        assert download(server).sha256 == hashlib.sha256(VIDEO).hexdigest()
        assert stored() == {"a.mp4": VIDEO}

    def test_half_a_video_without_a_length_is_noticed(self, serve, download, stored):
        """Half a video looks complete if a proxy closes the connection early."""
        half = Reply(headers={"Content-Length": ""}, body=VIDEO[: len(VIDEO) // 2], close_early=len(VIDEO))
        server = serve(half, half, Reply(body=VIDEO))
        download(server)
        assert stored() == {"a.mp4": VIDEO}

    def test_another_file_is_not_appended_to_the_first_half(self, serve, download, stored):
        other = make_video(random.Random(7).randbytes(2_000_000))
        first, second = FileAnswers(VIDEO, [1_000_000]), FileAnswers(other)
        second.etag = '"2"'
        script = [first, second]
        server = serve(lambda request: script.pop(0)(request))  # noqa: PLW0108 - another function each time
        download(server)
        assert server.requests[1].headers["range"].startswith("bytes=")
        assert stored() == {"a.mp4": other}

    def test_the_redirect_is_followed_again_for_the_rest(self, serve, download, stored):
        """A redirect may lead to a signed address, which may expire during a download."""
        answers = FileAnswers(VIDEO, [500_000])
        files = serve(
            lambda request: answers(request) if request.path == f"/video?{len(files.requests)}" else Reply(403)
        )
        api = serve(lambda _: Reply(302, headers={"Location": f"{files.url}/video?{len(files.requests) + 1}"}))
        download(api)
        assert [request.path for request in files.requests] == ["/video?1", "/video?2"]
        assert stored() == {"a.mp4": VIDEO}

    def test_a_failing_server_is_asked_again(self, serve, download, stored):
        busy = Reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "0"})
        answers = FileAnswers(VIDEO, [1_000_000])
        script = [Reply(502, "<html>"), answers, busy, Reply(503), answers]
        status = Reply(body={"id": "v", "status": "completed"})

        def answer(request):
            if not request.path.endswith("/content"):
                return status
            return said(request) if callable(said := script.pop(0)) else said

        download(serve(answer))
        assert answers.sent == len(VIDEO)
        assert stored() == {"a.mp4": VIDEO}

    @pytest.mark.parametrize("before", ["", "data:video/mp4;base64,"])
    def test_a_download_of_a_video_in_a_json_answer_begins_again(self, serve, download, stored, before):
        answer = json.dumps({"id": "v", "data": [{"b64_json": before + base64.b64encode(VIDEO).decode()}]}).encode()
        whole = Reply(200, answer, {"Content-Type": "application/json", "Accept-Ranges": "bytes"})
        server = serve(replace(whole, close_early=1_500_000), whole)
        assert download(server).sha256 == hashlib.sha256(VIDEO).hexdigest()
        assert [request.headers.get("range") for request in server.requests] == [None, None]
        assert stored() == {"a.mp4": VIDEO}

    def test_a_download_without_progress_fails(self, serve, download, stored):
        server = serve(FileAnswers(VIDEO, [1_000_000] * 100))
        with pytest.raises(TransportError):
            download(server)
        assert len(server.requests) == 5
        assert stored() == {}


class TestKills:
    def test_a_sigkill_at_a_random_point_leaves_no_file(self, serve, download, stored):
        points = [random.randrange(len(VIDEO)) for _ in range(20)]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            for point in points:
                pid = os.fork()
                if not pid:
                    with contextlib.suppress(BaseException):
                        download(SimpleNamespace(url=f"http://127.0.0.1:{listener.getsockname()[1]}"))
                    os._exit(0)  # reached only if the process is not killed
                connection = send_part(listener, point)
                os.kill(pid, signal.SIGKILL)
                assert os.waitpid(pid, 0)[1] == signal.SIGKILL
                connection.close()
                # at most the part file of the last process: each process removes those of earlier ones
                assert [name for name in stored() if not name.endswith(".veo-part")] == []
                assert len(stored()) <= 1, points
        download(serve(FileAnswers(VIDEO)))
        assert stored() == {"a.mp4": VIDEO}


def send_part(listener, size):
    """Send a client the first bytes of the video, and return the open connection."""
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(VIDEO)}\r\n\r\n".encode() + VIDEO[:size])
    return connection


class TestChecks:
    @pytest.mark.parametrize(
        ("said", "error", "complaint"),
        [
            (Reply(body="<html>Log in</html>"), ContentError, "expected a video file, got an HTML page"),
            (Reply(body={"id": "v", "status": "completed"}), ContentError, "got something else"),
            (Reply(body=VIDEO[:-1]), ContentChangedError, "is not a whole video: its 'moov' box is cut"),
            (Reply(body=SOUND), ContentError, "is not a whole video: it has no picture"),
            (Reply(403), ApiError, "HTTP 403"),
            (Reply(410), ContentGoneError, "clear the task that ordered it; that is charged again"),
        ],
    )
    def test_content_that_is_not_a_video_is_refused(self, serve, download, stored, said, error, complaint):
        with pytest.raises(error, match=complaint):
            download(serve(lambda _: said))
        assert stored() == {}

    @pytest.mark.parametrize("trailer", [b"\n", bytes(8), b"TAG" + bytes(125), b"<!-- proxy -->", b"\r\n--end--\r\n"])
    def test_bytes_behind_a_whole_video_are_stored_with_it(self, serve, download, stored, trailer):
        server = serve(lambda _: Reply(body=VIDEO + trailer))
        assert download(server).bytes == len(VIDEO + trailer)
        assert stored() == {"a.mp4": VIDEO + trailer}
        assert len(server.requests) == 1

    def test_a_video_over_max_bytes_is_refused(self, serve, download, stored):
        with pytest.raises(ContentTooLargeError, match=f"has {len(VIDEO)} bytes, and max_bytes=1000000"):
            download(serve(FileAnswers(VIDEO)), max_bytes=1_000_000)
        assert stored() == {}

    def test_a_full_disk_is_noticed(self, serve, download, stored, mocker):
        mocker.patch("airflow_provider_veo.storage.files.shutil.disk_usage", return_value=mocker.Mock(free=1_000_000))
        with pytest.raises(StorageFullError, match=f"{len(VIDEO)} bytes are needed, 1000000 are free"):
            download(serve(FileAnswers(VIDEO)))
        assert stored() == {}

    def test_an_expired_video_is_reported_as_gone(self, serve, download, stored):
        gone = Reply(404, {"error": {"message": "Task not found", "type": "invalid_request_error"}})
        server = serve(lambda _: gone)
        with pytest.raises(ContentGoneError, match=r"video v: the video is gone.*Gateways keep a video for a day") as e:
            download(server, content_timeout=timedelta(seconds=0.2))
        assert e.value.permanent
        assert server.requests[-1].path == "/v1/videos/v"
        assert stored() == {}

    def test_a_failed_job_is_reported_with_its_message(self, serve, download):
        failed = Reply(body={"id": "v", "status": "failed", "error": "no luck"})
        server = serve(lambda request: Reply(400) if request.path.endswith("/content") else failed)
        with pytest.raises(Exception, match="Video v failed: no luck"):
            download(server, content_timeout=timedelta(seconds=0.1))


class TestAnExistingFile:
    @pytest.fixture
    def server(self, serve):
        return serve(FileAnswers(VIDEO))

    @pytest.fixture
    def put(self, tmp_path):
        def write(content):
            (tmp_path / "videos").mkdir()
            (tmp_path / "videos/a.mp4").write_bytes(content)

        return write

    def test_is_kept_if_it_is_the_same_video(self, server, download, put):
        put(VIDEO)
        sha256 = hashlib.sha256(VIDEO).hexdigest()
        result = download(server, sha256=sha256)
        assert (result.bytes, result.sha256) == (len(VIDEO), sha256)

    def test_is_kept_if_the_server_no_longer_has_the_video(self, serve, download, put):
        put(VIDEO)
        assert download(serve(lambda _: Reply(404))).bytes == len(VIDEO)

    def test_of_another_size_is_an_error(self, server, download, put, stored):
        put(other := make_video(b"x" * 5000))
        with pytest.raises(InvalidInputError, match=f"is another video: {len(other)} bytes.*has {len(VIDEO)} bytes"):
            download(server)
        assert stored() == {"a.mp4": other}

    def test_with_another_content_is_an_error(self, server, download, put, stored):
        put(VIDEO)
        with pytest.raises(InvalidInputError, match=r"is another video.*sha256 0000.*if_exists='overwrite'"):
            download(server, sha256="0000")
        assert stored() == {"a.mp4": VIDEO}

    def test_that_is_half_a_video_is_an_error(self, server, download, put):
        put(VIDEO[:-1])
        with pytest.raises(InvalidInputError, match="is not a whole video"):
            download(server)

    def test_is_replaced_with_overwrite(self, server, download, put, stored):
        put(b"old")
        download(server, if_exists="overwrite")
        assert stored() == {"a.mp4": VIDEO}

    def test_is_an_error_before_any_request_with_fail(self, server, download, put, stored):
        put(b"old")
        with pytest.raises(InvalidInputError, match="exists already, and if_exists is 'fail'"):
            download(server, if_exists="fail")
        assert stored() == {"a.mp4": b"old"}
        assert server.requests == []

    @pytest.mark.parametrize("if_exists", ["skip", "fail"])
    def test_may_come_from_another_task_during_the_download(self, serve, download, tmp_path, stored, if_exists):
        def overtaken(request):
            (tmp_path / "videos/a.mp4").write_bytes(VIDEO)
            return answers(request)

        answers = FileAnswers(VIDEO)
        server = serve(overtaken)
        if if_exists == "skip":
            assert download(server).bytes == len(VIDEO)
        else:
            with pytest.raises(InvalidInputError, match="exists already"):
                download(server, if_exists="fail")
        assert stored() == {"a.mp4": VIDEO}


NOT_PUBLIC = [
    "http://127.0.0.1:{port}/a.mp4",
    "http://localhost:{port}/a.mp4",
    "http://[::1]:{port}/a.mp4",
    "http://[::ffff:127.0.0.1]:{port}/a.mp4",
    "http://2130706433:{port}/a.mp4",
    "http://0:{port}/a.mp4",
    "http://10.0.0.1/a.mp4",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/a.mp4",
    "http://[fd00:ec2::254]/a.mp4",
    "http://[64:ff9b::a9fe:a9fe]/a.mp4",
    "http://internal.example/a.mp4",
]


class TestPrivateNetworks:
    """A gateway with a public name. In these tests, the name leads to a server on loopback."""

    @pytest.fixture
    def gateway(self, serve, monkeypatch):
        """Return a function that starts the gateway `http://gateway.example`, whose address counts as public."""
        server = None
        real = socket.getaddrinfo

        def getaddrinfo(host, port, *args, **kwargs):
            if host == "gateway.example":
                # the check asks without a port; the connection needs the real address
                return real("93.184.216.34" if port is None else "127.0.0.1", port, *args, **kwargs)
            return real("10.0.0.7" if host == "internal.example" else host, port, *args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

        def start(answer, **extra):
            nonlocal server
            server = serve(answer)
            server.public_url = server.url.replace("127.0.0.1", "gateway.example")
            connect(monkeypatch, server.public_url, **extra)
            return server

        return start

    @pytest.fixture
    def private(self, serve):
        return serve(lambda _: Reply(body=VIDEO))

    @pytest.mark.parametrize("way", ["redirect", "json"])
    @pytest.mark.parametrize("address", NOT_PUBLIC)
    def test_no_answer_leads_into_a_private_network(self, gateway, private, tmp_path, stored, way, address):
        address = address.format(port=private.url.rpartition(":")[2])
        answer = Reply(302, headers={"Location": address}) if way == "redirect" else Reply(body={"url": address})
        gateway(lambda _: answer)
        with pytest.raises(InvalidInputError, match=r"is not a public address.*allow_private_addresses") as caught:
            VeoHook().download_video(tmp_path / "videos/a.mp4", video_id="v")
        assert caught.value.permanent
        assert private.requests == []
        assert stored() == {}

    def test_no_chain_of_redirects_leads_into_a_private_network(self, gateway, private, tmp_path):
        def answer(request):
            step = int(request.path.rpartition("/")[2]) if request.path.startswith("/step") else 0
            onward = f"/step/{step + 1}" if step < 3 else private.url
            return Reply(307, headers={"Location": onward})

        server = gateway(answer)
        with pytest.raises(InvalidInputError, match="is not a public address"):
            VeoHook().download_video(tmp_path / "a.mp4", video_id="v")
        assert len(server.requests) == 5  # the content route, three steps, and the status
        assert private.requests == []

    def test_no_address_in_an_argument_leads_into_a_private_network(self, gateway, private, tmp_path):
        gateway(lambda _: Reply(500))
        with pytest.raises(InvalidInputError, match="is not a public address"):
            VeoHook().download_video(tmp_path / "a.mp4", url=f"{private.url}/a.mp4")
        assert private.requests == []

    def test_no_name_that_changes_its_address_leads_into_a_private_network(
        self, gateway, private, tmp_path, monkeypatch
    ):
        """The name is public when it is checked, and leads to loopback when the connection is made."""
        port = private.url.rpartition(":")[2]
        usual = socket.getaddrinfo

        def rebinding(host, asked_port, *args, **kwargs):
            if host == "rebinding.example":
                host = "93.184.216.34" if asked_port is None else "127.0.0.1"
            return usual(host, asked_port, *args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        gateway(lambda _: Reply(302, headers={"Location": f"http://rebinding.example:{port}/a.mp4"}))
        with pytest.raises(InvalidInputError, match=r"127.0.0.1 is not a public address \(loopback\)"):
            VeoHook().download_video(tmp_path / "a.mp4", video_id="v")
        assert private.requests == []

    def test_a_setting_opens_private_networks(self, gateway, private, tmp_path, stored):
        gateway(lambda _: Reply(302, headers={"Location": f"{private.url}/a.mp4"}), allow_private_addresses="true")
        VeoHook().download_video(tmp_path / "videos/a.mp4", video_id="v")
        assert stored() == {"a.mp4": VIDEO}
        assert "authorization" not in private.requests[0].headers

    def test_no_setting_opens_the_metadata_of_a_cloud(self, gateway, tmp_path):
        where = "http://169.254.169.254/latest/meta-data/iam"
        gateway(lambda _: Reply(302, headers={"Location": where}), allow_private_addresses=True)
        with pytest.raises(InvalidInputError, match="link-local"):
            VeoHook().download_video(tmp_path / "a.mp4", video_id="v")

    def test_a_gateway_in_a_private_network_may_name_private_addresses(self, serve, private, download, stored):
        download(serve(lambda _: Reply(302, headers={"Location": f"{private.url}/a.mp4"})))
        assert stored() == {"a.mp4": VIDEO}
        assert "authorization" not in private.requests[0].headers

    @pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://files.example/a.mp4", "gopher://x/", "http://[x"])
    def test_only_http_is_followed(self, serve, download, where):
        with pytest.raises(ContentError, match="not an http"):
            download(serve(lambda _: Reply(302, headers={"Location": where})))

    def test_the_address_of_a_proxy_may_be_private(self, gateway, tmp_path, monkeypatch, stored, serve):

        def proxy(request):
            seen = httpx.get(request.path.replace("gateway.example", "127.0.0.1"), trust_env=False)
            return Reply(seen.status_code, seen.content)

        gateway(FileAnswers(VIDEO))
        monkeypatch.setenv("HTTP_PROXY", serve(proxy).url)
        monkeypatch.setenv("NO_PROXY", "")
        VeoHook().download_video(tmp_path / "videos/a.mp4", video_id="v")
        assert stored() == {"a.mp4": VIDEO}


def test_the_key_is_not_sent_to_another_host(serve, download, stored):
    files = serve(lambda _: Reply(body=VIDEO))
    api = serve(lambda _: Reply(302, headers={"Location": f"{files.url}/a.mp4"}))
    download(api)
    assert api.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps([vars(request) | {"body": ""} for request in files.requests])
    assert stored() == {"a.mp4": VIDEO}


@pytest.mark.parametrize("if_exists", ["overwrite", "skip"])
@pytest.mark.parametrize("place", ["local", "object"])
def test_hook_lineage_is_reported_once(serve, download, tmp_path, monkeypatch, memory, place, if_exists):
    """The number of blocks does not matter, and an existing video is reported, too."""
    lineage = pytest.importorskip("airflow.sdk.lineage", reason="Airflow before 3.2 has it elsewhere")
    collector = lineage.HookLineageCollector()
    for module in (lineage, hook_module):  # ObjectStoragePath uses the first module
        monkeypatch.setattr(module, "get_hook_lineage_collector", lambda: collector)
    destination = tmp_path / "a.mp4" if place == "local" else f"{memory}/a.mp4"
    server = serve(lambda _: Reply(body=VIDEO))
    download(server, destination)
    first = collector.collected_assets
    collector = lineage.HookLineageCollector()
    stored = download(server, destination, if_exists=if_exists)
    for collected in (first, collector.collected_assets):
        assert [(entry.asset.uri, entry.count) for entry in collected.outputs] == [(stored.uri, 1)]
        assert collected.inputs == []


def test_half_a_compressed_video_is_not_joined_with_compressed_bytes(serve, download, stored):
    """Some proxies compress videos unasked. A range then counts compressed bytes, not those that arrived."""
    # the media box extends to the end of the file, so the boxes of a wrong file are valid, too
    open_ended = FTYP + moov(track([1000], [1], [(1, 1)])) + numbers(0) + b"mdat" + random.Random(6).randbytes(200_000)
    packed = gzip.compress(open_ended)

    def answer(request):
        asked = int(request.headers.get("range", "bytes=0-")[6:-1])
        headers = {"Content-Encoding": "gzip"}
        if not asked:
            return Reply(200, packed, headers, None if len(server.requests) > 1 else len(packed) // 2)
        place = {"Content-Range": f"bytes {asked}-{len(packed) - 1}/{len(packed)}"}
        return Reply(206, packed[asked:], headers | place)

    server = serve(answer)
    download(server)
    assert [request.headers.get("range") is None for request in server.requests] == [True, False, True]
    assert stored() == {"a.mp4": open_ended}
