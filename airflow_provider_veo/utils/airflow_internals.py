"""All code that goes beyond Airflow's public interface: a new version of Airflow can break this module only.

Airflow also stops tasks and triggers whose jobs have to continue: before 3.4 it calls `on_kill` of a trigger that moves
to another triggerer, and a task is killed when its pod is evicted. A job that was paid for must be cancelled only if a
user has given the task up, so functions of this module read the state of the task instance from Airflow.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from asgiref.sync import sync_to_async

from airflow_provider_veo.utils.task_instance import Region, TaskInstanceKey, find_region
from airflow_provider_veo.version_compat import AIRFLOW_V_3_3_PLUS, AIRFLOW_V_3_4_PLUS

_CONTINUING_STATES = ("running", "deferred", "up_for_retry", "scheduled", "queued")
"""States in which this try or the next one continues with the job.

A process that Airflow has given up for dead reads the states of the retry, and must not cancel the job that the retry
collects. After a clear it reads `restarting`.
"""

log = logging.getLogger(__name__)


async def trigger_was_given_up(ti: TaskInstanceKey | None) -> bool:
    """Return whether a user has given up the task of a trigger whose `on_kill` Airflow calls.

    From Airflow 3.4 on it has, and the state cannot be compared: after a clear, the next try may be deferred already.
    Before, the task must no longer be deferred. False if its state cannot be read.

    Args:
        ti: The trigger's `task_instance`; None if no triggerer runs the trigger.
    """
    if AIRFLOW_V_3_4_PLUS:
        return ti is not None
    try:
        return ti is not None and await _read_state_in_trigger(ti) != "deferred"
    except Exception:
        log.exception("The state of the task cannot be read, so its job is not cancelled")
        return False


def task_was_given_up(ti: TaskInstanceKey) -> bool:
    """Return whether no try continues with the task that this worker runs; False if its state cannot be read.

    Args:
        ti: Task instance of the context.
    """
    try:
        return _read_state_on_worker(ti) not in _CONTINUING_STATES
    except Exception:
        log.exception("The state of the task cannot be read, so its job is not cancelled")
        return False


def task_has_succeeded(ti: TaskInstanceKey) -> bool:
    """Return whether Airflow has stored the success of the task that this worker runs.

    Args:
        ti: Task instance of the context.
    """
    return _read_state_on_worker(ti) == "success"


async def push_xcom_from_trigger(ti: TaskInstanceKey, key: str, value: str) -> None:
    """Write an XCom of a deferred task. Before Airflow 3.3 nothing happens: it mixes up answers if a call is cancelled.

    Args:
        ti: Task instance of the trigger.
        key: Key of the XCom.
        value: Value of the XCom.
    """
    if not AIRFLOW_V_3_3_PLUS:
        return
    names: dict[str, Any] = {
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": ti.map_index,
    }
    if AIRFLOW_V_3_4_PLUS:
        from airflow.sdk.bases.xcom import BaseXCom  # noqa: PLC0415 - Airflow 3

        await BaseXCom.aset(key, value, **names)
        return
    from airflow.sdk.execution_time.comms import SetXCom  # noqa: PLC0415 - Airflow 3
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS  # noqa: PLC0415

    await SUPERVISOR_COMMS.asend(SetXCom(key=key, value=value, **names))


def write_xcom_past_backend(ti: TaskInstanceKey, key: str, value: Mapping[str, Any]) -> None:
    """Write an XCom into Airflow's database, past the XCom backend that may be configured. Needs Airflow 3.

    Args:
        ti: Task instance of the context.
        key: Key of the XCom.
        value: Value of the XCom, a JSON object.
    """
    from airflow.sdk.bases.xcom import BaseXCom  # noqa: PLC0415 - Airflow 3

    BaseXCom.set(key=key, value=value, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index)


def never_expire() -> dict[str, Any]:
    """Return the arguments that keep a value in the task state store as long as its Dag run (Airflow 3.3 and later)."""
    try:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE  # noqa: PLC0415 - Airflow 3.3
    except ImportError:
        return {}
    return {"retention": NEVER_EXPIRE}


async def _read_state_in_trigger(ti: TaskInstanceKey) -> str | None:
    try:
        from airflow.sdk.execution_time.comms import GetTaskStates  # noqa: PLC0415 - Airflow 3
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS  # noqa: PLC0415
    except ImportError:
        return await sync_to_async(_read_state_in_database)(ti)
    question = GetTaskStates(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)
    answer: Any = await SUPERVISOR_COMMS.asend(question)
    return _pick_state(ti, answer.task_states)


def _read_state_on_worker(ti: Any) -> str | None:
    if not hasattr(ti, "get_task_states"):  # Airflow 2
        return _read_state_in_database(ti)
    if region := find_region(ti):
        ended = _read_ended_states(ti)
        if region in ended:
            return ended[region]
        if ended:
            raise LookupError("Airflow reports the state of one pass of a loop only, and other passes have ended")
    found = ti.get_task_states(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)
    return _pick_state(ti, found)


def _read_ended_states(ti: Any) -> dict[Region | None, str]:
    """Return the states of those task instances that have ended, of the same run, task and map index, by their place.

    Args:
        ti: Task instance of the context (Airflow 3.4 and later).
    """
    crumbs = ti.get_task_breadcrumbs(dag_id=ti.dag_id, run_id=ti.run_id)
    return {
        find_region(SimpleNamespace(**crumb)): str(crumb["state"])
        for crumb in crumbs
        if (crumb["task_id"], crumb["map_index"]) == (ti.task_id, ti.map_index)
    }


def _pick_state(ti: TaskInstanceKey, states: Mapping[str, Any]) -> str | None:
    # the keys of the answer, as Airflow builds them for mapped and for other tasks
    name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
    state = states.get(ti.run_id, {}).get(name)
    return None if state is None else str(getattr(state, "value", state))


def _read_state_in_database(ti: TaskInstanceKey) -> str | None:
    """Read the state on Airflow 2, where triggers and tasks reach the database themselves."""
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        state = (
            session.query(TaskInstance.state)
            .filter_by(dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index)
            .scalar()
        )
    return None if state is None else str(getattr(state, "value", state))
