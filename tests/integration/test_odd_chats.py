"""Odd values in the answers of chat calls: the reader's events can always be logged and stored."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from airflow_provider_veo.api.chat.events import End, VideoReady
from airflow_provider_veo.api.chat.reader import ChatReader
from tests.support.odd_values import ODD_VALUES, dumped, with_odd_leaves

DOCUMENTED = (Path(__file__).parents[1] / "data" / "veo_gateway_chat_stream.txt").read_text(encoding="utf-8")
RECORDED = [json.loads(line.removeprefix("data: ")) for line in DOCUMENTED.splitlines() if line.startswith("data: {")]
URL = "https://cdn.example/v/1.mp4?sig=x%2By"
CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_762_181_811, "model": "veo-3.1-fast"}
BODIES = {
    "the echo": RECORDED[1],
    "progress": RECORDED[3],
    "a video": RECORDED[-2],
    "the end": RECORDED[-1],
    "thoughts": CHUNK | {"choices": [{"index": 0, "delta": {"reasoning_content": "Progress: 50%\n"}}]},
    "parts": CHUNK
    | {
        "choices": [
            {
                "index": 1,
                "delta": {
                    "content": [{"type": "text", "text": "done"}, {"type": "video_url", "video_url": {"url": URL}}]
                },
            }
        ]
    },
    "a whole answer": {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": f"✅ {URL}"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    },
    "an error": {"error": {"message": "upstream busy", "type": "server_error", "code": "busy"}},
    "an error of new-api": {"code": "quota_not_enough", "message": '{"error": {"message": "no money"}}', "data": None},
    "an error of FastAPI": {"detail": [{"loc": ["body", "prompt"], "msg": "Field required", "type": "missing"}]},
    "an address": {"status": "completed", "data": {"task_result": {"videos": [{"url": URL}]}}},
}
FENCED = {"an echo in a fence": {"prompt": "a cat", "mode": "portrait"}, "an address in a fence": {"video_url": URL}}
FOLLOWING_URL = "https://cdn.example/v/2.mp4"
FOLLOWING = {"choices": [{"index": 0, "delta": {"content": f"\n✅ {FOLLOWING_URL}\n"}}]}


def in_fence(body):
    text = f"```json\n{dumped(body).decode()}\n```\n"
    return CHUNK | {"choices": [{"index": 0, "delta": {"content": text}}]}


def as_event(body):
    return b"data: " + dumped(body) + b"\n\n"


def cut(stream, dice):
    """Cut a stream into pieces at some 20 random places."""
    places = sorted(dice.randrange(len(stream) + 1) for _ in range(20))
    return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]


def read(*chunks):
    reader = ChatReader("a prompt", "https://cdn.example/frame.png", most=2)
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return [*events, *reader.end()]


def assert_harmless(event):
    text = json.dumps(asdict(event), ensure_ascii=False, allow_nan=False)
    json.dumps(asdict(event), allow_nan=False).encode()
    assert len(text.encode()) < 50_000
    for value in asdict(event).values():
        if isinstance(value, str):
            assert not [letter for letter in value if unicodedata.category(letter) in ("Cc", "Cs")]
            assert not re.search("[\u202a-\u202e\u2066-\u2069]", value)


def ways_to_send(body, dice):
    """Return streams as chunks: the body as an event before a video, whole and cut, and the body as a whole answer."""
    stream = as_event(body) + as_event(FOLLOWING)
    if len(stream) > 1_000_000:
        return [cut(stream, dice)]
    return [[stream], cut(stream, dice), [dumped(body)]]


def test_an_odd_value_hides_no_video_and_makes_no_harmful_event():
    """Each odd value replaces each leaf of each answer. The video that follows is always found."""
    dice, tried = random.Random(17), Counter()
    cases = [(name, place, body) for name, whole in BODIES.items() for place, _, body in with_odd_leaves(whole)]
    cases += [
        (name, place, in_fence(body)) for name, whole in FENCED.items() for place, _, body in with_odd_leaves(whole)
    ]
    for name, place, body in cases:
        streams = [read(*chunks) for chunks in ways_to_send(body, dice)]
        for events in streams:
            assert isinstance(events[-1], End), (name, place)
            assert sum(isinstance(event, VideoReady) and not event.instead_of for event in events) <= 2
            for event in events:
                assert_harmless(event)
        assert all(has_next_video(events) for events in streams[:2]), (name, place)
        tried[name, place] += 1
    assert len(tried) > 100
    assert set(tried.values()) == {len(ODD_VALUES)}
    print(f"chat: {len(tried)} places, {len(ODD_VALUES)} values, {sum(tried.values())} answers, each sent in 3 ways")  # noqa: T201 - the numbers show what was tried


def has_next_video(events):
    return any(isinstance(event, VideoReady) and event.url == FOLLOWING_URL for event in events)
