"""Many triggers in one event loop, as in a triggerer. The server runs in the same loop, so nothing may block it."""

from __future__ import annotations

import asyncio
import gc
import time
from contextvars import ContextVar
from types import SimpleNamespace

import pytest

from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.triggers import poller as module
from airflow_provider_veo.triggers import shared_client
from airflow_provider_veo.triggers.shared_client import SharedClient
from airflow_provider_veo.triggers.video import VeoVideoTrigger
from tests.support.loop_server import LoopServer, completed, running
from tests.support.scripted_server import KEY, connect

OTHER_KEY = "sk-canary-of-tomorrow"


@pytest.fixture
def connection(monkeypatch):
    """Return a function that makes a server the default connection."""

    def set_connection(server, key=KEY, most=None, **extra):
        connect(monkeypatch, server.url, key, **extra)
        if most:
            monkeypatch.setenv("AIRFLOW__VEO__MAX_IN_FLIGHT_POLLS", str(most))

    return set_connection


@pytest.fixture
def look_ups(mocker):
    """Count the look-ups of connections."""
    return mocker.spy(VeoHook, "_aget_connection")


def arguments(seconds=60.0):
    now = time.time()
    return {"conn_id": "veo_default", "submitted_at": now, "deadline": now + seconds, "poll_interval": 0.05}


def trigger(video_id="v", seconds=60.0, **others):
    return VeoVideoTrigger(video_id=video_id, **arguments(seconds) | others)


async def outcome(one):
    events = [event.payload async for event in one.run()]
    assert len(events) == 1
    return Outcome.from_event(events[0])


async def outcomes(*triggers):
    return await asyncio.wait_for(asyncio.gather(*map(outcome, triggers)), 120)


def pollers():
    return [poller for pollers in module._pollers.values() for poller in pollers.values()]


def scripted(polls_until_completed=2):
    """Return an answer by which a job is completed at its n-th status call."""
    seen = {}

    async def answer(video_id, _key):
        seen[video_id] = seen.get(video_id, 0) + 1
        await asyncio.sleep(0)
        return completed() if seen[video_id] >= polls_until_completed else running()

    return answer


async def test_the_proxy_of_the_environment_is_used(connection, monkeypatch):
    async with LoopServer(scripted(1)) as proxy:
        connection(SimpleNamespace(url="http://api.example.invalid"))
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert (await outcomes(trigger()))[0].kind == "completed"
        assert proxy.polls["v"] == 1


async def test_a_thousand_triggers_share_one_look_up_and_few_sockets(connection, look_ups):
    async with LoopServer(scripted()) as server:
        connection(server, most=7)
        found = await outcomes(*(trigger(f"v{number}") for number in range(1000)))
        assert {one.kind for one in found} == {"completed"}
        assert {one.video_id for one in found} == {f"v{number}" for number in range(1000)}
        assert look_ups.call_count == 1
        assert 1 <= server.most_open <= 7
        assert sum(server.polls.values()) == 2000
        assert pollers() == []
        while server.open:  # the last trigger has closed the sockets
            await asyncio.sleep(0.01)


async def test_a_status_call_in_flight_does_not_block_the_loop(connection):
    """The server answers only after a hundred more turns of the loop."""
    turns = 0

    async def answer(_video_id, _key):
        wanted = turns + 100
        while turns < wanted:
            await asyncio.sleep(0)
        return completed()

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with LoopServer(answer) as server:
        connection(server)
        counting = asyncio.create_task(count_turns())
        assert {one.kind for one in await outcomes(*(trigger(f"v{n}") for n in range(100)))} == {"completed"}
        counting.cancel()


async def test_one_turn_of_the_loop_starts_few_calls(connection, mocker):
    """One turn of the loop starts no more calls than there are slots, even if many waits are due."""
    begun = mocker.spy(SharedClient, "_ask")
    most_in_a_turn, before = 0, 0

    async def watch():
        nonlocal most_in_a_turn, before
        while True:
            most_in_a_turn = max(most_in_a_turn, begun.call_count - before)
            before = begun.call_count
            await asyncio.sleep(0)

    async with LoopServer(scripted(1)) as server:
        connection(server, most=8)
        watching = asyncio.create_task(watch())
        await outcomes(*(trigger(f"v{number}", poll_interval=0.0) for number in range(500)))
        watching.cancel()
    assert 0 < most_in_a_turn <= 8


async def test_each_trigger_is_called_back_in_its_own_context(connection):
    """Airflow finds the task of a log line by the context."""
    task_name = ContextVar("task_name", default="nothing")
    reports = []

    class RecordingTrigger(VeoVideoTrigger):
        def _report(self, news):
            reports.append((self.video_id, task_name.get()))
            super()._report(news)

    async def wait(one):
        task_name.set(one.video_id)
        return await outcome(one)

    async with LoopServer(scripted(3)) as server:
        connection(server, most=3)
        waits = [wait(RecordingTrigger(video_id=f"v{number}", **arguments())) for number in range(50)]
        await asyncio.wait_for(asyncio.gather(*waits), 60)
    assert len(reports) == 50
    assert [names for names in reports if names[0] != names[1]] == []


async def test_the_poller_itself_runs_in_an_empty_context(connection, mocker):
    task_name = ContextVar("task_name", default="nothing")
    real, names = VeoHook._aget_connection, []

    async def look_up(hook):
        names.append(task_name.get())
        return await real(hook)

    mocker.patch.object(VeoHook, "_aget_connection", look_up)
    async with LoopServer(scripted()) as server:
        connection(server)
        task_name.set("a trigger")
        await outcomes(trigger())
    assert names == ["nothing"]


async def test_a_deadline_that_passed_without_a_triggerer_still_allows_one_call(connection):
    async with LoopServer(scripted(1)) as server:
        connection(server)
        assert (await outcomes(trigger(seconds=-3600.0)))[0].kind == "completed"
    async with LoopServer(scripted(2)) as server:
        connection(server)
        assert (await outcomes(trigger(seconds=-3600.0)))[0].kind == "timeout"
        assert server.polls["v"] == 1


async def test_the_garbage_collector_of_the_process_is_left_as_it_is(connection):
    def settings():
        return gc.get_freeze_count(), gc.get_threshold(), gc.isenabled()

    before = settings()
    async with LoopServer(scripted(1)) as server:
        connection(server)
        await outcomes(trigger())
    assert settings() == before


async def start_wait(server, video_id):
    """Start a wait, and return its asyncio task once the server has received its first status call."""
    waiting = asyncio.create_task(outcome(trigger(video_id, poll_interval=0.0)))
    while not server.polls:
        await asyncio.sleep(0)
    return waiting


async def test_a_cancelled_trigger_does_not_affect_others(connection):
    hold = asyncio.Event()

    async def answer(video_id, _key):
        if video_id == "held":
            await hold.wait()
        return completed()

    async with LoopServer(answer) as server:
        connection(server, most=1)
        held = await start_wait(server, "held")
        others = [asyncio.create_task(outcome(trigger(f"v{number}"))) for number in range(20)]
        await asyncio.sleep(0.1)
        others[7].cancel()
        held.cancel()
        results = await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 60)
        hold.set()
        assert isinstance(results.pop(7), asyncio.CancelledError)
        assert [one.kind for one in results] == ["completed"] * 19
        assert [one.video_id for one in results] == [f"v{number}" for number in range(20) if number != 7]
    assert pollers() == []


async def test_a_key_that_is_rotated_is_looked_up_again_once(connection, look_ups):
    accepted = KEY

    async def answer(video_id, key):
        if key != f"Bearer {accepted}":
            return 401, {}, {"error": {"message": "Incorrect API key provided"}}
        return completed() if accepted == OTHER_KEY and server.polls[video_id] > 3 else running()

    async with LoopServer(answer) as server:
        connection(server)
        waiting = asyncio.create_task(outcomes(*(trigger(f"v{number}") for number in range(200))))
        while len(server.polls) < 200:
            await asyncio.sleep(0.01)
        connection(server, OTHER_KEY)
        accepted = OTHER_KEY
        assert {one.kind for one in await waiting} == {"completed"}
        assert 2 <= look_ups.call_count <= 4


async def test_a_key_that_stays_wrong_ends_the_waits(connection, look_ups):
    async def answer(_video_id, _key):
        return 401, {}, {"error": {"message": f"Incorrect API key provided: {KEY}"}}

    async with LoopServer(answer) as server:
        connection(server, most=10)
        found = await outcomes(*(trigger(f"v{number}") for number in range(100)))
        assert {(one.kind, one.reason) for one in found} == {("error", Reason.AUTHENTICATION.value)}
        assert look_ups.call_count <= 30
    assert not [one for one in found if KEY in one.message]


async def test_a_connection_that_points_elsewhere_is_noticed(connection, monkeypatch, look_ups):
    monkeypatch.setattr(shared_client, "_MAX_AGE", 0.2)
    async with LoopServer(scripted(1000)) as here, LoopServer(scripted(2)) as there:
        connection(here)
        waiting = asyncio.create_task(outcome(trigger()))
        while not here.polls:
            await asyncio.sleep(0.01)
        connection(there)
        assert (await asyncio.wait_for(waiting, 60)).kind == "completed"
        assert there.polls["v"] == 2


async def test_waits_survive_failures_of_airflow(connection, mocker):
    real = VeoHook._aget_connection
    troubles = iter([RuntimeError("database is locked"), OSError("supervisor is away")])

    async def troubled(hook):
        for trouble in troubles:
            raise trouble
        return await real(hook)

    mocker.patch.object(VeoHook, "_aget_connection", troubled)
    async with LoopServer(scripted()) as server:
        connection(server)
        assert (await outcomes(trigger()))[0].kind == "completed"


@pytest.mark.parametrize(
    "header", [{"Retry-After": "1"}, {"llm_provider-retry-after": "1"}, {"openai-poll-after-ms": "1000"}, {}]
)
async def test_a_refusal_slows_all_waits_down(connection, header):
    refused_at = None

    async def answer(video_id, _key):
        nonlocal refused_at
        if video_id == "v0" and refused_at is None:
            refused_at = asyncio.get_running_loop().time()
            return 429, header, {"error": {"message": "Too many requests"}}
        return completed() if server.polls[video_id] > 2 else running()

    async with LoopServer(answer) as server:
        connection(server, most=4)
        found = await outcomes(*(trigger(f"v{number}") for number in range(20)))
        assert {one.kind for one in found} == {"completed"}
        at_the_same_time = 4  # those that were on their way already
        in_the_pause = [at for at in server.request_times if refused_at < at < refused_at + 0.9]
        assert len(in_the_pause) <= at_the_same_time


async def test_a_good_answer_may_ask_for_a_pause(connection):
    async def answer(video_id, _key):
        status, _, body = running() if server.polls[video_id] == 1 else completed()
        return status, {"openai-poll-after-ms": "700"}, body

    async with LoopServer(answer) as server:
        connection(server)
        await outcomes(trigger("a"), trigger("b"))
        first, *_, last = server.request_times
        assert last - first >= 0.7


async def test_the_deadline_also_ends_a_wait_in_the_queue(connection, monkeypatch):
    monkeypatch.setattr(module, "_GRACE", 0.0)
    hold = asyncio.Event()

    async def answer(_video_id, _key):
        await hold.wait()
        return completed()

    async with LoopServer(answer) as server:
        connection(server, most=1)
        first = await start_wait(server, "first")
        late = await outcome(trigger("late", seconds=0.3))
        assert late.kind == "timeout"
        assert "may still finish" in late.message
        hold.set()
        assert (await first).kind == "completed"


def test_each_event_loop_has_its_own_poller(connection, look_ups):
    async def once():
        async with LoopServer(scripted()) as server:
            connection(server)
            return await outcomes(trigger())

    for _ in range(2):
        assert asyncio.run(once())[0].kind == "completed"
    assert look_ups.call_count == 2
    assert pollers() == []


async def test_finished_triggers_leave_no_objects_behind(connection):
    async with LoopServer(scripted(1)) as server:
        connection(server)

        async def lives(number):
            await outcomes(*(trigger("v", poll_interval=0.0) for _ in range(number)))
            await asyncio.sleep(0)  # from Python 3.12 on the event loop holds all of them until its next turn
            gc.collect()
            return len(gc.get_objects())

        await lives(300)
        after_few = await lives(300)
        after_many = await lives(3000)
        assert after_many - after_few < 300


async def test_a_stored_trigger_of_an_earlier_version_still_runs(connection):
    async with LoopServer(scripted()) as server:
        connection(server)
        _, stored = trigger().serialize()
        del stored["model"]
        assert (await outcome(VeoVideoTrigger(**stored))).kind == "completed"


async def test_the_schedule_learns_from_earlier_jobs(connection):
    module._get_durations.cache_clear()
    created = int(time.time()) - 100

    async def answer(_video_id, _key):
        return 200, {}, {"status": "completed", "created_at": created, "completed_at": created + 73}

    async with LoopServer(answer) as server:
        connection(server)
        await outcomes(trigger(model="veo-3.1"), trigger(model="other"))
        assert list(module._get_durations("veo_default", "veo-3.1")) == [73.0]
    module._get_durations.cache_clear()
