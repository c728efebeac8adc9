"""The body of an answer: decompressed, and cut at its limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import partial

import pytest

from airflow_provider_veo.api.errors import UnpackError
from airflow_provider_veo.api.net.bodies import BLOCK, Body, make_unpacker
from airflow_provider_veo.api.net.limits import JSON_BYTES

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
def test_a_compressed_body_is_decompressed(coding, size):
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
def test_a_body_that_cannot_be_decompressed_becomes_an_explanation(coding, data):
    body = Body({"content-encoding": coding}, 1000)
    assert not body.take(data)
    assert bytes(body).startswith(b"The answer")
    assert len(bytes(body)) < 200
    assert bytes(body).decode().isprintable()
    with pytest.raises(UnpackError):
        list(make_unpacker({"content-encoding": coding})(data))


@pytest.mark.parametrize("length", [99, 100, 101, 5000])
def test_a_body_is_cut_at_its_limit(length):
    body = Body({}, 100)
    pieces = [b"x" * 33 for _ in range(length // 33)] + [b"x" * (length % 33)]
    wanted = [body.take(piece) for piece in pieces]
    assert body.is_cut is (length > 100)
    assert all(wanted) is (length <= 100)
    assert bytes(body) == b"x" * min(length, 100)


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
def test_a_compression_bomb_takes_bounded_memory(coding):
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


def test_a_stream_that_decompresses_to_nothing_is_cut():
    nothing = zlib.compressobj(wbits=-15).flush(zlib.Z_FULL_FLUSH)
    body = Body({"content-encoding": "deflate"}, 1000)
    assert body.take(b"\x78\x9c" + nothing)
    assert not body.take(nothing * 1000)
    assert body.is_cut
