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
from airflow_provider_veo.orders.decision import Forbidden, Refuse, find_abandoned, find_limit, was_cleared
from airflow_provider_veo.orders.failures import find_pause, is_unknown
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.messages import (
    describe_collecting,
    format_time,
    make_limit_error,
    make_unknown_error,
)
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.record import OrderRecord
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
        if not self._store.is_there:
            self._log.warning(
                "This Airflow has no task state store (3.3 and later have): a retry of this task orders again."
            )
        record, attempt = intent, 1

        def write_intent() -> None:
            nonlocal record
            now = time.time()
            if why := find_limit(record, order, now):
                raise make_limit_error(why, record, order)
            sent = record.as_sent(now)
            self._store.write(sent)
            record = sent

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
        named = replace(record, video_id=job_id)
        self._store.write_or_log(named)
        return named

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
        accepted = sent.as_accepted(video_id)
        self._store.write_or_log(accepted)
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
        if resumed != before:
            self._store.write_or_log(resumed)
        if resumed.by_clear:
            self._log.info(
                "This task was cleared, and the record shows no success with this video, so the clear "
                "costs nothing. Once the task has succeeded, another clear orders a new video."
            )

    def warn_of_abandoned(self, record: OrderRecord | None, order: Order) -> None:
        """Warn about a paid order that no task collects, since the request has changed.

        Args:
            record: The record of the latest order; None if there is none.
            order: The order that is sent now.
        """
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
