"""Publish the progress of deferred tasks, as an XCom of each task that Airflow's UI shows at once."""

from __future__ import annotations

import asyncio
import contextvars
import logging

from airflow_provider_veo.observability.keys import PROGRESS_KEY
from airflow_provider_veo.utils.airflow_internals import push_xcom_from_trigger
from airflow_provider_veo.utils.task_instance import Region, TaskInstanceKey, find_region

_Key = tuple[str, str, str, int, Region | None]
_Entry = tuple[TaskInstanceKey, str, contextvars.Context]

_PAUSE = 0.2
"""Seconds between two writes.

The triggerer's supervisor is one thread for all triggers, and an XCom keeps it busy for some milliseconds. With many
jobs the latest text of each task is therefore written in turn, and texts in between are left out.
"""

log = logging.getLogger(__name__)


class ProgressPublisher:
    """Publishes the latest progress of each task in the background; callers never wait."""

    def __init__(self) -> None:
        self._latest: dict[_Key, _Entry] = {}
        self._publishing: asyncio.Task[None] | None = None
        self._has_complained = False

    def publish(self, ti: TaskInstanceKey | None, progress: str) -> None:
        """Publish a text soon, unless a later one of the same task replaces it before.

        Args:
            ti: The trigger's `task_instance`; None if no triggerer runs the trigger, and nothing happens then.
            progress: Text that `format_progress` has returned.
        """
        if ti is None:
            return
        self._latest[_key_of(ti)] = ti, progress, contextvars.copy_context()
        if self._publishing is None or self._publishing.done():
            # in an empty context, since Airflow assigns log lines to tasks by the context
            self._publishing = contextvars.Context().run(asyncio.create_task, self._publish_in_turn())

    def forget(self, ti: TaskInstanceKey | None) -> None:
        """Drop the unpublished text of a task that no longer waits.

        Args:
            ti: The trigger's `task_instance`; None if no triggerer runs the trigger.
        """
        if ti is not None:
            self._latest.pop(_key_of(ti), None)

    async def _publish_in_turn(self) -> None:
        # never cancelled, since a supervisor's answer must be received; it ends when all texts are published
        while self._latest:
            ti, progress, context = self._latest.pop(next(iter(self._latest)))
            try:
                # in the context of the trigger, by which Airflow 3.4 knows the pass of a task loop
                await context.run(asyncio.create_task, push_xcom_from_trigger(ti, PROGRESS_KEY, progress))
            except Exception:  # the wait is more important, and one warning is enough
                level = logging.DEBUG if self._has_complained else logging.WARNING
                log.log(level, "The progress of a video could not be published", exc_info=True)
                self._has_complained = True
            await asyncio.sleep(_PAUSE)


def _key_of(ti: TaskInstanceKey) -> _Key:
    return ti.dag_id, ti.run_id, ti.task_id, ti.map_index, find_region(ti)
