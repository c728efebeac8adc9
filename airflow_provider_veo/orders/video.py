"""Order videos, or find the ones that were ordered before: the shell around the decisions of `submission`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pendulum
from airflow.providers.common.compat.sdk import Context

from airflow_provider_veo.api.client import BeforePost, VeoClient
from airflow_provider_veo.api.errors import NotOrderedError, UnknownSubmissionError, VeoError
from airflow_provider_veo.api.net import urls
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.observability import metrics
from airflow_provider_veo.observability.tracing import span
from airflow_provider_veo.orders import adoption, advice
from airflow_provider_veo.orders.submission import (
    MOST_POSTS,
    NAMED_KEY,
    Action,
    Ledger,
    Order,
    Submission,
    create_pause,
    decide,
    forbidden,
    is_unknown,
    left_behind,
    next_submission,
    remote_of,
    was_cleared,
)
from airflow_provider_veo.storage.errors import text_of
from airflow_provider_veo.storage.files import StoredVideo

T = TypeVar("T")

log = logging.getLogger(__name__)

_YOUNG = 60.0
"""Seconds after an order in which some servers do not know it yet."""


@dataclass(frozen=True)
class TaskIdentity:
    """A task instance, over all its tries.

    Attributes:
        epoch: its `max_tries`: the same over retries, another after a Clear.
        try_number: see `Submission`.
        clear_number: see `Submission`.
        retries: see `Order`.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    epoch: int
    try_number: int | None = None
    clear_number: int | None = None
    retries: int | None = None

    @classmethod
    def of(cls, context: Context) -> TaskIdentity:
        """Read it from a task's context."""
        ti: Any = context["ti"]
        return cls(
            ti.dag_id,
            ti.run_id,
            ti.task_id,
            ti.map_index,
            ti.max_tries or 0,
            try_number=_count(ti, "try_number"),
            clear_number=_count(context.get("dag_run"), "clear_number"),
            retries=_count(context.get("task"), "retries"),
        )

    @property
    def key(self) -> str:
        """The place of the task instance, unambiguously; the same over all its tries."""
        return "\0".join((self.dag_id, self.run_id, self.task_id, str(self.map_index)))

    def __str__(self) -> str:
        index = "" if self.map_index < 0 else f"[{self.map_index}]"
        return f"Dag {self.dag_id}, run {self.run_id}, task {self.task_id}{index}"


def _count(owner: Any, name: str) -> int | None:
    value = getattr(owner, name, None)
    return value if type(value) is int else None


class Desk:
    """Sends orders for one task instance, and keeps the record of them.

    Args:
        client: of the API.
        ledger: the task instance's record.
        who: the task instance.
        log: its logger.
    """

    def __init__(self, client: VeoClient, ledger: Ledger, who: TaskIdentity, log: Any) -> None:
        self._client = client
        self._ledger = ledger
        self._who = who
        self._log = log

    def _send(self, intent: Submission, order: Order, send: Callable[[BeforePost], T]) -> tuple[Submission, T]:
        """Send an order until it is answered, refused for good, or its fate is unknown.

        Each request is on record before it leaves, and so is each refusal before anything else happens: a crash in a
        pause is no unknown order.

        Args:
            intent: see `next_submission`.
            order: what the task wants.
            send: sends it; calls what it is given before each request.

        Returns:
            The record of the request that was answered, and the answer.

        Raises:
            UnknownSubmissionError: nobody knows whether it arrived.
            VeoError: it surely made nothing.
        """
        if not self._ledger.remembers:
            self._log.warning(
                "This Airflow has no task state store (3.3 and later have): a retry of this task orders again."
            )
        record, attempt = intent, 1

        def before_post() -> None:
            nonlocal record
            now = time.time()
            if reason := forbidden(record, order, now):
                raise self._refusal(reason, record, order)
            posted = record.posted(now)
            self._ledger.write(posted)
            record = posted

        while True:
            try:
                answer = send(before_post)
            except Exception as error:
                if record is intent:  # it has not come to a request
                    raise
                if is_unknown(error):
                    raise self._unknown(self._with_job(record, error), order, text_of(error)) from error
                self._ledger.note(record.refused())
                pause = create_pause(error, attempt)
                if pause is None or forbidden(record, order, time.time() + pause):
                    advice.nothing_ordered(error)
                    raise
                self._log.warning("Not ordered yet, the next attempt follows in %.1f s. %s", pause, error)
            else:
                return record, answer
            time.sleep(pause)
            attempt += 1

    def _with_job(self, record: Submission, error: Exception) -> Submission:
        """Put on record which job an answer names, if it names one and is an error all the same."""
        job_id = getattr(error, "job_id", None)
        if not job_id:
            return record
        named = replace(record, video_id=job_id)
        self._ledger.note(named)
        return named

    def _go_on(self, record: Submission, order: Order, what: str, *, is_running: bool = False) -> Submission:
        """Return the record of a try that orders nothing, and write it down if the task was cleared.

        Args:
            record: of an earlier try.
            order: what the task wants.
            what: there is to go on with.
            is_running: see `Submission.followed`.
        """
        followed = record.followed(order, is_running=is_running)
        self._log.info("Going on with %s; nothing new was ordered", what)
        if followed != record:
            self._ledger.note(followed)
        if was_cleared(record, order):
            self._log.info(
                "This task was cleared, and it is not on record that it had succeeded with this video, so the Clear "
                "costs nothing. Once the task has succeeded, another Clear orders a new video."
            )
        return followed

    def _warn_of_change(self, record: Submission | None, order: Order) -> None:
        left = left_behind(record, order)
        if left is None:
            return
        self._log.warning(
            "The request differs from the one before: its prompt, a frame or another argument has changed. The order "
            "of %s is left alone, and nothing here collects it. %s This request is ordered anew%s.",
            _iso(left.sent_at),
            _collecting(left),
            "" if was_cleared(left, order) else ", which counts towards max_submissions",
        )

    def _refusal(self, action: Action, record: Submission, order: Order) -> VeoError:
        if action is Action.STOP_UNKNOWN:
            return self._unknown(record, order, "The task ended between the order and the answer")
        if action is Action.STOP_EXHAUSTED:
            return NotOrderedError(
                f"This task has ordered {record.submissions} times since it was last cleared (the last: "
                f"{_what(record)}), and max_submissions={order.max_submissions} allows no more. "
                "Clear the task to order again."
            )
        if action is Action.STOP_POSTS:
            return NotOrderedError(
                f"This task has sent {record.posts} requests to order since it was last cleared, and no more than "
                f"{MOST_POSTS} are sent. They were refused, never arrived, or came to nothing; the errors of its "
                "earlier tries say why. Clear the task to order again."
            )
        one = f"another one (the last: {_what(record)})" if record.posts else "an order"
        return NotOrderedError(
            f"Nothing was ordered now: the time for {one} is over (timeout {order.timeout:g} s from "
            f"{_iso(record.waiting_since)}{_and_this_try(order)}). Clear the task to order again."
        )

    def _unknown(self, record: Submission, order: Order, what: str) -> UnknownSubmissionError:
        permanent = order.on_unknown_submission == "fail"
        then = (
            "If it is not there, clear this task: that orders a new video. "
            "(on_unknown_submission='resubmit' lets retries do so unasked.)"
            if permanent
            else "If it is not there, do nothing: a retry will order again, with the same idempotency key."
        )
        host = urls.redact(self._client.settings.base_url)
        return UnknownSubmissionError(
            f"Nobody knows whether a video was ordered. {what.rstrip('.')}. ({self._who}; sent {_iso(record.sent_at)} "
            f"to {host}, connection {order.conn_id!r}, model {order.model}; request fingerprint {record.fingerprint}; "
            f"Idempotency-Key {record.idempotency_key}.) Look in the gateway's console for a job of that time and "
            f"model: if it is there, its video may have been billed. {self._leads(record, order)}{then}",
            permanent=permanent,
            video_id=record.video_id,
        )

    def _leads(self, record: Submission, order: Order) -> str:  # noqa: ARG002 - a job can be named, a call cannot
        """Return what helps to go on with what came of an unknown order: sentences, each with a blank behind it."""
        return f"{_collecting(record)} "


class OrderDesk(Desk):
    """Orders a job, or finds the one that was ordered before.

    Args:
        find: returns the stored video of a record, or None if it is not there unchanged. For the others see `Desk`.
    """

    def __init__(
        self,
        client: VeoClient,
        ledger: Ledger,
        who: TaskIdentity,
        log: Any,
        find: Callable[[Submission], StoredVideo | None],
    ) -> None:
        super().__init__(client, ledger, who, log)
        self._find = find

    def order_or_resume(self, order: Order, spec: VideoSpec) -> tuple[Submission, Video | StoredVideo | None]:
        """Return a record that has a job, the one that was there or a new one; and what is known of that job.

        That is its stored video if it is there, or else its status if it was asked for.

        Raises:
            NotOrderedError: `max_submissions`, `MOST_POSTS` or the deadline forbid another order.
            UnknownSubmissionError: an order's fate is unknown.
            VeoError: see `api.errors`; nothing was ordered then.
        """
        record = self._ledger.read()
        named = self._ledger.read_named() if record and record.is_unknown else None
        action, stored, seen = decide(record, order, is_named=named is not None), None, None
        if action is Action.ADOPT:
            assert record is not None
            return self._adopt(record, order, named)
        if action is Action.LOOK:
            assert record is not None
            stored = self._find(record)
            action = decide(record, order, is_there=stored is not None)
        if action is Action.HAND_OVER:
            assert record is not None
            return self._go_on(record, order, f"the stored video {record.video_id}"), stored
        if action is Action.ASK:
            assert record is not None
            seen = self._ask(record, spec)
            remote = remote_of(seen, young=order.now < record.sent_at + _YOUNG)
            action = decide(record, order, remote, is_there=False)
        if action is Action.FOLLOW:
            assert record is not None
            video = seen if isinstance(seen, Video) else None
            is_running = video is not None and not video.status.finished
            return self._go_on(record, order, f"video {record.video_id}", is_running=is_running), video
        if action in (Action.SUBMIT_NEW, Action.SUBMIT_AGAIN):
            self._warn_of_change(record, order)
            return self._submit(next_submission(record, order, action, self._who.key), order, spec)
        assert record is not None
        raise self._refusal(action, record, order)

    def _adopt(self, record: Submission, order: Order, named: Any) -> tuple[Submission, Video]:
        """Go on with the job that a person has named; see `adoption`.

        Raises:
            NotOrderedError: the task cannot go on with it.
        """
        video_id = adoption.usable_id(named)
        adoption.check_order(record, order, video_id)
        seen: Video | VeoError
        try:
            seen = self._client.get_video(video_id)
        except VeoError as error:
            seen = error
        job = adoption.check_job(video_id, seen, young=order.now < record.sent_at + _YOUNG)
        if not adoption.same_model(order.model, job.model):
            adoption.check_model(video_id, order.model, job.model, self._known_models(), self._client.settings.profile)
        adopted = record.adopted_by_hand(video_id, order)
        self._ledger.write(adopted)  # first: a crash in between leaves a key that nobody reads
        self._ledger.forget_named()
        self._log.info("Going on with video %s, which %s names; nothing new was ordered", video_id, NAMED_KEY)
        return adopted, job

    def _known_models(self) -> set[str]:
        """Return the models by which an order could have been placed here, as far as the server tells."""
        listed = _or_nothing(self._client.list_models)
        return {*listed, *(job.model for job in _or_nothing(self._client.list_videos) if job.model)}

    def _leads(self, record: Submission, order: Order) -> str:
        failed_at = min(time.time(), record.sent_at + self._client.settings.timeout)
        window = adoption.Window.of(record, failed_at)
        jobs = adoption.candidates(_or_nothing(self._client.list_videos), record, window, order.model)
        found = ", ".join(f"{job.id} ({job.status.value}, created {job.created_at})" for job in jobs)
        leads = [f"The server lists of that time and model, the nearest first: {found}." if found else ""]
        if self._ledger.remembers:
            call = adoption.rest_call(self._who, record.video_id)
            leads.append(
                f"To go on with it at no further cost, write its id under the key {NAMED_KEY} into the task's state "
                f"store, in Airflow's UI (Task State Store; the id in double quotes) or by its REST API: {call}; then "
                f"clear this task{advice.KEEPING_THE_STORE}."
            )
        return "".join(f"{lead} " for lead in (*leads, _collecting(record)) if lead)

    def _ask(self, record: Submission, spec: VideoSpec) -> Video | VeoError:
        seen: Video | VeoError
        try:
            seen = self._client.get_video(str(record.video_id), spec.own_words)
        except VeoError as error:
            seen = error
        words = seen.status.value if isinstance(seen, Video) else seen
        self._log.info("Video %s was ordered by an earlier try: %s", record.video_id, words)
        return seen

    def _submit(self, intent: Submission, order: Order, spec: VideoSpec) -> tuple[Submission, Video]:
        with span("veo.create_video", model=spec.model) as traced:
            posted, video = self._send(
                intent,
                order,
                lambda before_post: self._client.create_video(spec, intent.idempotency_key, before_post),
            )
            submitted = posted.accepted(video.id)
            self._ledger.note(submitted)  # before anything else: from here on nothing can be paid for again
            traced.set_attribute("veo.video_id", video.id)
        metrics.send(metrics.measure_order(spec.model, 1), self._who)
        self._log.info(
            "Video %s ordered from %s (model %s, order %d of at most %d)",
            video.id,
            self._client.settings.base_url,
            spec.model,
            submitted.submissions,
            order.max_submissions,
        )
        return submitted, video


def _or_nothing(ask: Callable[[], list[T]]) -> list[T]:
    """Return what a server says, or nothing where it does not: this must not hide why it is asked."""
    try:
        return ask()
    except Exception:
        log.debug("The server does not tell", exc_info=True)
        return []


def _what(record: Submission) -> str:
    return f"video {record.video_id}" if record.video_id else f"{len(record.urls)} videos came of it"


def _collecting(record: Submission) -> str:
    """Say how to get what came of an order that no task goes on with."""
    if record.video_id:
        return f"VeoDownloadOperator(video_id={record.video_id!r}) stores its video, {record.video_id}."
    if record.urls:
        return f"VeoDownloadOperator(url=...) stores its {len(record.urls)} videos, whose addresses are on record."
    return "VeoDownloadOperator stores it by the job's id."


def _and_this_try(order: Order) -> str:
    if order.execution_timeout is None:
        return ""
    return f", and execution_timeout {order.execution_timeout:g} s from {_iso(order.now)}"


def _iso(moment: float) -> str:
    return pendulum.from_timestamp(int(moment)).to_iso8601_string()
