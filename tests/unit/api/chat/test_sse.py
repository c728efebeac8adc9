"""The decoding of server-sent events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.chat import sse
from airflow_provider_veo.api.chat.limits import EVENT_LIMIT
from airflow_provider_veo.api.chat.sse import EventDecoder


def decode(*chunks):
    decoder = EventDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [*events, *decoder.feed(b"", final=True)]


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
def test_events_are_decoded_however_their_bytes_are_cut(stream, events):
    assert decode(stream) == events
    assert list(EventDecoder().feed(stream, final=True)) == events
    assert all(decode(stream[:at], stream[at:]) == events for at in range(len(stream)))
    assert decode(*(stream[at : at + 1] for at in range(len(stream)))) == events


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_any_bytes_are_decoded_the_same_however_they_are_cut(chunks):
    assert decode(*chunks) == decode(b"".join(chunks))


def test_lines_outside_of_events_are_kept_separately():
    decoder = EventDecoder()
    assert list(decoder.feed(b'{\n"error": "no"\n}', final=True)) == []
    assert decoder.strays.take() == '{\n"error": "no"\n}\n'


def test_comments_and_other_fields_are_dropped():
    decoder = EventDecoder()
    assert list(decoder.feed(b": ping\nevent: x\nid: 1\nretry: 5\n\n", final=True)) == []
    assert decoder.strays.take() == ""


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(sse, "EVENT_LIMIT", 1000)


@pytest.mark.parametrize(
    "event",
    [
        b"data: " + b"y" * 1000,
        b"data: x\ndata: " + b"y" * 998,
        b"data: x\n" * 501,
        b"data: \n" * 1001,
        b"data: " + "画".encode() * 1000,
    ],
)
def test_an_event_over_the_limit_is_dropped_and_the_next_is_read(small, event):
    decoder = EventDecoder()
    stream = b"data: a\n\n" + event + b"\n\ndata: b\n\n"
    assert list(decoder.feed(stream)) == ["a", "b"]
    assert decoder.too_long == 1


def test_an_event_has_at_most_a_megabyte():
    event = "y" * (EVENT_LIMIT - 6)
    assert decode(f"data: {event}".encode()) == [event]
    assert decode(f"data: {event}y".encode()) == []


def test_the_beginning_of_a_body_without_events_is_kept(small):
    decoder = EventDecoder()
    for _ in range(30):
        assert list(decoder.feed(b"y" * 99 + b"\n")) == []
    assert decoder.strays.take() == ("y" * 99 + "\n") * 10


def test_a_long_stream_of_short_events_is_decoded(small):
    assert len(decode(*[b"data: hello\n\n"] * 1000)) == 1000
