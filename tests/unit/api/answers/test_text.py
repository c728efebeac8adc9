"""Text of servers, made fit for databases and for people."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.text import MARK, is_plain_text, make_line, make_storable

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the prompt \ud83d was cut", f"the prompt {MARK} was cut"),
        ("a NUL \x00 here", f"a NUL {MARK} here"),
        ("\x1b[31mred\x9b0m", f"{MARK}[31mred{MARK}0m"),
        ("two\r\nlines\tand\u2028more\x85", "two lines and more"),
        ("evil \u202egpj.mp4\u202c", "evil gpj.mp4"),
        ("\ufeffmarked", "marked"),
        ("视频 with a whole emoji 😀", "视频 with a whole emoji 😀"),
        ("x" * 500, "x" * 500),
        ("x" * 501, "x" * 500 + "…"),
        ("x" * 5_000_000, "x" * 500 + "…"),
        ("", ""),
    ],
)
def test_a_text_for_people_is_one_bounded_line(text, shown):
    assert make_line(text) == shown


@given(ANY_TEXT, st.integers(0, 50))
def test_any_text_becomes_a_line_that_can_be_stored_and_read(text, limit):
    line = make_line(text, limit)

    assert len(line) <= limit + 1
    assert "\x00" not in line
    assert len(line.splitlines()) <= 1
    json.dumps(line, ensure_ascii=False).encode()


@given(ANY_TEXT)
def test_a_storable_text_stays_unchanged(text):
    kept = make_storable(text)

    kept.encode()
    assert "\x00" not in kept
    assert len(kept) == len(text)
    assert make_storable(kept) == kept


@pytest.mark.parametrize("text", ["", "video_1", "a b", "ünï😀", "https://a/b?c=d#e"])
def test_usual_names_and_addresses_are_plain_text(text):
    assert is_plain_text(text)


@pytest.mark.parametrize("character", ["\n", "\t", "\x00", "\x1b", "\x7f", "\x85", "\ud83d", "\u202e", "\u2028", MARK])
def test_one_odd_character_makes_a_text_not_plain(character):
    assert not is_plain_text(f"video{character}1")
