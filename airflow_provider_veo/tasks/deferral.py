"""Defer a task to the trigger, for long enough to avoid a race in Airflow.

Airflow 3.3 may fail a task that resumes within some six seconds of its deferral: its scheduler then learns that the
process of the first part has ended only after the second part is queued, and takes that for a crash ("state mismatch"
in the Audit Log). So the trigger holds its event back until that time has passed.
"""

from __future__ import annotations

import time
from datetime import timedelta
from math import isfinite
from typing import NoReturn

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.polling.decision import WaitPolicy
from airflow_provider_veo.triggers.video import LONGEST_HOLD, VeoVideoTrigger

DEFAULT_SHORTEST = 10.0
"""Seconds. Airflow's supervisor was observed to take up to six to end the process of a deferred task."""

_MARGIN = timedelta(seconds=60)
"""Time between the trigger's last event and Airflow's own timeout, which only catches a trigger that has failed."""


def shortest_deferral() -> float:
    """Return the seconds that a deferral takes at least: the option `[veo] shortest_deferral`.

    Raises:
        InvalidInputError: The option is not a number of seconds from 0 to `LONGEST_HOLD`.
    """
    given = conf.get("veo", "shortest_deferral", fallback="")
    try:
        seconds = float(given) if given not in ("", None) else DEFAULT_SHORTEST
    except ValueError:
        seconds = -1.0
    if not (isfinite(seconds) and 0 <= seconds <= LONGEST_HOLD):
        raise InvalidInputError(
            f"[veo] shortest_deferral in Airflow's configuration is {given!r}; it must be a number of seconds from 0 "
            f"to {LONGEST_HOLD:g}. Leave it out for {DEFAULT_SHORTEST:g} seconds."
        )
    return seconds


def defer(
    task: BaseOperator,
    conn_id: str,
    video_id: str,
    policy: WaitPolicy,
    *,
    cancel_on_kill: bool,
    model: str | None = None,
    backend: str | None = None,
) -> NoReturn:
    """Free the worker slot of a task until a job is finished or the wait for it is over.

    Args:
        task: The operator. It resumes in its `execute_complete`.
        conn_id: ID of the Airflow connection.
        video_id: ID of the job.
        policy: Times and limits of the wait.
        cancel_on_kill: Whether to cancel the job when a user marks or clears the deferred task.
        model: Name of the model that was ordered; None if it is not known.
        backend: Name of the backend by which the job was ordered; None if it is not known.

    Raises:
        TaskDeferred: Always: by this signal, Airflow defers the task.
    """
    now = time.time()
    not_before = now + shortest_deferral()
    task.defer(
        trigger=VeoVideoTrigger(
            conn_id=conn_id,
            video_id=video_id,
            submitted_at=policy.submitted_at,
            deadline=policy.deadline,
            poll_interval=policy.poll_interval,
            model=model,
            cancel_on_kill=cancel_on_kill,
            not_before=not_before,
            opening=policy.opening,
            backend=backend,
        ),
        method_name="execute_complete",
        timeout=timedelta(seconds=max(policy.deadline, not_before) - now) + _MARGIN,
    )
