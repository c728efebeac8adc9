from __future__ import annotations

import hashlib
import io
from contextlib import contextmanager
from pathlib import Path

import pytest
from boxes import film
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.content import ContentStream
from airflow_provider_veo.api.download import DownloadPolicy, Patience, Source, download
from airflow_provider_veo.api.errors import (
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
from airflow_provider_veo.api.video import Video, VideoStatus

FILM = film(bytes(range(256)) * 40)
AT_ONCE = DownloadPolicy(content_timeout=0.05, content_poll_interval=0.01, retry_pause=0)


class Server:
    """Sends the file up to the next of `cuts` at each call, from the start or from where it is asked."""

    def __init__(self, *cuts, body=FILM, can_resume=True, announces=True, version='"a"'):
        self.cuts = list(cuts)
        self.body = body
        self.can_resume = can_resume
        self.announces = announces
        self.version = version
        self.asked = []
        self.sent = 0

    @contextmanager
    def open(self, resume):
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

    def source(self, seen=None):
        return Source(self.open, seen and (lambda: seen), "Downloading video v")


def fetch(server, policy=AT_ONCE, free=10**9, seen=None):
    file, told = io.BytesIO(), []
    done = download(server.source(seen), file, policy, lambda: free, told.append)
    assert (done.bytes, done.sha256) == (len(file.getvalue()), hashlib.sha256(file.getvalue()).hexdigest())
    return file.getvalue(), told


TENTHS = [len(FILM) * tenth // 10 for tenth in range(1, 10)]


@pytest.mark.parametrize("announces", [True, False])
def test_a_transfer_that_is_cut_at_each_tenth_goes_on(announces):
    server = Server(*TENTHS, announces=announces)
    content, told = fetch(server)
    assert content == FILM
    assert server.sent == len(FILM)
    assert [resume and resume.offset for resume in server.asked] == [None, *TENTHS]
    assert server.asked[1].version == '"a"'
    assert told[0] == f"connection reset Trying again in 0 s; {TENTHS[0]} bytes are there."


def test_where_the_server_cannot_go_on_it_begins_anew():
    server = Server(*TENTHS, can_resume=False)
    assert fetch(server)[0] == FILM
    assert server.sent == sum(TENTHS) + len(FILM)


@given(st.lists(st.integers(1, len(FILM) - 1), max_size=4), st.booleans(), st.booleans())
def test_whatever_is_cut_the_file_is_the_same(cuts, can_resume, announces):
    assert fetch(Server(*cuts, can_resume=can_resume, announces=announces))[0] == FILM


def test_it_is_given_up_when_nothing_new_arrives():
    server = Server(*[100] * 20, can_resume=False)
    with pytest.raises(TransportError):
        fetch(server)
    assert len(server.asked) == 5


def test_a_server_that_sends_byte_by_byte_is_given_up():
    server = Server(*range(1, 1000))
    with pytest.raises(TransportError):
        fetch(server)
    assert len(server.asked) == 100


def test_fewer_bytes_than_announced():
    server = Server()
    server._chunks = lambda start, _cut: iter([FILM[start : start + 4000]])
    assert fetch(server)[0] == FILM
    server._chunks = lambda *_: iter([b""])
    with pytest.raises(ContentCutError, match=f"0 of {len(FILM)} bytes"):
        fetch(server)


def test_a_file_that_is_not_whole_is_fetched_anew():
    server = Server(body=FILM[:-9])
    with pytest.raises(ContentChangedError, match="what the server sent is no whole video: its 'moov' box is cut"):
        fetch(server)
    assert server.asked == [None] * 5


def test_a_file_that_has_changed_is_fetched_anew():
    server = Server(4000, ContentChangedError("another one"))
    assert fetch(server)[0] == FILM
    assert [resume and resume.offset for resume in server.asked] == [None, 4000, None]


@pytest.mark.parametrize("announces", [True, False])
def test_more_than_allowed_is_not_taken(announces):
    server = Server(announces=announces)
    with pytest.raises(ContentTooLargeError, match="max_bytes=2000 allows no more") as caught:
        fetch(server, DownloadPolicy(max_bytes=2000))
    assert server.sent == (0 if announces else 3000)
    assert caught.value.permanent
    assert fetch(Server(announces=announces), DownloadPolicy(max_bytes=len(FILM)))[0] == FILM


def test_a_full_disk_is_seen_before():
    server = Server()
    with pytest.raises(StorageFullError, match=f"{len(FILM)} bytes are needed, 2000 are free"):
        fetch(server, free=2000)
    assert server.sent == 0
    rest = Server(8000)
    assert fetch(rest, free=len(FILM))[0] == FILM


def test_a_disk_that_becomes_full():
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(StorageFullError, match="has become full"):
        download(Server(announces=False).source(), Unseekable(full), AT_ONCE, lambda: 0, print)


class Unseekable:
    def __init__(self, file):
        self.write = file.write
        self.seek = self.truncate = lambda *_: 0


NOT_YET = ContentNotReadyError("not yet")


def test_content_that_lags_is_waited_for():
    server = Server(NOT_YET, NOT_YET, 4000, NOT_YET)
    assert fetch(server, DownloadPolicy(60, 0, 0))[0] == FILM


@pytest.mark.parametrize(
    ("seen", "error"),
    [
        (Video("v", VideoStatus.COMPLETED), ContentNotReadyError),
        (Video("v", VideoStatus.EXPIRED), ContentGoneError),
    ],
)
def test_content_that_never_comes_is_explained(seen, error):
    server = Server(*[NOT_YET] * 1000)
    with pytest.raises(error) as caught:
        fetch(server, seen=seen)
    assert type(caught.value) is error
    assert len(server.asked) > 1


def test_an_address_that_is_not_found():
    not_found = ContentNotReadyError("HTTP 404")
    not_found.__cause__ = ApiError("Downloading", reason=Reason.NOT_FOUND, status=404)
    with pytest.raises(ContentGoneError, match=r"\(HTTP 404\)\. Gateways keep a video for a day"):
        fetch(Server(*[not_found] * 1000))
    with pytest.raises(ContentNotReadyError):
        fetch(Server(*[NOT_YET] * 1000))


def api_error(reason, retry_after=None):
    return ApiError("Downloading", reason=reason, status=500, retry_after=retry_after)


@pytest.mark.parametrize("error", [ContentError("HTML"), api_error(Reason.FORBIDDEN), api_error(Reason.AUTHENTICATION)])
def test_what_will_not_pass_is_not_repeated(error):
    server = Server(error)
    with pytest.raises(type(error)):
        fetch(server)
    assert len(server.asked) == 1


def pauses(*steps):
    patience = Patience(DownloadPolicy(content_timeout=100, content_poll_interval=4, retry_pause=0.5))
    return [patience.pause(error, furthest, now) for error, furthest, now in steps]


def test_how_long_to_wait():
    cut = TransportError("cut")
    assert pauses(*[(cut, 0, 0)] * 5) == [0.5, 1, 2, 4, None]
    assert pauses((cut, 0, 0), (cut, 0, 0), (cut, 9, 0), (cut, 9, 0), (cut, 9, 0)) == [0.5, 1, 0.5, 1, 2]
    assert pauses((NOT_YET, 0, 1000), (NOT_YET, 0, 1099), (NOT_YET, 0, 1100)) == [4, 4, None]
    assert pauses((NOT_YET, 0, 1000), (cut, 9, 1050), (NOT_YET, 9, 1100), (NOT_YET, 9, 1199)) == [4, 0.5, 4, 4]
    assert pauses((api_error(Reason.RATE_LIMITED, 20), 0, 0), (api_error(Reason.SERVER, 31), 0, 0)) == [20, None]
