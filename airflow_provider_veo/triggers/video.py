"""The trigger that waits for a video in the triggerer, where thousands of waits share one process."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.polling.decision import News, WaitPolicy
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.polling.schedule import OPENING
from airflow_provider_veo.api.video import VideoStatus
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.observability.progress import format_progress_of
from airflow_provider_veo.triggers.poller import Poller, join, leave
from airflow_provider_veo.utils.airflow_internals import trigger_was_given_up
from airflow_provider_veo.version_compat import AIRFLOW_V_3_3_PLUS

LONGEST_HOLD = 600.0
"""Longest time in seconds for which an event is held back, even if the clocks of worker and triggerer differ."""

_CANCEL_TIMEOUT = 20.0  # seconds; Airflow allows 30


class VeoVideoTrigger(BaseTrigger):
    """Fires one event when a video is finished, or when the wait for it ends without one.

    The trigger only reads, so two triggerers may run it at the same time. Airflow stores its arguments as plain text in
    its database, so they hold no key, no prompt and no URL.

    Args:
        conn_id: Airflow connection of the API.
        video_id: ID of the job.
        submitted_at: Time of the order, as Unix time in seconds.
        deadline: Time at which the wait ends, as Unix time in seconds. It holds after restarts of the triggerer.
        poll_interval: Seconds between two status calls. None: the schedule chooses them.
        model: Model of the order. The schedule learns from earlier jobs of the same model.
        cancel_on_kill: Whether to cancel the job when a user marks or clears the deferred task.
        not_before: Time before which the event must not fire, as Unix time in seconds (`tasks.deferral` explains
            it). None in rows of earlier versions. It has no effect without a triggerer (`dag.test()`, unit tests).
        opening: Seconds from the order to the first status call, while no earlier job of the model is known. None in
            rows of earlier versions.
        backend: Name of the backend by which the job was ordered; None if it is not known.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        video_id: str,
        submitted_at: float,
        deadline: float,
        poll_interval: float | None = None,
        model: str | None = None,
        cancel_on_kill: bool = True,
        not_before: float | None = None,
        opening: float | None = None,
        backend: str | None = None,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.video_id = video_id
        self.submitted_at = submitted_at
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.model = model
        self.cancel_on_kill = cancel_on_kill
        self.not_before = not_before
        self.opening = opening
        self.backend = backend
        self._is_completed = False
        self._poller: Poller

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, as Airflow stores them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "conn_id": self.conn_id,
                "video_id": self.video_id,
                "submitted_at": self.submitted_at,
                "deadline": self.deadline,
                "poll_interval": self.poll_interval,
                "model": self.model,
                "cancel_on_kill": self.cancel_on_kill,
                "not_before": self.not_before,
                "opening": self.opening,
                "backend": self.backend,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire one event with the payload of `Outcome.to_event`."""
        try:
            outcome = await self._wait()
            self._is_completed = outcome.kind == "completed"
            await self._hold_back()
            yield TriggerEvent(outcome.to_event())
        except asyncio.CancelledError:
            if not AIRFLOW_V_3_3_PLUS:
                await self.on_kill()
            raise

    async def on_kill(self) -> None:
        """Cancel the job if a user has stopped the task.

        Airflow 3.3 also calls this method when a trigger moves to another triggerer, and before 3.3 every cancellation
        calls it. So the state of the task in the database decides.
        """
        if not self.cancel_on_kill or self._is_completed:  # cancelling a finished job deletes its video
            return
        cancelling = asyncio.create_task(asyncio.wait_for(self._cancel_video(), _CANCEL_TIMEOUT))
        while not cancelling.done():
            # Airflow 3.3 cancels the trigger again every second until it has ended. This must not cancel the call that
            # cancels the job.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({cancelling})
        if not cancelling.cancelled() and (error := cancelling.exception()):
            self.log.warning("Video %s could not be cancelled and may still be billed: %r", self.video_id, error)

    async def _hold_back(self) -> None:
        """Wait until Airflow has surely recorded that the task is deferred."""
        if self.task_instance is None or self.not_before is None:
            return
        seconds = min(self.not_before - time.time(), LONGEST_HOLD)
        if seconds > 0:
            self.log.info("The wait for video %s is over. The task resumes in %.1f s", self.video_id, seconds)
            await asyncio.sleep(seconds)

    async def _cancel_video(self) -> None:
        if await trigger_was_given_up(self.task_instance):
            await VeoHook(self.conn_id).acancel_video(self.video_id)

    def _report(self, news: News) -> None:
        self.log.info(news.text)
        if news.video:
            self._poller.progress.publish(self.task_instance, format_progress_of(news.video))

    async def _wait(self) -> Outcome:
        opening = OPENING if self.opening is None else self.opening
        policy = WaitPolicy(self.submitted_at, self.deadline, self.poll_interval, opening=opening)
        try:
            self._poller = join(self.conn_id)
            outcome = self._poller.wait_for_video(self.video_id, policy, self._report, self.model, self.backend)
            try:
                return await outcome
            finally:
                self._poller.cancel_call(outcome)
                self._poller.progress.forget(self.task_instance)
                await leave(self.conn_id)
        except Exception as error:  # noqa: BLE001 - the task must resume after any error, and handle it
            return Outcome(
                kind="error",
                video_id=self.video_id,
                status=VideoStatus.UNKNOWN.value,
                reason=Reason.UNKNOWN.value,
                message=make_line(
                    f"The wait for video {self.video_id} ended with an error: {type(error).__name__}: {error}", 2_000
                ),
            )
