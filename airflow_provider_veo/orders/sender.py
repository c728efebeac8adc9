"""Send an order: write the intent, send one request, write the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from airflow_provider_veo.api.client import BeforePost, VeoClient
from airflow_provider_veo.api.errors import VeoError
from airflow_provider_veo.api.net import urls
from airflow_provider_veo.observability import metrics
from airflow_provider_veo.orders import advice
from airflow_provider_veo.orders.decision import (
    Forbidden,
    Refuse,
    find_abandoned,
    find_limit,
    is_out_of_reach,
    is_over,
    was_cleared,
)
from airflow_provider_veo.orders.failures import find_pause, is_unknown
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.messages import (
    describe_collecting,
    format_time,
    make_limit_error,
    make_unknown_error,
)
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.record import OrderRecord, State
from airflow_provider_veo.orders.store import OrderStore
from airflow_provider_veo.storage.errors import text_of
from airflow_provider_veo.utils.task_instance import TaskLog

T = TypeVar("T")


class OrderSender:
    """Sends the orders of one task instance, for jobs and for chat calls, and keeps the record of them.

    Args:
        client: Client of the API.
        store: Store of the task instance's order record.
        task: Identity of the task instance.
        log: Logger of the task.
        find_leads: Function that returns sentences which help to find the job or the videos of an unknown order.
    """

    def __init__(
        self,
        client: VeoClient,
        store: OrderStore,
        task: TaskIdentity,
        log: TaskLog,
        find_leads: Callable[[OrderRecord, Order], str],
    ) -> None:
        self._client = client
        self._store = store
        self._task = task
        self._log = log
        self._find_leads = find_leads

    def read_record(self, order: Order) -> OrderRecord | None:
        """Return the record of the latest order of the task; None if there is none.

        A job of which only the order files know, and that cannot be asked for any more, counts as lost.

        Args:
            order: The order that the task wants.

        Raises:
            NotOrderedError: The record cannot be read; it may exist.
            InvalidInputError: `[veo] storage` is wrong, or the connection has another backend than the order.
        """
        record = self._store.read()
        if record and record.state is State.SUBMITTED and not is_over(record, order):
            self._client.settings.check_backend(record.backend, record.video_id)
        if record is None or not self._store.is_of_files or not is_out_of_reach(record, order):
            return record
        self._log.warning(
            "Video %s was ordered by an earlier try at %s, from %s. This task leaves it alone: it was ordered from "
            "another server, or so long ago that the server has deleted it. If it is still there, %s",
            record.video_id,
            format_time(record.sent_at),
            record.server,
            describe_collecting(record),
        )
        return record.as_lost()

    def send(self, intent: OrderRecord, order: Order, post: Callable[[BeforePost], T]) -> tuple[OrderRecord, T]:
        """Send an order until it is answered, surely refused, or unknown.

        Each request is recorded before it is sent, and each refusal is recorded before anything else happens. So a
        crash in a pause leaves no unknown order.

        Args:
            intent: The record to write before the request; see `decision.Submit`.
            order: The order that the task wants.
            post: Function that sends the order. It calls its argument before each request.

        Returns:
            The record of the request that was answered, and the answer.

        Raises:
            UnknownSubmissionError: It is unknown whether the request made a job.
            VeoError: The request surely made no job.
        """
        if not self._store.remembers:
            self._log.warning(
                "This Airflow has no task state store (3.3 and later have), and [veo] storage is not set: a retry of "
                "this task orders again."
            )
        record, attempt = intent, 1

        def write_intent() -> None:
            nonlocal record
            now = time.time()
            if why := find_limit(record, order, now):
                raise make_limit_error(why, record, order)
            record = self._store.write(record.as_sent(now))

        while True:
            try:
                answer = post(write_intent)
            except Exception as error:
                if record is intent:  # no request was sent
                    raise
                if is_unknown(error):
                    raise self._make_unknown_error(self._note_job(record, error), order, text_of(error)) from error
                self._store.write_or_log(record.as_refused())
                pause = find_pause(error, attempt)
                if pause is None or find_limit(record, order, time.time() + pause):
                    advice.add_nothing_ordered(error)
                    raise
                self._log.warning("Not ordered yet, the next attempt follows in %.1f s. %s", pause, error)
            else:
                return record, answer
            time.sleep(pause)
            attempt += 1

    def _note_job(self, record: OrderRecord, error: Exception) -> OrderRecord:
        """Return the record with the job that an error's answer names, if it names one."""
        job_id = getattr(error, "job_id", None)
        if not job_id:
            return record
        return self._store.write_or_log(replace(record, video_id=job_id))

    def accept(
        self,
        sent: OrderRecord,
        model: str,
        *,
        video_id: str | None = None,
        videos: int = 1,
        charged_usd: float | None = None,
    ) -> OrderRecord:
        """Record that the server has accepted an order, before anything else, so that it is not paid for again.

        Args:
            sent: The record of the request that was answered.
            model: Name of the model.
            video_id: ID of the job; None for a chat call.
            videos: Number of videos that were ordered.
            charged_usd: Price of the order, if it is charged even without a video; None if only videos are charged.
        """
        accepted = self._store.write_or_log(sent.as_accepted(video_id))
        metrics.send(metrics.measure_order(model, videos, charged_usd), self._task)
        return accepted

    def resume(self, before: OrderRecord | None, resumed: OrderRecord, found: str) -> None:
        """Log that this try orders nothing, and write its record if the record has changed.

        Args:
            before: The record of the earlier try.
            resumed: The record of this try; see `decision.resume_record`.
            found: The job, or the videos, with which the task continues.
        """
        self._log.info("Continuing with %s; nothing new was ordered", found)
        if resumed != before or self._store.is_of_files:  # Airflow's store may have lost it
            self._store.write_or_log(resumed)
        if resumed.by_clear:
            self._log.info(
                "This task was cleared, and the record shows no success with this video, so the clear "
                "costs nothing. Once the task has succeeded, another clear orders a new video."
            )

    def warn_of_abandoned(self, record: OrderRecord | None, order: Order) -> None:
        """Warn about an order that was paid for, or may have been, and that no task collects.

        Args:
            record: The record of the latest order; None if there is none.
            order: The order that is sent now.
        """
        if record and record.fingerprint == order.fingerprint and was_cleared(record, order):
            self._warn_of_clear(record, order)
        abandoned = find_abandoned(record, order)
        if abandoned is None:
            return
        self._log.warning(
            "The request differs from the one before: its prompt, a frame or another argument has changed. The order "
            "of %s is left alone, and no task collects it. %s This request is ordered anew%s.",
            format_time(abandoned.sent_at),
            describe_collecting(abandoned),
            "" if was_cleared(abandoned, order) else ", which counts towards max_submissions",
        )

    def _warn_of_clear(self, record: OrderRecord, order: Order) -> None:
        """Warn about an order that a clear leaves behind, although its video may have been paid for."""
        if record.is_unknown:
            self._log.warning(
                "This task was cleared, so it orders again. It is unknown whether its order of %s made a job: that "
                "one may have been charged, too (server %s, Idempotency-Key %s). Look in the gateway's console for a "
                "job of that time. %s",
                format_time(record.sent_at),
                record.server or urls.redact(self._client.settings.base_url),
                record.idempotency_key,
                describe_collecting(record),
            )
        elif record.has_job and record.state is not State.DELIVERED and order.on_clear == "new":
            self._log.warning(
                "This task was cleared, and on_clear is 'new', so it orders another video, which is charged. The order "
                "of %s is paid for, and no task collects it. %s",
                format_time(record.sent_at),
                describe_collecting(record),
            )

    def make_error(self, step: Refuse, order: Order) -> VeoError:
        """Return the error of a task that may not order.

        Args:
            step: Decision that refuses the order.
            order: The order that the task wanted to send.
        """
        if step.why is Forbidden.UNKNOWN_ORDER:
            return self._make_unknown_error(step.record, order, "The task ended between the order and the answer")
        return make_limit_error(step.why, step.record, order)

    def _make_unknown_error(self, record: OrderRecord, order: Order, cause: str) -> VeoError:
        return make_unknown_error(
            record,
            order,
            self._task,
            base_url=urls.redact(self._client.settings.base_url),
            cause=cause,
            leads=self._find_leads(record, order),
        )
