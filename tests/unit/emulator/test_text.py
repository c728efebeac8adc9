"""Text on pictures."""

from __future__ import annotations

import pytest

from airflow_provider_veo.emulator.text import select_drawable, wrap

NO_FONT_HAS_IT = "\U000e0fff"


def empty_boxes(text, font):
    box = bytes(font.getmask("\U0010ffff"))
    return [one for one in text if not one.isspace() and bytes(font.getmask(one)) == box]


@pytest.mark.parametrize("prompt", ["A cat", "画只猪在天上飞", "кошка и 🐈", "قطة", f"a{NO_FONT_HAS_IT}b", "", "\n"])
def test_no_empty_box_is_drawn(prompt):
    text, font = select_drawable(prompt, 30)
    assert empty_boxes(text, font) == []


def test_characters_without_a_glyph_are_counted():
    assert select_drawable(f"cat {NO_FONT_HAS_IT}", 30)[0] == "cat (1 character that this machine has no font for)"
    assert select_drawable(2 * NO_FONT_HAS_IT, 30)[0] == "(2 characters that this machine has no font for)"


@pytest.mark.parametrize("prompt", ["word " * 50, "画" * 100, "x" * 500, "a b 画 c " * 30])
def test_lines_fit_and_no_text_is_lost(prompt):
    text, font = select_drawable(prompt, 30)
    lines = wrap(text, font, 400)
    assert max(font.getlength(line) for line in lines) <= 400
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
