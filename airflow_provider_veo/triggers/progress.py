"""Where the progress of waiting tasks is shown while nobody runs them: as an XCom of the task, live in Airflow's UI."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Any

from airflow_provider_veo.utils.airflow_internals import publish_progress

_PAUSE = 0.2
"""Seconds between two writes. The triggerer's supervisor is one thread for all triggers, and an XCom keeps it busy for
some milliseconds. So with many jobs a value is written now and then, always the newest."""

log = logging.getLogger(__name__)


class ProgressBoard:
    """Publishes progress in turn, the newest value of each task, in its own time: who has news never waits."""

    def __init__(self) -> None:
        self._news: dict[Any, tuple[Any, str]] = {}
        self._publishing: asyncio.Task[None] | None = None
        self._has_complained = False

    def show(self, ti: Any, progress: str) -> None:
        """Take a value to be published.

        Args:
            ti: the trigger's `task_instance`; None where no triggerer runs it.
            progress: what to show.
        """
        if ti is None:
            return
        self._news[_key(ti)] = ti, progress
        if self._publishing is None or self._publishing.done():
            # in an empty context, since Airflow tells by the context whose log a line belongs to
            self._publishing = contextvars.Context().run(asyncio.create_task, self._publish())

    def forget(self, ti: Any) -> None:
        """Drop what has not been published of a task that waits no longer."""
        if ti is not None:
            self._news.pop(_key(ti), None)

    async def _publish(self) -> None:
        # never cancelled, since the supervisor's answer would come to nobody; it ends when there is nothing new
        while self._news:
            ti, progress = self._news.pop(next(iter(self._news)))
            try:
                await publish_progress(ti, progress)
            except Exception:  # the wait is what counts, and one complaint is enough
                level = logging.DEBUG if self._has_complained else logging.WARNING
                log.log(level, "The progress of a video could not be published", exc_info=True)
                self._has_complained = True
            await asyncio.sleep(_PAUSE)


def _key(ti: Any) -> tuple[str, str, str, int]:
    return ti.dag_id, ti.run_id, ti.task_id, ti.map_index
