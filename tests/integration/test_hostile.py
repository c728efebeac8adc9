"""Servers that send without end, or hardly at all: every call has an end, and a bound on the memory that it takes."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hostile_server import BOMBS, DRIPS, HostileServer
from pictures import picture
from servers import KEY, connect

from airflow_provider_veo.api import requests
from airflow_provider_veo.api.client import AsyncVeoClient, VeoClient
from airflow_provider_veo.api.errors import TooSlowError, VeoError
from airflow_provider_veo.api.frames import Frame
from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.requests import ChatSpec, VideoSpec
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.frames import load_frame
from airflow_provider_veo.hooks.veo import VeoHook, _judge
from airflow_provider_veo.triggers.video import VeoVideoTrigger

SECONDS = 1.0
"""The `timeout` of the connection, from which the end of each call follows."""

LATE = 2.0
MEMORY = 64 * 2**20

Call = Callable[[str], object]


def settings(url, **others):
    return ClientSettings(url, KEY, timeout=SECONDS, **others)


def blocking(do, **others) -> Call:
    def call(url):
        with VeoClient(settings(url, **others)) as client:
            return do(client)

    return call


def in_a_loop(do) -> Call:
    def call(url):
        async def run():
            async with AsyncVeoClient(settings(url)) as client:
                return await do(client)

        return asyncio.run(run())

    return call


def content(client):
    with client.open_content(video_id="v") as stream:
        return sum(map(len, stream.chunks))


async def chat(client):
    return [event async for event in client.stream_chat(ChatSpec("p", "m"), timeout=SECONDS)]


def tested(client):
    well, said = _judge(client)
    if not well:
        raise VeoError(said)


FRAMES = VideoSpec("p", "m", first_frame=Frame.from_bytes(picture("PNG"), "first_frame"))
CALLS: dict[str, Call] = {
    "order": blocking(lambda client: client.create_video(VideoSpec("p", "m"))),
    "order as a form": blocking(lambda client: client.create_video(FRAMES)),
    "async order": in_a_loop(lambda client: client.create_video(VideoSpec("p", "m"))),
    "status": blocking(lambda client: client.get_video("v")),
    "async status": in_a_loop(lambda client: client.get_video("v")),
    "content": blocking(content),
    "frame": lambda url: load_frame(f"{url}/cat.png", "first_frame"),
    "test of the connection": blocking(tested),
    "models": blocking(lambda client: client.call(requests.list_models())),
    "cancel": blocking(lambda client: client.cancel_video("v")),
    "async cancel": in_a_loop(lambda client: client.cancel_video("v")),
    "chat": blocking(lambda client: list(client.stream_chat(ChatSpec("p", "m"), timeout=SECONDS))),
    "async chat": in_a_loop(chat),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture(autouse=True)
def short_frames(monkeypatch):
    monkeypatch.setattr(limits, "FRAME_SECONDS", SECONDS)


def how_it_ends(call, answer):
    """Return the error that a call ends with, None if there is none, and the seconds that it took."""
    with HostileServer(lambda _line: answer) as server:
        begun = time.monotonic()
        try:
            call(server.url)
        except VeoError as error:
            return error, time.monotonic() - begun
        return None, time.monotonic() - begun


def peak():
    """Return the most memory that this process has had since the last call, and what it has now, in bytes."""
    status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    Path("/proc/self/clear_refs").write_text("5")
    return tuple(1024 * int(status[name].split()[0]) for name in ("VmHWM", "VmRSS"))


@every_call
def test_an_answer_without_end_takes_little_memory_and_time(call):
    for name, answer in BOMBS.items():
        gc.collect()
        peak()
        _, before = peak()
        error, seconds = how_it_ends(call, answer)
        most, _ = peak()
        assert most - before < MEMORY, name
        assert seconds < SECONDS + LATE, (name, error)
        assert error is None or len(str(error)) < 2000, name


@every_call
def test_a_call_ends_however_slowly_the_server_sends(call):
    with ThreadPoolExecutor(len(DRIPS)) as threads:
        ends = dict(zip(DRIPS, threads.map(lambda answer: how_it_ends(call, answer), DRIPS.values()), strict=True))
    # a film's head has an end of its own, and its bytes have another one
    latest = (2 * SECONDS if call is CALLS["content"] else SECONDS) + LATE
    for name, (error, seconds) in ends.items():
        assert isinstance(error, VeoError), name
        assert seconds < latest, (name, error)


def test_a_film_that_drips_can_be_gone_on_with(tmp_path, monkeypatch):
    """What came of it is kept, and a download that is always too slow is given up."""
    monkeypatch.setattr(VeoHook, "retry_pause", 0.01)
    asked = []

    def answer(line):
        asked.append(line)
        return DRIPS["film that drips"]

    with HostileServer(answer) as server:
        connect(monkeypatch, server.url, timeout=0.3)
        with pytest.raises(TooSlowError):
            VeoHook().download_video(tmp_path / "a.mp4", video_id="v")
    assert len(asked) == 5
    assert list(tmp_path.iterdir()) == []


def test_an_order_on_a_slow_line_is_not_broken_off(monkeypatch):
    """However long its sending takes: the time for the answer begins with the last byte."""


RUNNING = b'{"id": "v", "status": "processing"}'
DONE = b'{"id": "v", "status": "completed"}'


def trigger(video_id):
    now = time.time()
    return VeoVideoTrigger(
        conn_id="veo_default", video_id=video_id, submitted_at=now, deadline=now + 60, poll_interval=0.05
    )


async def outcome_of(one):
    async for event in one.run():
        return event.payload
    return None


@pytest.mark.parametrize("kind", DRIPS)
async def test_a_job_is_asked_in_time_beside_three_sick_ones_for_each_slot(monkeypatch, kind):
    slots = 2

    def answer(line):
        sick = "/sick" in line
        return (
            DRIPS[kind] if sick else lambda: iter([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(DONE) + DONE])
        )

    with HostileServer(answer) as server:
        connect(monkeypatch, server.url, timeout=30)
        monkeypatch.setenv("AIRFLOW__VEO__MAX_IN_FLIGHT_POLLS", str(slots))
        sick = [asyncio.create_task(outcome_of(trigger(f"sick{number}"))) for number in range(3 * slots)]
        while len(server.heard) < slots:
            await asyncio.sleep(0.01)
        begun = time.monotonic()
        assert (await outcome_of(trigger("well")))["kind"] == "completed"
        assert time.monotonic() - begun < 10  # the sick calls end after 20 s
        assert len(server.heard) == 3 * slots + 1
        for one in sick:
            one.cancel()
        await asyncio.gather(*sick, return_exceptions=True)
