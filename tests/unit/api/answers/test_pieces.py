"""Texts that arrive in pieces are kept up to a limit."""

from __future__ import annotations

import re

import pytest

from airflow_provider_veo.api.answers.pieces import Head, Line, Lines


@pytest.mark.parametrize(
    ("pieces", "text", "is_cut"),
    [
        ([], "", False),
        (["abc", "de"], "abcde", False),
        (["abc", "def", "g"], "abcde", True),
        (["abcdef"], "abcde", True),
    ],
)
def test_a_text_is_kept_up_to_its_limit(pieces, text, is_cut):
    head = Head(5)
    for piece in pieces:
        head.add(piece)
    assert head.is_cut is is_cut
    assert head.take() == text
    assert not head.is_cut
    head.add("vwxyz")
    assert (head.is_cut, head.take()) == (False, "vwxyz")


def test_a_piece_that_is_cut_makes_the_text_cut():
    head = Head(5)
    head.add("a", is_cut=True)
    head.add("b")
    assert (head.is_cut, head.take()) == (True, "ab")


def test_the_room_for_more_characters_is_known():
    head = Head(5)
    head.add("abc")
    assert head.has_room(2)
    assert not head.has_room(3)


def test_lines_are_yielded_once_they_are_complete():
    lines = Lines(re.compile("\n"), limit=3)
    assert list(lines.feed("ab")) == []
    assert list(lines.feed("c\n\nabcd\ne")) == [
        Line("abc", is_cut=False),
        Line("", is_cut=False),
        Line("abc", is_cut=True),
    ]
    assert lines.rest() == Line("e", is_cut=False)
    assert lines.rest() == Line("", is_cut=False)
