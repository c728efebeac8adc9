"""Texts of servers and of people, made fit to be stored and read."""

from __future__ import annotations

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def storable(text: str) -> str:
    """Return a text that UTF-8, JSON and PostgreSQL take: without NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def for_people(text: str, limit: int) -> str:
    """Return a text to be shown: storable, without control characters, and not longer than a limit in letters."""
    text = _CONTROLS.sub("", storable(text[: limit + 1]))
    return text if len(text) <= limit else text[: limit - 1] + "…"
