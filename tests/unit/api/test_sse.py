from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api import sse
from airflow_provider_veo.api.errors import ContentError
from airflow_provider_veo.api.sse import EventDecoder


def decoded(*chunks):
    decoder = EventDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.feed(b"", final=True)


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"data: a\r\rdata: b\r\r", ["a", "b"]),
        (b"data:a\n\ndata:  b\n\n", ["a", " b"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data: a\r\ndata: b\r\n\r\n", ["a\nb"]),
        (b"data: a\r\ndata: b\n\ndata: c\n\n", ["a\nb", "c"]),
        (b": comment\n\nevent: x\nid: 1\nretry: 5\ndata: a\n\n:\n\n", ["a"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"data: a", ["a"]),
        (b"data: a\n", ["a"]),
        ("data: 画\u2028猫\x85\x0b\n\n".encode(), ["画\u2028猫\x85\x0b"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"data: \xe7\x8c", ["\ufffd"]),
        (b"", []),
        (b"\n\n\n", []),
    ],
)
def test_events(stream, events):
    assert decoded(stream) == events
    assert EventDecoder().feed(stream, final=True) == events
    assert all(decoded(stream[:at], stream[at:]) == events for at in range(len(stream)))
    assert decoded(*(stream[at : at + 1] for at in range(len(stream)))) == events


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_where_the_bytes_are_cut_does_not_matter(chunks):
    assert decoded(*chunks) == decoded(b"".join(chunks))


def test_lines_that_are_no_events_are_kept_apart():
    decoder = EventDecoder()
    assert decoder.feed(b'{\n"error": "no"\n}', final=True) == []
    assert decoder.strays == ["{", '"error": "no"', "}"]


def test_comments_and_other_fields_are_not_among_them():
    decoder = EventDecoder()
    assert decoder.feed(b": ping\nevent: x\nid: 1\nretry: 5\n\n", final=True) == []
    assert decoder.strays == []


@pytest.mark.parametrize("start", [b"data: ", b"", b"data: x\n", b"{"])
def test_an_endless_event_ends(monkeypatch, start):
    monkeypatch.setattr(sse, "EVENT_LIMIT", 1000)
    decoder = EventDecoder()
    decoder.feed(start)
    for _ in range(9):
        decoder.feed(b"y" * 100)
    with pytest.raises(ContentError, match="has an event of more than"):
        decoder.feed(b"y" * 101)


def test_sixteen_megabytes_are_the_most():
    event = b"data: " + b"y" * (16 * 2**20 - 6)
    assert EventDecoder().feed(event, final=True) == ["y" * (16 * 2**20 - 6)]
    with pytest.raises(ContentError, match="more than 16 MB"):
        EventDecoder().feed(event + b"y")


def test_a_long_stream_of_short_events_is_no_endless_event(monkeypatch):
    monkeypatch.setattr(sse, "EVENT_LIMIT", 1000)
    assert len(decoded(*[b"data: hello\n\n"] * 1000)) == 1000
