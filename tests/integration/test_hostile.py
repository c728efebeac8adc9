"""Servers that send endlessly or very slowly: every call ends in time and takes a bounded amount of memory."""

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
from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.api.errors import NotSentError, Reason, TooSlowError, TransportError, VeoError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.storage.frames import load_frame
from airflow_provider_veo.triggers import shared_client
from airflow_provider_veo.triggers.video import VeoVideoTrigger
from tests.support.contents import open_content
from tests.support.endless_server import BOMBS, DRIPS, EndlessServer, whole
from tests.support.pictures import picture
from tests.support.scripted_server import KEY, connect

SECONDS = 1.0
"""The `timeout` of the connection, which determines the end of each call."""

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
    with open_content(client, video_id="v") as stream:
        return sum(map(len, stream.chunks))


def check(client):
    passes, sentence = check_api(client.call, client.settings.base_url, sends_key=True)
    if not passes:
        raise VeoError(sentence)


FRAMES = VideoSpec("p", "m", first_frame=Frame.from_bytes(picture("PNG"), "first_frame"))
CALLS: dict[str, Call] = {
    "order": blocking(lambda client: client.create_video(VideoSpec("p", "m"))),
    "order as a form": blocking(lambda client: client.create_video(FRAMES)),
    "status": blocking(lambda client: client.get_video("v")),
    "async status": in_a_loop(lambda client: client.get_video("v")),
    "content": blocking(content),
    "frame": lambda url: load_frame(f"{url}/cat.png", "first_frame"),
    "test of the connection": blocking(check),
    "models": blocking(lambda client: client.call(requests.list_models())),
    "cancel": blocking(lambda client: client.cancel_video("v")),
    "async cancel": in_a_loop(lambda client: client.cancel_video("v")),
    "chat": blocking(lambda client: list(client.stream_chat(ChatSpec("p", "m"), timeout=SECONDS))),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture(autouse=True)
def short_frames(monkeypatch):
    monkeypatch.setattr(limits, "FRAME_SECONDS", SECONDS)


def how_it_ends(call, answer):
    """Run a call, and return its error, or None, and the seconds that it took."""
    with EndlessServer(lambda _line: answer) as server:
        begun = time.monotonic()
        try:
            call(server.url)
        except VeoError as error:
            return error, time.monotonic() - begun
        return None, time.monotonic() - begun


def peak():
    """Return the peak memory of this process since the last call, and its memory now, in bytes."""
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
def test_a_call_ends_in_time_if_the_server_sends_slowly(call):
    with ThreadPoolExecutor(len(DRIPS)) as threads:
        ends = dict(zip(DRIPS, threads.map(lambda answer: how_it_ends(call, answer), DRIPS.values()), strict=True))
    # the headers of the content and its bytes have a deadline each
    latest = (2 * SECONDS if call is CALLS["content"] else SECONDS) + LATE
    for name, (error, seconds) in ends.items():
        assert isinstance(error, VeoError), name
        assert seconds < latest, (name, error)


def test_a_download_that_is_always_too_slow_fails(tmp_path, monkeypatch):
    """The download fails after five attempts, and leaves no file."""
    monkeypatch.setattr(VeoHook, "download_policy", DownloadPolicy(retry_pause=0.01))
    asked = []

    def answer(line):
        asked.append(line)
        return DRIPS["video that drips"]

    with EndlessServer(answer) as server:
        connect(monkeypatch, server.url, timeout=0.3)
        with pytest.raises(TooSlowError):
            VeoHook().download_video(tmp_path / "a.mp4", video_id="v")
    assert len(asked) == 5
    assert list(tmp_path.iterdir()) == []


class SlowReader:
    """A server that reads an order of several megabytes slowly, and answers it. A context manager.

    Args:
        rate: Bytes per second that the server reads.
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
order = blocking(lambda client: client.create_video(LARGE))


def test_an_order_over_a_slow_connection_is_not_aborted():
    """Sending the order takes longer than `timeout`, but the time for the answer begins after the last byte."""
    with SlowReader(rate=5_000_000) as server:
        begun = time.monotonic()
        assert order(server.url).id == "v"
        assert time.monotonic() - begun > 1.5 * SECONDS


def test_an_order_that_the_server_hardly_reads_is_aborted():
    with SlowReader(rate=100) as server, pytest.raises(TooSlowError, match="WriteTimeout after") as caught:
        order(server.url)
    assert not isinstance(caught.value, NotSentError)  # a part of the order has arrived


@pytest.mark.parametrize("call", [CALLS["order"], CALLS["async status"]])
def test_an_order_that_was_never_sent_is_reported_as_not_sent(call):
    """The server never answers the TLS handshake."""
    with EndlessServer(lambda _line: DRIPS["silence"]) as server:
        begun = time.monotonic()
        with pytest.raises(NotSentError, match="ConnectTimeout after"):
            call(server.url.replace("http:", "https:"))
        assert time.monotonic() - begun < SECONDS + LATE


@pytest.mark.parametrize("call", [CALLS["order"], CALLS["async status"]])
def test_many_unreachable_addresses_take_no_longer_than_one(call, monkeypatch):
    with socket.create_server(("0.0.0.0", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        port = full.getsockname()[1]
        for _ in range(3):  # the queue is full afterwards, so no connection is accepted
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port)) for last in range(1, 9)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        begun = time.monotonic()
        with pytest.raises(NotSentError):
            call(f"http://many.example:{port}")
        assert time.monotonic() - begun < SECONDS + LATE


@pytest.mark.parametrize("call", [CALLS["order"], CALLS["async status"]])
@pytest.mark.parametrize("kind", DRIPS)
def test_a_slow_proxy_gets_no_more_time_than_a_server(call, kind, monkeypatch):
    with EndlessServer(lambda _line: DRIPS[kind]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        begun = time.monotonic()
        with pytest.raises(TransportError):
            call("https://api.example")
        assert time.monotonic() - begun < SECONDS + LATE


def test_an_absurd_content_length_is_a_transport_error():
    def answer():
        yield b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}"

    error, _ = how_it_ends(CALLS["status"], answer)
    assert isinstance(error, TransportError)


def test_an_error_with_an_unreadable_body_keeps_its_reason():
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
    """Return a server's behaviour: it gives one answer for jobs with "sick" in their ids; other jobs are completed."""
    return lambda line: sick if "/sick" in line else whole(DONE)


async def asked(server, times):
    for _ in range(3000):
        if len(server.requests) >= times:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(server.requests)


@pytest.mark.parametrize("kind", ["1xx that drip", "head that drips", "body that drips", "silence"])
async def test_a_job_is_asked_about_in_time_beside_three_jobs_without_answers_for_each_slot(monkeypatch, kind):
    slots = 2
    with EndlessServer(answer(DRIPS[kind])) as server:
        connect(monkeypatch, server.url, timeout=30)
        monkeypatch.setenv("AIRFLOW__VEO__MAX_IN_FLIGHT_POLLS", str(slots))
        sick = [asyncio.create_task(outcome_of(trigger(f"sick{number}"))) for number in range(3 * slots)]
        await asked(server, slots)
        begun = time.monotonic()
        assert (await asyncio.wait_for(outcome_of(trigger("well")), 15))["kind"] == "completed"
        assert time.monotonic() - begun < 10  # the sick calls end after 20 s
        assert len(server.requests) == 3 * slots + 1
        for one in sick:
            one.cancel()
        await asyncio.gather(*sick, return_exceptions=True)


async def test_jobs_without_answers_leave_slots_to_other_jobs(monkeypatch):
    """This holds after one status call for each sick job, which is short here because of the timeout."""
    slots = 2
    with EndlessServer(answer(DRIPS["silence"])) as server:
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


async def test_the_lookup_of_the_connection_has_a_timeout(monkeypatch):
    """Airflow's database may not answer, either. The wait continues when it answers again."""
    look_up, times = VeoHook.aget_settings, []

    async def silent_at_first(hook):
        times.append(1)
        await asyncio.sleep(60 if len(times) == 1 else 0)
        return await look_up(hook)

    monkeypatch.setattr(shared_client, "_LOOK_UP_SECONDS", 0.2)
    monkeypatch.setattr(VeoHook, "aget_settings", silent_at_first)
    with EndlessServer(answer(DRIPS["silence"])) as server:
        connect(monkeypatch, server.url)
        assert (await asyncio.wait_for(outcome_of(trigger("well")), 30))["kind"] == "completed"
    assert len(times) == 2
