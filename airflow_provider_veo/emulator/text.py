"""Draw text on pictures, in every script that this machine has a font for."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FONT_FOLDERS = {
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": (os.path.expandvars(r"%WINDIR%\Fonts"),),
}
_LINUX_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
_MOST_FONTS = 400
_MOST_LETTERS = 600
_NO_SUCH_CHARACTER = "\U0010ffff"
_WORD = re.compile(r"[\u2e80-\uffef]|\s+|[^\s\u2e80-\uffef]+")


def select_drawable(text: str, size: int) -> tuple[str, Font]:
    """Return the part of a text that can be drawn, and a font for it.

    Characters without a glyph would be empty boxes. They are left out, and their number is added at the end.

    Args:
        text: Text that is to be drawn.
        size: Size of the letters in pixels.
    """
    text = " ".join(text.split())
    if len(text) > _MOST_LETTERS:
        text = text[:_MOST_LETTERS] + "…"
    font, covered = _best_font(frozenset(text), size)
    kept = "".join(character for character in text if character in covered)
    missing = len(text) - len(kept)
    if missing:
        noun = "character" if missing == 1 else "characters"
        kept = f"{' '.join(kept.split())} ({missing} {noun} that this machine has no font for)".strip()
    return kept, font


def wrap(text: str, font: Font, width: int) -> list[str]:
    """Break a text into lines between words, and anywhere in Chinese or Japanese.

    Args:
        text: Text without line breaks.
        font: Font of the text.
        width: Largest width of a line in pixels.
    """
    lines, line = [], ""
    for word in _WORD.findall(text):
        for piece in _pieces(word, font, width):
            if line and font.getlength(line + piece) > width:
                lines.append(line.strip())
                line = ""
            line += piece
    return [one for one in (*lines, line.strip()) if one]


def draw_lines(draw: ImageDraw.ImageDraw, lines: list[str], font: Font, area: tuple[int, int, int, int]) -> None:
    """Draw as many lines as fit into an area, from its top.

    Args:
        draw: Picture to draw on.
        lines: Lines of the text.
        font: Font of the text.
        area: Left, top, right and bottom of the area in pixels.
    """
    left, top, _, bottom = area
    height = int(getattr(font, "size", 20) * 1.35)
    room = max(1, (bottom - top) // height)
    shown = lines if len(lines) <= room else [*lines[: room - 1], lines[room - 1] + " …"]
    for number, line in enumerate(shown):
        draw.text((left, top + number * height), line, font=font, fill=(255, 255, 255))


def _pieces(word: str, font: Font, width: int) -> Iterator[str]:
    while len(word) > 1 and font.getlength(word) > width:
        size = max(1, int(len(word) * width / font.getlength(word)))
        yield word[:size]
        word = word[size:]
    yield word


@lru_cache(maxsize=64)
def _best_font(characters: frozenset[str], size: int) -> tuple[Font, frozenset[str]]:
    """Return the font with most of these characters, and those that it has. Pillow's own font is preferred."""
    # the note about left-out characters needs Latin letters
    wanted = characters | frozenset("characters()")
    best: tuple[Font, frozenset[str]] = (font := ImageFont.load_default(size), _covered(font, wanted))
    for path in _font_files():
        if best[1] == wanted:
            break
        try:
            font = ImageFont.truetype(str(path), size)
        except (OSError, ValueError):
            continue
        covered = _covered(font, wanted)
        if len(covered) > len(best[1]):
            best = (font, covered)
    return best


def _covered(font: Font, characters: frozenset[str]) -> frozenset[str]:
    try:
        empty_box = bytes(font.getmask(_NO_SUCH_CHARACTER))
        return frozenset(one for one in characters if one.isspace() or _has_glyph(font, one, empty_box))
    except (OSError, ValueError):  # a bitmap font of another size, or a broken file
        return frozenset()


def _has_glyph(font: Font, character: str, empty_box: bytes) -> bool:
    mask = font.getmask(character)
    return mask.getbbox() is not None and bytes(mask) != empty_box


@lru_cache(maxsize=1)
def _font_files() -> tuple[Path, ...]:
    folders = _FONT_FOLDERS.get(sys.platform, _LINUX_FONT_FOLDERS)
    found = (
        path
        for folder in folders
        for path in Path(folder).expanduser().rglob("*")
        if path.suffix.lower() in (".ttf", ".otf", ".ttc")
    )
    return tuple(sorted(path for _, path in zip(range(_MOST_FONTS), found, strict=False)))
