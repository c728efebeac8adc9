"""How long a call may take and how much of it is read: arithmetic, by a clock that is given."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import partial

import pytest

from airflow_provider_veo.api.errors import UnpackError
from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.net.bodies import BLOCK, Body, unpacking
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.limits import ERROR_BYTES, HEAD_BYTES, JSON_BYTES, LEAST_RATE


class Watch:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def started(of):
    watch = Watch()
    return watch, Clock(of, now=watch)


def test_a_question_has_twenty_seconds_or_the_connections_timeout():
    assert (limits.of_question(60).whole, limits.of_question(5).whole) == (20, 5)


def test_a_question_ends_whatever_comes():
    watch, clock = started(limits.of_question(60))
    for _ in range(40):
        watch.now += 0.5
        clock.sent(1, since=watch.now - 0.5)
        clock.received(1, since=watch.now)
    assert clock.to_connect() <= 0
    assert clock.to_send() <= 0
    assert clock.to_receive() <= 0
    assert clock.is_over()
    assert clock.spent() == pytest.approx(20)


def test_an_order_is_given_time_from_its_last_byte_on():
    watch, clock = started(limits.of_order(60))
    for _ in range(100):
        watch.now += 30
        clock.sent(64 * 1024 * 10, since=watch.now - 30)
        assert clock.to_send() == 60
        assert clock.to_receive() == 60
    watch.now += 60
    clock.received(1, since=watch.now - 60)
    assert clock.to_receive() == 0
    assert not clock.is_over()


def test_an_order_is_broken_off_where_it_is_taken_too_slowly():
    watch, clock = started(limits.of_order(60))
    for _ in range(120):
        watch.now += 1
        clock.sent(LEAST_RATE // 2, since=watch.now - 1)
    assert clock.to_send() == 0


def test_a_video_may_take_as_long_as_it_is_not_slow():
    watch, clock = started(limits.of_content(60))
    clock.begin_body()
    for _ in range(10_000):
        watch.now += 59
        clock.received(LEAST_RATE * 59, since=watch.now - 59)
        assert clock.to_receive() == pytest.approx(60)
    for _ in range(200):  # what came fast is no credit for what drips
        watch.now += 0.4
        clock.received(1, since=watch.now - 0.4)
    assert clock.to_receive() < 0


def test_time_that_our_own_disk_takes_is_not_the_servers():
    watch, clock = started(limits.of_content(60))
    clock.begin_body()
    watch.now += 1000
    assert clock.to_receive() == 60


def test_the_head_of_a_video_has_an_end_as_any_answer():
    watch, clock = started(limits.of_content(60))
    clock.sent(100, since=watch.now)
    watch.now += 60
    clock.received(64, since=watch.now)
    assert clock.to_receive() == 0
    clock.begin_body()
    assert clock.to_receive() == 60


def test_a_chat_may_be_silent_until_its_own_time_is_over():
    watch, clock = started(limits.of_chat(60, whole=1200))
    clock.sent(100, since=watch.now)
    assert clock.to_receive() == 1200
    watch.now += 1200
    assert clock.to_receive() == 0


@pytest.mark.parametrize("whole", [1e9, 1e300])
def test_no_time_is_longer_than_a_socket_takes(whole):
    _, clock = started(limits.of_chat(1e12, whole))
    assert clock.to_connect() == clock.to_send() == clock.to_receive() == 86_400


def test_each_exchange_of_a_call_has_its_own_head_and_the_call_one_end():
    watch, clock = started(limits.of_frame())
    assert not clock.received(HEAD_BYTES + 1, since=watch.now)
    watch.now += 40
    clock.begin()
    assert clock.received(HEAD_BYTES, since=watch.now)
    assert clock.to_connect() == 20


def test_interim_answers_end_by_their_bytes_too():
    watch, clock = started(limits.of_question(20))
    assert clock.received(HEAD_BYTES, since=watch.now)
    assert not clock.received(1, since=watch.now)
    clock.begin_body()
    assert clock.received(10 * HEAD_BYTES, since=watch.now)


def test_of_an_error_less_is_read():
    for of in (limits.of_order(60), limits.of_frame()):
        assert of.most_bytes_of(200) == of.most_bytes
        assert of.most_bytes_of(400) == ERROR_BYTES


packed = partial(gzip.compress, mtime=0)  # so that the names of the tests are the same in each process

TEXT = b'{"id": "v", "status": "completed"}'
RAW = zlib.compressobj(wbits=-15)
PACKED = {
    "": TEXT,
    "identity": TEXT,
    "gzip": packed(TEXT),
    "X-GZip": packed(TEXT),
    "deflate": zlib.compress(TEXT),
    "Deflate ": RAW.compress(TEXT) + RAW.flush(),
    "gzip, gzip": packed(packed(TEXT)),
    "gzip,, identity,deflate": zlib.compress(packed(TEXT)),
}


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("coding", PACKED)
def test_what_is_packed_is_unpacked(coding, size):
    body, data = Body({"content-encoding": coding}, 1000), PACKED[coding]
    assert all(body.take(data[start : start + size]) for start in range(0, len(data), size))
    assert (bytes(body), body.is_cut) == (TEXT, False)


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("br", TEXT),
        ("zstd, gzip", packed(TEXT)),
        ("\x1b[31m" + "x" * 5000, TEXT),
        ("gzip", TEXT),
        ("deflate", TEXT),
        ("gzip", packed(TEXT)[:-8] + bytes(8)),
        ("gzip, gzip", packed(TEXT)),
        ("gzip, gzip, gzip, gzip", TEXT),
    ],
)
def test_what_cannot_be_unpacked_is_words_that_say_so(coding, data):
    body = Body({"content-encoding": coding}, 1000)
    assert not body.take(data)
    assert bytes(body).startswith(b"The answer")
    assert len(bytes(body)) < 200
    assert bytes(body).decode().isprintable()
    with pytest.raises(UnpackError):
        list(unpacking({"content-encoding": coding})(data))


@pytest.mark.parametrize("length", [99, 100, 101, 5000])
def test_a_body_is_cut_where_it_is_longer_than_its_limit(length):
    body = Body({}, 100)
    pieces = [b"x" * 33 for _ in range(length // 33)] + [b"x" * (length % 33)]
    wanted = [body.take(piece) for piece in pieces]
    assert body.is_cut is (length > 100)
    assert all(wanted) is (length <= 100)
    assert bytes(body) == b"x" * min(length, 100)


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
def test_a_bomb_takes_no_more_memory_than_its_limit_and_some_blocks(coding):
    bomb = packed(bytes(50 * 1024 * 1024))
    bomb = packed(bomb) if "," in coding else bomb
    tracemalloc.start()
    try:
        body = Body({"content-encoding": coding}, JSON_BYTES)
        assert not body.take(bomb)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert body.is_cut
    assert len(bytes(body)) == JSON_BYTES
    assert most < 2 * JSON_BYTES + 10 * BLOCK


def test_a_stream_that_unpacks_to_nothing_is_cut():
    nothing = zlib.compressobj(wbits=-15).flush(zlib.Z_FULL_FLUSH)
    body = Body({"content-encoding": "deflate"}, 1000)
    assert body.take(b"\x78\x9c" + nothing)
    assert not body.take(nothing * 1000)
    assert body.is_cut


def test_a_body_that_brings_no_bytes_of_a_video_ends():
    clock = Clock(limits.of_content(60.0))
    clock.begin_body()
    assert clock.received(limits.WASTE_BYTES, clock.now())
    assert not clock.received(1, clock.now())


def test_a_body_that_brings_a_video_goes_on():
    clock = Clock(limits.of_content(60.0))
    clock.begin_body()
    for _ in range(1_000):
        assert clock.received(65_536, clock.now())
        clock.used(65_536 // limits.MOST_WASTE)
