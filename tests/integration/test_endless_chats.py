"""Endless chat streams with any content: the time to read them grows linearly, and the memory hardly at all."""

from __future__ import annotations

import json
import time

import pytest

from airflow_provider_veo.api.chat.reader import ChatReader
from tests.support.memory_growth import measure_memory_growth

TEXTS = {
    "addresses of pages": "https://a.b/c ",
    "addresses of videos": "https://a.b/c.mp4 ",
    "open brackets": "http://a(",
    "an open bracket": "http://a(bcdefghijklmnop ",
    "many brackets": "http://a(b)(c)",
    "success": "success https://a.b/c\t",
    "blanks": "video" + " " * 1000,
    "only blanks": " ",
    "digits": "1",
    "decimals": "1.",
    "Chinese numbers": "第 1",
    "fences": "```\n",
    "a fence": "```",
    "short lines": "x\n",
    "line ends": "\n",
    "tags": "<",
    "brackets": "[",
    "objects": "{},",
    "quotes": '"',
    "backslashes": "\\",
    "words": "quota model video error ",
}


def as_event(body):
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def in_a_delta(text):
    return as_event({"choices": [{"delta": {"content": text}}]})


WAYS = {
    "one delta": lambda text: [in_a_delta(text)],
    "many deltas": lambda text: [in_a_delta(text[at : at + 50]) for at in range(0, len(text), 50)],
    "no JSON": lambda text: [b"data: " + text.replace("\n", "\ndata: ").encode() + b"\n\n"],
    "no events": lambda text: [text.encode()],
    "an error": lambda text: [as_event({"error": text})],
    "one byte a chunk": lambda text: [bytes([byte]) for byte in in_a_delta(text[: len(text) // 4])],
}
CHARACTERS = 10_000


def seconds_for(way, text, characters):
    chunks = WAYS[way]((text * (characters // len(text) + 1))[:characters])
    begun = time.process_time()
    reader = ChatReader("a prompt with https://a.b/frame.png", most=2)
    for chunk in chunks:
        drain(reader.feed(chunk))
    drain(reader.end())
    return time.process_time() - begun


def drain(events):
    for _ in events:
        pass


@pytest.mark.parametrize("way", WAYS)
def test_four_times_the_text_takes_four_times_the_time(way):
    """It would take sixteen times as long, if the time grew with the square of the length."""
    for name, text in TEXTS.items():
        less, more = (seconds_for(way, text, CHARACTERS * times) for times in (1, 4))
        assert more < 8 * less + 0.05, (name, less, more)


BOMBS = {
    "an endless line": """b"data: " + b"x" * 50_000_000""",
    "an endless line of no event": """b"x" * 50_000_000""",
    "endless lines": """b"x\\n" * 300_000""",
    "endless lines of one event": """"data: 画\\n".encode() * 200_000""",
    "an endless delta": """delta("😀" * 20_000) * 200""",
    "an endless fence": """delta("```\\n") + delta("画\\n" * 20_000) * 20""",
    "endless choices": """b"".join(delta("😀" * 60_000, index) for index in range(30))""",
    "many objects in one event": """b"data: [" + b"{}," * 349_000 + b"0]" """,
    "many videos": """delta("".join(f"https://a.b/{n}.mp4 x\\\\n" for n in range(30_000)))""",
    "many events": """delta("1 %\\\\n2 %\\\\n" * 50_000)""",
}
PREPARE = """
import json
from airflow_provider_veo.api.chat.reader import ChatReader

def delta(text, index=0):
    choice = {{"index": index, "delta": {{"content": text}}}}
    return b"data: " + json.dumps({{"choices": [choice]}}).encode() + b"\\n\\n"

data = {bomb} + b"\\n\\n"

def read():
    reader = ChatReader("a prompt", most=2)
    for at in range(0, len(data), 65_536):
        for _ in reader.feed(data[at : at + 65_536]):
            pass
    for _ in reader.end():
        pass

ChatReader("a prompt", most=2)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_an_endless_stream_takes_hardly_any_memory(name):
    said, growth = measure_memory_growth(PREPARE.format(bomb=BOMBS[name]), "read()")
    assert said == "done"
    assert growth < 64
