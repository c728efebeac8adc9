"""An answer that repeats its order: its long texts are cut, and the video is found behind them."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.content import embedded
from airflow_provider_veo.api.content.skimming import LONGEST_TEXT, Skim
from airflow_provider_veo.api.errors import ContentChangedError

MB = 1024 * 1024
VIDEO = b"\0\0\0\x18ftypisom" + bytes(range(256)) * 300
OTHER = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 300
STEPS = [1, 2, 3, 5, 7, 64, 4096, 65_536, 10 * MB]


def text_of(content):
    return base64.b64encode(content).decode()


def skim(body, step=65_536, *, most_kept=MB, most_read=32 * MB):
    return Skim(
        iter([body[at : at + step] for at in range(0, len(body), step)]), most_kept=most_kept, most_read=most_read
    )


def read(body, step=65_536, is_content=lambda _head: True):
    found = skim(body, step).find_video(is_content)
    return None if found is None else b"".join(embedded.decode(found))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("size", [45, 3_000, LONGEST_TEXT * 3 // 4, LONGEST_TEXT * 3 // 4 + 3, 76_000])
@pytest.mark.parametrize(
    "spell", [str, lambda text: text.replace("/", "\\/"), lambda text: text.replace("+", "\\u002b")]
)
def test_a_video_of_any_length_is_found_in_chunks_of_any_length(step, size, spell):
    video = VIDEO[:size]
    body = f'{{"a": [1, "x\\\\"], "v": "{spell(text_of(video))}", "z": "y"}}'.encode()
    assert read(body, step) == video


@pytest.mark.parametrize("step", [4096, 65_536])
def test_a_video_is_found_behind_large_pictures(step):
    picture = text_of(b"\x89PNG" + bytes(10 * MB))
    assert (
        read(json.dumps({"frames": [picture, picture.replace("/", "\\/")], "v": text_of(VIDEO)}).encode(), step)
        == VIDEO
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_video_that_does_not_count_is_passed_over(step):
    body = json.dumps({"input": text_of(OTHER), "output": text_of(VIDEO)}).encode()
    assert read(body, step, lambda head: b'"output"' in head) == VIDEO
    assert read(body, step) == OTHER
    assert read(body, step, lambda _head: False) is None


@pytest.mark.parametrize("step", STEPS)
def test_the_short_texts_of_an_answer_are_kept(step):
    body = {"id": "v1", "data": text_of(bytes(90_000)), "more": 'a "quoted" \\ text', "uri": "https://x/é", "n": [1.5]}
    one = skim(json.dumps(body).encode(), step)
    assert one.find_video(lambda _head: True) is None
    kept = json.loads(bytes(one))
    assert kept.pop("data") == "A" * LONGEST_TEXT
    assert kept == {name: value for name, value in body.items() if name != "data"}
    assert not one.is_cut


@pytest.mark.parametrize("escape", ["\\\\", "\\n", "\\u00e9", '\\"', "\\/"])
@pytest.mark.parametrize("before", range(8))
def test_a_text_is_never_cut_within_an_escape(escape, before):
    body = '{"a": "' + "x" * (LONGEST_TEXT - before) + escape * 20 + '", "b": 1}'
    one = skim(body.encode())
    one.find_video(lambda _head: True)
    assert json.loads(bytes(one))["b"] == 1


def test_a_video_that_breaks_off_is_to_be_asked_for_again():
    for size in (60, 1000, 60_000):
        with pytest.raises(ContentChangedError, match="before the text did"):
            read(f'{{"v": "{text_of(VIDEO)[:size]}'.encode())


def test_an_endless_answer_is_read_and_kept_within_limits():
    def endless(piece):
        while True:
            yield piece

    for piece in (b"x" * 65_536, b'"k": "v", ' * 6_000, b"\\" * 65_535):
        for start in (b'{"a": "', b"{"):
            chunks = iter([start])
            one = Skim((c for source in (chunks, endless(piece)) for c in source), most_kept=MB, most_read=4 * MB)
            assert one.find_video(lambda _head: True) is None
            assert one.is_cut
            assert len(bytes(one)) <= MB


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_are_skimmed(noise, step):
    one = skim(b'{"a": ' + noise, step, most_kept=10_000)
    if one.find_video(lambda _head: True) is None:
        assert bytes(one) == b'{"a": ' + noise or noise.endswith(b"\\") or b"\\" in noise
