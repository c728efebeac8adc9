"""Order a job, or find the job that an earlier try has ordered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from airflow_provider_veo.api.answers.own_words import NO_TEXTS, OwnWords
from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import VeoError
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.observability.tracing import span
from airflow_provider_veo.orders import adoption, advice
from airflow_provider_veo.orders.decision import (
    Adopt,
    Ask,
    Follow,
    HandOver,
    Known,
    Look,
    Refuse,
    Submit,
    adopt_record,
    decide,
    read_job_state,
    was_sent_recently,
)
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.messages import describe_collecting
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.record import Kept, OrderRecord
from airflow_provider_veo.orders.sender import OrderSender
from airflow_provider_veo.orders.store import NAMED_KEY, OrderStore
from airflow_provider_veo.storage.files import StoredVideo
from airflow_provider_veo.utils.task_instance import TaskLog

T = TypeVar("T")

log = logging.getLogger(__name__)


class JobOrders:
    """Orders a job for one task instance, or finds the one that an earlier try has ordered.

    Args:
        client: Client of the API.
        store: Store of the task instance's order record.
        task: Identity of the task instance.
        log: Logger of the task.
        find: Function that returns the stored video on record if it is there unchanged, or None. Its arguments are the
            ID of the job and the stored video on record.
    """

    def __init__(
        self,
        client: VeoClient,
        store: OrderStore,
        task: TaskIdentity,
        log: TaskLog,
        find: Callable[[str | None, Kept], StoredVideo | None],
    ) -> None:
        self._client = client
        self._store = store
        self._task = task
        self._log = log
        self._find = find
        self._sender = OrderSender(client, store, task, log, self._find_leads)

    def order_or_resume(self, order: Order, spec: VideoSpec) -> HandOver | Follow:
        """Return the job to wait for, an earlier one or a new one; or the stored video of an earlier try.

        Args:
            order: The order that the task wants.
            spec: Request that the order sends.

        Raises:
            NotOrderedError: A limit forbids another order: `max_submissions`, `MOST_POSTS`, or the deadline.
            UnknownSubmissionError: It is unknown whether an order made a job.
            VeoError: Nothing was ordered for another reason; see `api.errors`.
        """
        record = self._sender.read_record(order)
        known = Known(named=self._store.read_named() if record and record.is_unknown else None)
        while True:
            step = decide(record, order, self._task.key, known)
            match step:
                case Look():
                    known = replace(known, has_looked=True, stored=self._find(step.video_id, step.kept))
                case Ask():
                    known = self._ask(step, known, order, spec)
                case HandOver():
                    self._sender.resume(record, step.record, f"the stored video {step.record.video_id}")
                    return step
                case Follow():
                    self._sender.resume(record, step.record, f"video {step.video_id}")
                    return step
                case Adopt():
                    return self._adopt(step, order)
                case Submit():
                    self._sender.warn_of_abandoned(record, order)
                    return self._submit(step.record, order, spec)
                case Refuse():
                    raise self._sender.make_error(step, order)

    def _ask(self, step: Ask, known: Known, order: Order, spec: VideoSpec) -> Known:
        answer = self._get_video(step.video_id, spec.own_words)
        words = answer.status.value if isinstance(answer, Video) else answer
        self._log.info("Video %s was ordered by an earlier try: %s", step.video_id, words)
        state = read_job_state(answer, is_recent=was_sent_recently(step.record, order))
        return replace(known, job_state=state, job=answer if isinstance(answer, Video) else None)

    def _get_video(self, video_id: str, own: OwnWords = NO_TEXTS) -> Video | VeoError:
        try:
            return self._client.get_video(video_id, own)
        except VeoError as error:
            return error

    def _adopt(self, step: Adopt, order: Order) -> Follow:
        """Return the job that a person has named for an unknown order; see `adoption`.

        Raises:
            NotOrderedError: The task cannot continue with the job.
        """
        video_id = adoption.read_id(step.named)
        adoption.check_order(step.record, order, video_id)
        is_recent = was_sent_recently(step.record, order)
        job = adoption.check_job(video_id, self._get_video(video_id), is_recent=is_recent)
        if not adoption.is_same_model(order.model, job.model):
            profile = self._client.settings.profile
            adoption.check_model(video_id, order.model, job.model, self._list_models(), profile)
        adopted = adopt_record(step.record, order, video_id)
        self._store.write(adopted)  # before the key is deleted: after a crash in between, no task reads the key
        self._store.delete_named()
        self._log.info("Continuing with video %s, which %s names; nothing new was ordered", video_id, NAMED_KEY)
        return Follow(adopted, video_id, job)

    def _list_models(self) -> set[str]:
        """Return the models that the server lists, which an order could have named."""
        listed = _list_or_nothing(self._client.list_models)
        return {*listed, *(job.model for job in _list_or_nothing(self._client.list_videos) if job.model)}

    def _submit(self, intent: OrderRecord, order: Order, spec: VideoSpec) -> Follow:
        with span("veo.create_video", model=spec.model) as traced:
            sent, job = self._sender.send(
                intent,
                order,
                lambda before_post: self._client.create_video(spec, intent.idempotency_key, before_post),
            )
            record = self._sender.accept(sent, spec.model, video_id=job.id)
            traced.set_attribute("veo.video_id", job.id)
        self._log.info(
            "Video %s ordered from %s (model %s, order %d of at most %d)",
            job.id,
            self._client.settings.base_url,
            spec.model,
            record.submissions,
            order.max_submissions,
        )
        return Follow(record, job.id, job)

    def _find_leads(self, record: OrderRecord, order: Order) -> str:
        """Return sentences that help to find the job of an unknown order, and to continue with it."""
        failed_at = min(time.time(), record.sent_at + self._client.settings.timeout)
        window = adoption.Window.of(record, failed_at)
        jobs = adoption.find_candidates(_list_or_nothing(self._client.list_videos), record, window, order.model)
        leads = [adoption.describe_candidates(jobs)] if jobs else []
        if self._store.is_there:
            call = adoption.describe_rest_call(self._task, record.video_id)
            leads.append(
                f"To continue with it at no further cost, write its id under the key {NAMED_KEY} into the task's state "
                f"store, in Airflow's UI (Task State Store; the id in double quotes) or by its REST API: {call}; then "
                f"clear this task{advice.KEEPING_THE_STORE}."
            )
        return " ".join((*leads, describe_collecting(record)))


def _list_or_nothing(ask: Callable[[], list[T]]) -> list[T]:
    """Return the list of a server, or an empty one after any error: the error of the caller is more important."""
    try:
        return ask()
    except Exception:
        log.debug("The server does not list anything", exc_info=True)
        return []
