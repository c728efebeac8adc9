"""Text of servers, made fit for people."""

from __future__ import annotations


def for_people(text: str, limit: int = 500) -> str:
    """Return a text as one line that people can read."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 10 * limit]).split())
    return line if len(line) <= limit else line[:limit] + "…"
