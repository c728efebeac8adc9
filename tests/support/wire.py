"""Requests of official clients, and answers of servers, as they were recorded: `tests/wire/<backend>.json`."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from airflow_provider_veo.api.answers.answer import Answer

_FOLDER = Path(__file__).parents[1] / "wire"
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{200,}={0,2}")
_SHORTENED = re.compile(r"<base64, (\d+) characters>")


@cache
def read_pairs(backend: str) -> dict[str, dict[str, Any]]:
    """Return the recorded pairs of a backend by name, which begins with a number."""
    pairs = json.loads((_FOLDER / f"{backend}.json").read_text(encoding="utf-8"))
    return {pair["name"]: pair for pair in pairs}


def shorten(value: Any) -> Any:
    """Return a JSON value with base64 as the recorder has shortened it."""
    if isinstance(value, dict):
        return {name: shorten(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shorten(part) for part in value]
    is_long = isinstance(value, str) and _BASE64.fullmatch(value)
    return f"<base64, {len(value)} characters>" if is_long else value


def lengthen(text: str) -> str:
    """Return a JSON text with base64 of the beginning of an MP4 file in the places that the recorder has shortened."""
    return _SHORTENED.sub(lambda found: "AAAAIGZ0eXBpc29tAAACAGlzb20".ljust(int(found[1]), "A"), text)


def make_answer(pair: dict[str, Any], method: str = "POST") -> Answer:
    """Return the recorded answer of a pair."""
    body = pair["answer"]["body"]
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(pair["answer"]["status"], lengthen(text), pair["answer"]["headers"], method=method)
