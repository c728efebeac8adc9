"""Headings and code blocks of the Markdown pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FILE = re.compile(r"# ((?:\w+/)+\w+\.py)\n")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: Text behind the fence. `{...}` is a directive of the documentation's builder.
        text: Content of the block.
        line: Line of the fence in the page, counted from 1.
    """

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """Path of the file that the reader must write, if the first line names one."""
        match = _FILE.match(self.text)
        return match[1] if match and self.language == "python" else None


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in their order."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [
        Block((token.info.split() or [""])[0], token.content, token.map[0] + 1)
        for token in tokens
        if token.type in ("fence", "code_block")
    ]


def headings(page: Path) -> list[tuple[str, str]]:
    """Return level and text of the headings of a page."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [
        (token.tag, tokens[index + 1].content) for index, token in enumerate(tokens) if token.type == "heading_open"
    ]
