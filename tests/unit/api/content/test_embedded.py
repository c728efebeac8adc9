"""A video inside a JSON answer: it is found by the beginning of its text, and decoded from every spelling."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.content.embedded import decode, find_start
from airflow_provider_veo.api.errors import ContentChangedError, TransportError

VIDEO = b"\0\0\0\x18ftypisom" + bytes(range(256)) * 3
TEXT = base64.b64encode(VIDEO).decode()


def read(body, step):
    start = find_start(body)
    assert start is not None
    rest = body[start:]
    return b"".join(decode(iter([rest[at : at + step] for at in range(0, len(rest), step)])))


def bodies():
    url_alphabet = base64.urlsafe_b64encode(VIDEO).decode()
    in_lines = "\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76))
    for text in (TEXT, TEXT.rstrip("="), url_alphabet, in_lines, f"data:video/mp4;base64,{TEXT}"):
        yield json.dumps({"data": [{"b64_json": text}], "created": 1}).encode()
    yield json.dumps({"id": "video_1", "thumbnail": TEXT[24:], "metadata": {"url": f"data:;base64,{TEXT}"}}).encode()
    yield json.dumps({"v": TEXT}).replace("/", "\\/").encode()
    yield json.dumps({"v": TEXT}).replace("/", "\\u002F").replace("+", "\\u002b").replace("=", "\\u003d").encode()


@pytest.mark.parametrize("body", list(bodies()))
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 64, 10_000])
def test_the_video_is_the_same_however_it_is_written_and_cut(body, step):
    assert read(body, step) == VIDEO


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"url": "https://files.example.com/a.mp4"}',
        json.dumps({"b64_json": base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(90)).decode()}).encode(),
        b'{"ftyp": "AAAAGGZ0eXBp',
        TEXT.encode(),
    ],
)
def test_no_video_is_found_in_other_answers(body):
    assert find_start(body) is None


def test_a_text_that_breaks_off_is_to_be_asked_for_again():
    with pytest.raises(ContentChangedError, match="before the text did"):
        list(decode(iter([TEXT[:100].encode()])))


def test_a_connection_that_breaks_off_is_to_be_asked_for_again():
    def chunks():
        yield TEXT[:100].encode()
        raise TransportError("the connection was lost")

    with pytest.raises(ContentChangedError, match="the connection was lost"):
        list(decode(chunks()))


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(noise):
    find_start(b'{"a": "' + noise)
    try:
        for block in decode(iter([noise, b'"'])):
            assert isinstance(block, bytes)
    except ContentChangedError:
        pass


@pytest.mark.parametrize("escape", [b"\\u0020", b"\\n", b"\\t", b"\\u00ff"])
def test_a_text_with_escapes_is_not_a_video(escape):
    assert find_start(b'{"error": "' + b"AAAA" * 3 + escape * 8 + b"AAAAAAAAAAAAAAAA" + b'"}') is None
