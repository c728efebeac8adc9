"""What Airflow knows of a task instance, and is told of it, from places where Airflow offers no way of its own.

Is the task still what this process believes it to be?

Airflow kills tasks and triggers not only because somebody wants the work to stop: a trigger that moves to another
triggerer is "killed" here (Airflow 3.3 calls its `on_kill` all the same), and so is a task whose pod is evicted.
Cancelling a job that was paid for is right in the first case only, so the state in the database decides.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.providers.common.compat.sdk import Context
from airflow.triggers.base import BaseTrigger
from asgiref.sync import sync_to_async

from airflow_provider_veo.api.video import Video

PROGRESS_KEY = "progress"
"""The XCom of a create task that shows, while the task waits, how far its video is."""

AIRFLOW_KILLS_TRIGGERS = hasattr(BaseTrigger, "on_kill")
"""Since Airflow 3.3: a user's action reaches a trigger by its `on_kill`."""

STORE_EXISTS = "task_state_store" in getattr(Context, "__annotations__", {})
"""Since Airflow 3.3: tasks have a state store."""

_CAN_PUBLISH = AIRFLOW_KILLS_TRIGGERS  # the same version; earlier ones mix up answers when a call is cancelled

_GOES_ON = ("running", "deferred", "up_for_retry", "scheduled", "queued")
"""States of a task that this try, or the next one, goes on with. A process that Airflow has given up for dead sees
those of the retry, and must not cancel the job that the retry collects. It sees `restarting` after a Clear."""

log = logging.getLogger(__name__)


async def trigger_was_given_up(ti: Any) -> bool:
    """Whether the task of a trigger is no longer deferred. Where that cannot be learnt: no.

    Args:
        ti: the trigger's `task_instance`; None where no triggerer runs it.
    """
    try:
        return ti is not None and await _state(ti) != "deferred"
    except Exception:
        log.exception("The state of the task could not be learnt, so its video is not cancelled")
        return False


def task_was_given_up(ti: Any) -> bool:
    """Whether nobody will go on with a task that this worker runs. Where that cannot be learnt: no.

    Args:
        ti: from the task's context.
    """
    try:
        return _state_on_worker(ti) not in _GOES_ON
    except Exception:
        log.exception("The state of the task could not be learnt, so its video is not cancelled")
        return False


def task_has_succeeded(ti: Any) -> bool:
    """Whether Airflow has taken the success of a task that this worker runs.

    Args:
        ti: from the task's context.
    """
    return _state_on_worker(ti) == "success"


def progress_of(video: Video) -> str:
    """Return what `PROGRESS_KEY` holds of a running job."""
    return progress_text(video.status_word or video.status.value, video.progress)


def progress_text(status: str, percent: float | None) -> str:
    """Return what `PROGRESS_KEY` holds, like `processing 42 %`: a text, since the UI folds up everything else."""
    return status if percent is None else f"{status} {percent:g} %"


async def publish_progress(ti: Any, progress: str) -> None:
    """Write an XCom from a trigger; nothing happens on Airflow before 3.3.

    Args:
        ti: the trigger's `task_instance`.
        progress: see `progress_of`.
    """
    if not _CAN_PUBLISH:
        return
    from airflow.sdk.execution_time.comms import SetXCom  # noqa: PLC0415
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS  # noqa: PLC0415

    await SUPERVISOR_COMMS.asend(
        SetXCom(
            key=PROGRESS_KEY,
            value=progress,
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=ti.map_index,
        )
    )


async def _state(ti: Any) -> str | None:
    try:
        from airflow.sdk.execution_time.comms import GetTaskStates  # noqa: PLC0415 - Airflow 3
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS  # noqa: PLC0415
    except ImportError:
        return await sync_to_async(_state_in_database)(ti)
    question = GetTaskStates(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)
    answer: Any = await SUPERVISOR_COMMS.asend(question)
    return _pick(ti, answer.task_states)


def _state_on_worker(ti: Any) -> str | None:
    if not hasattr(ti, "get_task_states"):
        return _state_in_database(ti)
    found = ti.get_task_states(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)
    return _pick(ti, found)


def _pick(ti: Any, states: dict[str, Any]) -> str | None:
    # the answer's keys, as Airflow builds them for mapped and for other tasks
    name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
    state = states.get(ti.run_id, {}).get(name)
    return None if state is None else str(getattr(state, "value", state))


def _state_in_database(ti: Any) -> str | None:
    """Airflow 2: triggers and tasks reach the database themselves."""
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        state = (
            session.query(TaskInstance.state)
            .filter_by(dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index)
            .scalar()
        )
    return None if state is None else str(getattr(state, "value", state))
