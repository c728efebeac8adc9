"""The trigger: the cancellation of its job, and the time of its event."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.triggers import video as module
from airflow_provider_veo.triggers.video import VeoVideoTrigger
from airflow_provider_veo.utils import airflow_internals
from tests.support.airflow_version import AIRFLOW_3

TI = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)


def trigger(**changes):
    arguments = {"conn_id": "no_such", "video_id": "v", "submitted_at": 0.0, "deadline": 1.0, "poll_interval": 1.0}
    return VeoVideoTrigger(**arguments | changes)


async def test_a_wait_that_ends_with_an_error_still_resumes_the_task():
    events = [event async for event in trigger().run()]
    outcome = Outcome.from_event(events[0].payload)
    assert (len(events), outcome.kind, outcome.video_id) == (1, "error", "v")
    assert "no_such" in outcome.message


@pytest.fixture
def cancel(mocker):
    """Replace the cancellation by the hook."""
    return mocker.patch.object(VeoHook, "acancel_video", return_value=True)


@pytest.fixture
def before_airflow_3_4(monkeypatch):
    """Let Airflow call `on_kill` also if a trigger only moves to another triggerer."""
    monkeypatch.setattr(airflow_internals, "AIRFLOW_V_3_4_PLUS", False)


def state_is(mocker, state):
    """Make Airflow's supervisor answer with a state of the task."""
    answer = SimpleNamespace(task_states={"r": {"t": state}})
    supervisor = SimpleNamespace(asend=mocker.AsyncMock(return_value=answer))
    mocker.patch("airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS", supervisor, create=True)


needs_airflow_3 = pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 asks its database instead of a supervisor")


@needs_airflow_3
@pytest.mark.usefixtures("before_airflow_3_4")
@pytest.mark.parametrize(("state", "calls"), [("deferred", 0), ("failed", 1), ("success", 1), (None, 1), ("queued", 1)])
async def test_the_job_is_cancelled_only_if_its_task_was_stopped(mocker, cancel, state, calls):
    state_is(mocker, state)
    one = trigger()
    one.task_instance = TI
    await one.on_kill()
    assert cancel.await_count == calls


@needs_airflow_3
@pytest.mark.usefixtures("before_airflow_3_4")
async def test_a_mapped_task_is_found_by_its_index(mocker, cancel):
    answer = SimpleNamespace(task_states={"r": {"t_7": "deferred"}})
    supervisor = SimpleNamespace(asend=mocker.AsyncMock(return_value=answer))
    mocker.patch("airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS", supervisor, create=True)
    one = trigger()
    one.task_instance = SimpleNamespace(**vars(TI) | {"map_index": 7})
    await one.on_kill()
    assert supervisor.asend.call_args.args[0].map_index == 7
    cancel.assert_not_awaited()


@needs_airflow_3
async def test_nothing_is_cancelled_if_cancel_on_kill_is_off(mocker, cancel):
    state_is(mocker, "failed")
    one = trigger(cancel_on_kill=False)
    one.task_instance = TI
    await one.on_kill()
    cancel.assert_not_awaited()


async def test_without_a_task_instance_nothing_is_cancelled(cancel):
    await trigger().on_kill()
    cancel.assert_not_awaited()


@needs_airflow_3
@pytest.mark.usefixtures("before_airflow_3_4")
async def test_an_unknown_state_cancels_nothing(mocker, cancel):
    supervisor = SimpleNamespace(asend=mocker.AsyncMock(side_effect=RuntimeError("away")))
    mocker.patch("airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS", supervisor, create=True)
    one = trigger()
    one.task_instance = TI
    await one.on_kill()
    cancel.assert_not_awaited()


@needs_airflow_3
async def test_a_failed_cancellation_raises_nothing(mocker):
    state_is(mocker, "failed")
    mocker.patch.object(VeoHook, "acancel_video", side_effect=RuntimeError("away"))
    one = trigger()
    one.task_instance = TI
    await one.on_kill()


@pytest.mark.parametrize("airflow_calls_on_kill", [True, False])
async def test_before_airflow_3_3_the_trigger_calls_on_kill_itself(mocker, airflow_calls_on_kill):
    mocker.patch.object(module, "AIRFLOW_V_3_3_PLUS", airflow_calls_on_kill)
    on_kill = mocker.patch.object(VeoVideoTrigger, "on_kill")

    async def forever():
        await asyncio.sleep(60)

    mocker.patch.object(VeoVideoTrigger, "_wait", side_effect=forever)

    async def run():
        async for _ in trigger().run():
            pass

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel("user-action")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert on_kill.await_count == (0 if airflow_calls_on_kill else 1)


@needs_airflow_3
async def test_a_repeated_cancellation_by_airflow_does_not_stop_the_cancellation_of_the_job(mocker):
    state_is(mocker, "failed")
    done = []

    async def slow(_hook, video_id):
        await asyncio.sleep(0.2)
        done.append(video_id)

    mocker.patch.object(VeoHook, "acancel_video", slow)
    one = trigger()
    one.task_instance = TI
    task = asyncio.create_task(one.on_kill())
    for _ in range(3):
        await asyncio.sleep(0.02)
        task.cancel("user-action")
    await task
    assert done == ["v"]


OUTCOMES = ("completed", "failed", "timeout", "error")


class FinishedTrigger:
    """A trigger whose wait is over at once. `pauses` holds the seconds that it has slept."""

    def __init__(self, mocker, kind="completed", **changes):
        self.pauses = []
        outcome = Outcome(kind=kind, video_id="v", status="completed")
        mocker.patch.object(VeoVideoTrigger, "_wait", return_value=outcome)
        mocker.patch.object(module.time, "time", return_value=1_000.0)
        mocker.patch.object(module.asyncio, "sleep", side_effect=self.pauses.append)
        self.trigger = trigger(**changes)

    async def run(self, ti=TI):
        self.trigger.task_instance = ti
        return [Outcome.from_event(event.payload).kind async for event in self.trigger.run()]


@pytest.mark.parametrize("kind", OUTCOMES)
async def test_no_event_fires_before_the_time_not_before(mocker, kind):
    held = FinishedTrigger(mocker, kind, not_before=1_007.5)
    assert await held.run() == [kind]
    assert held.pauses == [7.5]


async def test_an_event_fires_at_once_after_the_time_not_before(mocker):
    held = FinishedTrigger(mocker, not_before=999.0)
    assert await held.run() == ["completed"]
    assert held.pauses == []


async def test_without_a_triggerer_the_event_fires_at_once(mocker):
    held = FinishedTrigger(mocker, not_before=1_007.5)
    assert await held.run(ti=None) == ["completed"]
    assert held.pauses == []


async def test_a_row_of_an_earlier_version_is_read_and_its_event_fires_at_once(mocker):
    row = {"conn_id": "c", "video_id": "v", "submitted_at": 0.0, "deadline": 1.0, "poll_interval": 1.0}
    held = FinishedTrigger(mocker, **row | {"model": None, "cancel_on_kill": True})
    assert held.trigger.serialize()[1]["not_before"] is None
    assert await held.run() == ["completed"]
    assert held.pauses == []


async def test_an_event_is_held_back_for_ten_minutes_at_most(mocker):
    held = FinishedTrigger(mocker, not_before=1e9)
    assert await held.run() == ["completed"]
    assert held.pauses == [600.0]


@needs_airflow_3
@pytest.mark.parametrize(("kind", "calls"), [("completed", 0), ("timeout", 1)])
async def test_a_held_event_ends_with_its_trigger_and_a_finished_video_is_not_deleted(mocker, cancel, kind, calls):
    state_is(mocker, "failed")
    mocker.patch.object(VeoVideoTrigger, "_wait", return_value=Outcome(kind=kind, video_id="v", status="completed"))
    one = trigger(not_before=module.time.time() + 60)
    one.task_instance = TI
    waiting = asyncio.create_task(anext(one.run()))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel("user-action")
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if module.AIRFLOW_V_3_3_PLUS:
        await one.on_kill()
    assert cancel.await_count == calls
