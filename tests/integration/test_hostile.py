"""Servers that send without end, or hardly at all: every call has an end, and a bound on the memory that it takes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_provider_veo.api.backends.openai import requests
from airflow_provider_veo.api.backends.openai.probe import check_api
from airflow_provider_veo.api.client import AsyncVeoClient, VeoClient
from airflow_provider_veo.api.errors import NotSentError, Reason, TooSlowError, TransportError, VeoError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.storage.frames import load_frame
from airflow_provider_veo.triggers import shared_client
from airflow_provider_veo.triggers.video import VeoVideoTrigger
from tests.support.hostile_server import BOMBS, DRIPS, HostileServer, whole
from tests.support.pictures import picture
from tests.support.servers import KEY, connect

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


def check(client):
    passes, sentence = check_api(client.call, client.settings.base_url, sends_key=True)
    if not passes:
        raise VeoError(sentence)


FRAMES = VideoSpec("p", "m", first_frame=Frame.from_bytes(picture("PNG"), "first_frame"))
CALLS: dict[str, Call] = {
    "order": blocking(lambda client: client.create_video(VideoSpec("p", "m"))),
    "order as a form": blocking(lambda client: client.create_video(FRAMES)),
    "async order": in_a_loop(lambda client: client.create_video(VideoSpec("p", "m"))),
    "status": blocking(lambda client: client.get_video("v")),
    "async status": in_a_loop(lambda client: client.get_video("v")),
    "content": blocking(content),
    "frame": lambda url: load_frame(f"{url}/cat.png", "first_frame"),
    "test of the connection": blocking(check),
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
    gc.collect()
    for name, answer in BOMBS.items():
        peak()
        _, before = peak()
        error, seconds = how_it_ends(call, answer)
        most, _ = peak()
        assert most - before < MEMORY, name
        assert seconds < SECONDS + LATE, (name, error)
        assert not isinstance(error, TransportError) or len(str(error)) < 300, name


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


class SlowReader:
    """Takes an order of several megabytes slowly, and answers it. A context manager.

    Args:
        rate: bytes a second.
    """

    def __init__(self, rate: float) -> None:
        self._pause, self._block = 0.02, int(0.02 * rate)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            connection, _ = self._socket.accept()
            with connection:
                taken = b""
                while b"\r\n\r\n" not in taken:
                    taken += connection.recv(1000)
                head, _, body = taken.partition(b"\r\n\r\n")
                left = int(re.search(rb"(?i)content-length: (\d+)", head)[1]) - len(body)
                while left:
                    time.sleep(self._pause)
                    left -= len(connection.recv(min(left, self._block)))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(RUNNING) + RUNNING)


LARGE = VideoSpec("p", "m", extra_body={"picture": "x" * 12_000_000})
orders = pytest.mark.parametrize(
    "order",
    [blocking(lambda client: client.create_video(LARGE)), in_a_loop(lambda client: client.create_video(LARGE))],
    ids=["sync", "async"],
)


@orders
def test_an_order_on_a_slow_line_is_not_broken_off(order):
    """Its sending takes longer than any `timeout`: the time for the answer begins with the last byte."""
    with SlowReader(rate=5_000_000) as server:
        begun = time.monotonic()
        assert order(server.url).id == "v"
        assert time.monotonic() - begun > 1.5 * SECONDS


@orders
def test_an_order_that_is_hardly_taken_is_broken_off(order):
    with SlowReader(rate=100) as server, pytest.raises(TooSlowError, match="WriteTimeout after") as caught:
        order(server.url)
    assert not isinstance(caught.value, NotSentError)  # a part of it has arrived


@pytest.mark.parametrize("call", [CALLS["order"], CALLS["async order"]])
def test_what_was_never_sent_is_said_to_be_so(call):
    """Silence where the connection is encrypted; a host with no one to answer at any of its addresses."""
    with HostileServer(lambda _line: DRIPS["silence"]) as server:
        begun = time.monotonic()
        with pytest.raises(NotSentError, match="ConnectTimeout after"):
            call(server.url.replace("http:", "https:"))
        assert time.monotonic() - begun < SECONDS + LATE


@pytest.mark.parametrize("call", [CALLS["order"], CALLS["async order"]])
def test_many_dead_addresses_take_no_longer_than_one(call, monkeypatch):
    with socket.create_server(("0.0.0.0", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        port = full.getsockname()[1]
        for _ in range(3):  # nobody accepts: from now on nobody gets an answer
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port)) for last in range(1, 9)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        begun = time.monotonic()
        with pytest.raises(NotSentError):
            call(f"http://many.example:{port}")
        assert time.monotonic() - begun < SECONDS + LATE


@pytest.mark.parametrize("call", [CALLS["order"], CALLS["async order"]])
@pytest.mark.parametrize("kind", DRIPS)
def test_a_proxy_that_drips_has_no_more_time_than_a_server(call, kind, monkeypatch):
    with HostileServer(lambda _line: DRIPS[kind]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        begun = time.monotonic()
        with pytest.raises(TransportError):
            call("https://api.example")
        assert time.monotonic() - begun < SECONDS + LATE


def test_a_length_that_no_computer_can_count_is_an_error_of_ours():
    def answer():
        yield b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}"

    error, _ = how_it_ends(CALLS["status"], answer)
    assert isinstance(error, TransportError)


def test_an_error_keeps_its_status_whatever_its_body_is_packed_with():
    def answer():
        yield b"HTTP/1.1 401 No\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc"

    error, _ = how_it_ends(CALLS["status"], answer)
    assert error.reason is Reason.AUTHENTICATION


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


def answer(sick):
    """Return how a server answers that is well for all jobs but those with "sick" in their ids."""
    return lambda line: sick if "/sick" in line else whole(DONE)


async def asked(server, times):
    for _ in range(3000):
        if len(server.heard) >= times:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(server.heard)


@pytest.mark.parametrize("kind", ["1xx that drip", "head that drips", "body that drips", "silence"])
async def test_a_job_is_asked_in_time_beside_three_sick_ones_for_each_slot(monkeypatch, kind):
    slots = 2
    with HostileServer(answer(DRIPS[kind])) as server:
        connect(monkeypatch, server.url, timeout=30)
        monkeypatch.setenv("AIRFLOW__VEO__MAX_IN_FLIGHT_POLLS", str(slots))
        sick = [asyncio.create_task(outcome_of(trigger(f"sick{number}"))) for number in range(3 * slots)]
        await asked(server, slots)
        begun = time.monotonic()
        assert (await asyncio.wait_for(outcome_of(trigger("well")), 15))["kind"] == "completed"
        assert time.monotonic() - begun < 10  # the sick calls end after 20 s
        assert len(server.heard) == 3 * slots + 1
        for one in sick:
            one.cancel()
        await asyncio.gather(*sick, return_exceptions=True)


async def test_any_number_of_sick_jobs_leaves_slots_to_others(monkeypatch):
    """Once each has been asked, which takes a moment here: the time of a call is short."""
    slots = 2
    with HostileServer(answer(DRIPS["silence"])) as server:
        connect(monkeypatch, server.url, timeout=SECONDS)
        monkeypatch.setenv("AIRFLOW__VEO__MAX_IN_FLIGHT_POLLS", str(slots))
        sick = [asyncio.create_task(outcome_of(trigger(f"sick{number}"))) for number in range(8 * slots)]
        await asked(server, len(sick))
        await asyncio.sleep(SECONDS)
        monkeypatch.setattr(limits, "STATUS_SECONDS", 30.0)
        connect(monkeypatch, server.url, timeout=30)
        for number in range(4):
            begun = time.monotonic()
            assert (await asyncio.wait_for(outcome_of(trigger(f"well{number}")), 15))["kind"] == "completed"
            assert time.monotonic() - begun < 3 * LATE
        assert server.most_open <= 4 * slots
        for one in sick:
            one.cancel()
        await asyncio.gather(*sick, return_exceptions=True)


async def test_looking_up_the_connection_has_an_end(monkeypatch):
    """Airflow's own database may be silent, too; the wait goes on when it speaks again."""
    look_up, times = VeoHook.aget_settings, []

    async def silent_at_first(hook):
        times.append(1)
        await asyncio.sleep(60 if len(times) == 1 else 0)
        return await look_up(hook)

    monkeypatch.setattr(shared_client, "_LOOK_UP_SECONDS", 0.2)
    monkeypatch.setattr(VeoHook, "aget_settings", silent_at_first)
    with HostileServer(answer(DRIPS["silence"])) as server:
        connect(monkeypatch, server.url)
        assert (await asyncio.wait_for(outcome_of(trigger("well")), 30))["kind"] == "completed"
    assert len(times) == 2
