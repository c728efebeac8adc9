"""A process that ends cancels the job only if a user has given the task up."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

import pytest

from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.utils import airflow_internals
from tests.support.airflow_version import AIRFLOW_3

STATES = {
    "running": False,  # an evicted pod
    "deferred": False,
    "up_for_retry": False,  # Airflow has given this process up for dead, and the retry collects the video
    "scheduled": False,  # the same, a moment later
    "queued": False,
    "restarting": True,  # cleared while it ran
    "failed": True,  # marked
    "success": True,
    "skipped": True,
    "removed": True,
    None: True,  # deleted
}


def ti_in(state, mocker):
    """Return a task instance that Airflow says is in a state."""
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
    if AIRFLOW_3:
        ti.get_task_states = lambda **_: {"r": {"t": state}}
    else:
        mocker.patch.object(airflow_internals, "_read_state_in_database", return_value=state)
    return ti


@pytest.mark.parametrize(("state", "given_up"), STATES.items())
def test_a_job_is_cancelled_only_if_no_try_continues_with_it(mocker, state, given_up):
    cancel = mocker.patch.object(VeoHook, "cancel_video")
    operator = VeoCreateVideoOperator(task_id="t", prompt="p")
    operator._in_flight = (ti_in(state, mocker), "v")
    operator.on_kill()
    assert cancel.call_count == given_up


PLACE = UUID("0199a4b0-0000-7000-8000-000000000001")


def looped_ti(ended, reported):
    """Return pass 1 of a task in a loop, with the passes that have ended and the one state that Airflow reports."""
    return SimpleNamespace(
        dag_id="d",
        run_id="r",
        task_id="t",
        map_index=-1,
        region_id=PLACE,
        region_index=1,
        get_task_breadcrumbs=lambda **_: [
            {"task_id": name, "map_index": -1, "state": state, "region_id": str(PLACE), "region_index": index}
            for name, index, state in ended
        ],
        get_task_states=lambda **_: {"r": {"t": reported}},
    )


@pytest.mark.parametrize(
    ("ended", "reported", "given_up"),
    [
        ([], "running", False),  # an evicted pod
        ([], "restarting", True),  # cleared while it ran
        ([("t", 1, "failed")], "failed", True),  # marked
        ([("t", 1, "success")], "running", True),  # marked, and the loop continues
        ([("t", 0, "success"), ("t", 2, "success")], "success", False),  # an evicted pod after a clear of this pass
        ([("t", 0, "success"), ("t", 1, "failed")], "running", True),
        ([("other", 0, "success")], "running", False),
    ],
)
@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no task loops")
def test_a_pass_of_a_loop_reads_its_own_state(ended, reported, given_up):
    assert airflow_internals.task_was_given_up(looped_ti(ended, reported)) is given_up


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no task loops")
def test_only_the_success_of_its_own_pass_counts_for_a_task():
    assert airflow_internals.task_has_succeeded(looped_ti([("t", 1, "success")], "running"))
    assert not airflow_internals.task_has_succeeded(looped_ti([], "running"))
    with pytest.raises(LookupError):
        airflow_internals.task_has_succeeded(looped_ti([("t", 0, "success")], "success"))


@pytest.mark.parametrize(("version_has_it", "given_up"), [(True, True), (False, False)])
async def test_from_airflow_3_4_on_a_killed_trigger_always_means_an_action_of_a_user(
    mocker, monkeypatch, version_has_it, given_up
):
    mocker.patch.object(airflow_internals, "_read_state_in_trigger", return_value="deferred")  # the next try is
    monkeypatch.setattr(airflow_internals, "AIRFLOW_V_3_4_PLUS", version_has_it)
    assert await airflow_internals.trigger_was_given_up(SimpleNamespace()) is given_up
    assert not await airflow_internals.trigger_was_given_up(None)


def test_every_state_of_airflow_is_known():
    from airflow.utils.state import TaskInstanceState

    known = {state.value for state in TaskInstanceState}
    assert {state for state in STATES if state} <= known
    assert set(airflow_internals._CONTINUING_STATES) == {state for state, given_up in STATES.items() if not given_up}
