"""Downloads that continue after a cut, wait for late content, or are given up."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.content import download as download_module
from airflow_provider_veo.api.content.download import Download, DownloadPolicy, DownloadRetries, Received
from airflow_provider_veo.api.content.locate import ContentStream
from airflow_provider_veo.api.errors import (
    AddressRefusedError,
    ApiError,
    ContentChangedError,
    ContentCutError,
    ContentError,
    ContentGoneError,
    ContentNotReadyError,
    ContentTooLargeError,
    Reason,
    StorageFullError,
    TransportError,
)
from tests.support.mp4_boxes import make_video

VIDEO = make_video(bytes(range(256)) * 40)
AT_ONCE = DownloadPolicy(content_timeout=0.05, content_poll_interval=0.01, retry_pause=0)


class Server:
    """Content that is sent up to the next of `cuts` at each request, from the start or from the byte asked for."""

    action = "Downloading video v"
    video_id = "v"

    def __init__(self, *cuts, body=VIDEO, can_resume=True, announces=True, version='"a"', is_job=True):
        self.is_job = is_job
        self.cuts = list(cuts)
        self.body = body
        self.can_resume = can_resume
        self.announces = announces
        self.version = version
        self.asked = []
        self.sent = 0

    @contextmanager
    def open(self, resume=None):
        self.asked.append(resume)
        start = resume.offset if resume and self.can_resume else 0
        cut = self.cuts.pop(0) if self.cuts else None
        if isinstance(cut, Exception):
            raise cut
        yield ContentStream(start, len(self.body) if self.announces else None, self.version, self._chunks(start, cut))

    def _chunks(self, start, cut):
        for at in range(start, len(self.body) if cut is None else cut, 1000):
            chunk = self.body[at : min(at + 1000, cut or len(self.body))]
            self.sent += len(chunk)
            yield chunk
        if cut is not None:
            raise TransportError("connection reset")


class Lines:
    """A logger that keeps its lines."""

    def __init__(self):
        self.texts = []

    def info(self, event, *args):
        self.texts.append(event % args)


def fetch(server, policy=AT_ONCE):
    """Download a video; return its bytes and the lines of the log."""
    log = Lines()
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part"
        part.touch()
        done = Download(server, policy, log).into(part)
        content = part.read_bytes()
    assert (done.bytes, done.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    return content, log.texts


@pytest.fixture
def free_space(monkeypatch):
    """Return a function that sets the free bytes of all disks."""

    def set_free(free):
        monkeypatch.setattr(download_module.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))

    return set_free


TENTHS = [len(VIDEO) * tenth // 10 for tenth in range(1, 10)]


@pytest.mark.parametrize("announces", [True, False])
def test_a_transfer_that_is_cut_at_each_tenth_continues(announces):
    server = Server(*TENTHS, announces=announces)
    content, logged = fetch(server)
    assert content == VIDEO
    assert server.sent == len(VIDEO)
    assert [resume and resume.offset for resume in server.asked] == [None, *TENTHS]
    assert server.asked[1].version == '"a"'
    assert logged[0] == f"connection reset Trying again in 0 s; {TENTHS[0]} bytes are there."


def test_a_transfer_that_the_server_cannot_continue_starts_again():
    server = Server(*TENTHS, can_resume=False)
    assert fetch(server)[0] == VIDEO
    assert server.sent == sum(TENTHS) + len(VIDEO)


@given(st.lists(st.integers(1, len(VIDEO) - 1), max_size=4), st.booleans(), st.booleans())
def test_the_file_is_the_same_with_any_cuts(cuts, can_resume, announces):
    assert fetch(Server(*cuts, can_resume=can_resume, announces=announces))[0] == VIDEO


def test_a_download_is_given_up_when_no_new_byte_arrives():
    server = Server(*[100] * 20, can_resume=False)
    with pytest.raises(TransportError):
        fetch(server)
    assert len(server.asked) == 5


def test_a_server_that_sends_byte_by_byte_is_given_up():
    server = Server(*range(1, 1000))
    with pytest.raises(TransportError):
        fetch(server)
    assert len(server.asked) == 100


def test_a_transfer_with_fewer_bytes_than_announced_continues():
    server = Server()
    server._chunks = lambda start, _cut: iter([VIDEO[start : start + 4000]])
    assert fetch(server)[0] == VIDEO
    server._chunks = lambda *_: iter([b""])
    with pytest.raises(ContentCutError, match=f"0 of {len(VIDEO)} bytes"):
        fetch(server)


def test_a_file_that_is_not_whole_is_downloaded_again():
    server = Server(body=VIDEO[:-9])
    with pytest.raises(ContentChangedError, match="the server's file is not a whole video: its 'moov' box is cut"):
        fetch(server)
    assert server.asked == [None] * 5


def test_a_file_that_has_changed_is_downloaded_again():
    server = Server(4000, ContentChangedError("another one"))
    assert fetch(server)[0] == VIDEO
    assert [resume and resume.offset for resume in server.asked] == [None, 4000, None]


@pytest.mark.parametrize("announces", [True, False])
def test_a_video_larger_than_allowed_is_refused(announces):
    server = Server(announces=announces)
    with pytest.raises(ContentTooLargeError, match="max_bytes=2000 allows no more") as caught:
        fetch(server, DownloadPolicy(max_bytes=2000))
    assert server.sent == (0 if announces else 3000)
    assert caught.value.permanent
    assert fetch(Server(announces=announces), DownloadPolicy(max_bytes=len(VIDEO)))[0] == VIDEO


def test_a_full_disk_is_noticed_before_the_transfer(free_space):
    server = Server()
    free_space(2000)
    with pytest.raises(StorageFullError, match=f"{len(VIDEO)} bytes are needed, 2000 are free"):
        fetch(server)
    assert server.sent == 0
    free_space(len(VIDEO))
    assert fetch(Server(8000))[0] == VIDEO


def test_a_disk_that_becomes_full_is_an_error_of_the_storage():
    with Path("/dev/full").open("wb", buffering=0) as full, Server(announces=False).open() as stream:
        received = Received(Unseekable(full), 10**9, Path("/dev"), "Downloading video v")
        with pytest.raises(StorageFullError, match="has become full"):
            received.take(stream)


class Unseekable:
    def __init__(self, file):
        self.write = file.write
        self.seek = self.truncate = lambda *_: 0


NOT_YET = ContentNotReadyError("not yet")


def test_content_that_lags_is_waited_for():
    server = Server(NOT_YET, NOT_YET, 4000, NOT_YET)
    assert fetch(server, DownloadPolicy(60, 0, 0))[0] == VIDEO


def test_content_that_never_comes_is_given_up():
    server = Server(*[NOT_YET] * 1000)
    with pytest.raises(ContentNotReadyError):
        fetch(server)
    assert len(server.asked) > 1


def test_a_job_is_gone_only_if_the_server_says_so_twice():
    gone = ContentGoneError("gone")
    assert fetch(Server(gone))[0] == VIDEO
    server = Server(gone, gone)
    with pytest.raises(ContentGoneError):
        fetch(server)
    assert len(server.asked) == 2


def test_an_address_that_is_not_found_means_that_the_video_is_gone():
    not_found = ContentNotReadyError("HTTP 404")
    not_found.__cause__ = ApiError("Downloading", reason=Reason.NOT_FOUND, status=404)
    with pytest.raises(ContentGoneError, match=r"\(HTTP 404\)\. .* Gateways keep a video for a day"):
        fetch(Server(*[not_found] * 1000, is_job=False))
    with pytest.raises(ContentNotReadyError):
        fetch(Server(*[NOT_YET] * 1000, is_job=False))


def refused(address="https://cdn.example.net/a.mp4", **more):
    return AddressRefusedError(f"{address} refuses the file (HTTP 403).", address, **more)


class TestAnAddressThatRefuses:
    def test_is_asked_for_again(self):
        assert fetch(Server(refused(), refused(), 4000, refused()), DownloadPolicy(60, 0, 0))[0] == VIDEO

    def test_means_that_the_video_is_gone_when_it_is_named_again(self):
        server = Server(*[refused()] * 1000)
        with pytest.raises(ContentGoneError, match=r"names the same address again.*HTTP 403.*clear the task") as caught:
            fetch(server)
        assert caught.value.permanent
        assert "key" not in str(caught.value)
        assert len(server.asked) > 2

    def test_does_not_prove_a_loss_when_it_is_another_one_each_time(self):
        server = Server(*[refused(f"https://cdn.example.net/{number}.mp4") for number in range(1000)])
        with pytest.raises(AddressRefusedError) as caught:
            fetch(server)
        assert not caught.value.permanent

    def test_is_not_asked_again_when_its_time_is_over(self):
        server = Server(*[refused(is_over=True)] * 1000)
        with pytest.raises(ContentGoneError):
            fetch(server, DownloadPolicy(600, 0, 0))
        assert len(server.asked) == 2

    def test_ends_a_download_without_a_job_to_ask_about(self):
        server = Server(*[refused()] * 1000, is_job=False)
        with pytest.raises(ContentGoneError, match=r"not valid any more.*VeoDownloadOperator\(video_id=") as caught:
            fetch(server, DownloadPolicy(600, 0, 0))
        assert len(server.asked) == 1
        assert "key" not in str(caught.value)

    def test_is_asked_for_again_if_it_has_no_file_yet(self):
        missing = refused(is_missing=True)
        assert fetch(Server(missing, missing, is_job=False), DownloadPolicy(60, 0, 0))[0] == VIDEO


def api_error(reason, retry_after=None):
    return ApiError("Downloading", reason=reason, status=500, retry_after=retry_after)


@pytest.mark.parametrize("error", [ContentError("HTML"), api_error(Reason.FORBIDDEN), api_error(Reason.AUTHENTICATION)])
def test_a_final_error_is_not_retried(error):
    server = Server(error)
    with pytest.raises(type(error)):
        fetch(server)
    assert len(server.asked) == 1


def pauses(*steps):
    retries = DownloadRetries(DownloadPolicy(content_timeout=100, content_poll_interval=4, retry_pause=0.5))
    return [retries.choose_pause(error, furthest, now) for error, furthest, now in steps]


def test_pauses_between_attempts():
    cut = TransportError("cut")
    assert pauses(*[(cut, 0, 0)] * 5) == [0.5, 1, 2, 4, None]
    assert pauses((cut, 0, 0), (cut, 0, 0), (cut, 9, 0), (cut, 9, 0), (cut, 9, 0)) == [0.5, 1, 0.5, 1, 2]
    assert pauses((NOT_YET, 0, 1000), (NOT_YET, 0, 1099), (NOT_YET, 0, 1100)) == [4, 4, None]
    lags = [NOT_YET, refused(), refused("b"), NOT_YET]
    assert pauses(*zip(lags, [0] * 4, [1000, 1050, 1099, 1100], strict=True)) == [4, 4, 4, None]
    assert pauses((NOT_YET, 0, 1000), (cut, 9, 1050), (NOT_YET, 9, 1100), (NOT_YET, 9, 1199)) == [4, 0.5, 4, 4]
    assert pauses((api_error(Reason.RATE_LIMITED, 20), 0, 0), (api_error(Reason.SERVER, 31), 0, 0)) == [20, None]
