"""A process that ends cancels the job only if a user has given the task up."""

from __future__ import annotations

from types import SimpleNamespace

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


def test_every_state_of_airflow_is_known():
    from airflow.utils.state import TaskInstanceState

    known = {state.value for state in TaskInstanceState}
    assert {state for state in STATES if state} <= known
    assert set(airflow_internals._CONTINUING_STATES) == {state for state, given_up in STATES.items() if not given_up}
