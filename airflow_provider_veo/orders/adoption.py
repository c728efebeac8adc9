"""Adopt the job that a person has found in the gateway's console for an unknown order.

The person writes the job's ID under `NAMED_KEY` into the task's state store. The pure functions of this module decide
whether the task may continue with that job; `video` asks the server and writes the record.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow_provider_veo.api.answers.answer import is_usable_id
from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.backends.profiles import GatewayProfile
from airflow_provider_veo.api.errors import ApiError, NotOrderedError, Reason, VeoError
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.record import OrderRecord
from airflow_provider_veo.orders.store import NAMED_KEY

MOST_CANDIDATES = 5

_CLOCK_DIFFERENCE = 60.0
"""Seconds by which the clocks of server and worker may differ."""

_THEN = (
    f"Nothing was ordered. Correct the key {NAMED_KEY} in the task's state store, or delete it, then clear the task."
)


def read_id(value: Any) -> str:
    """Return the job ID that a person has written.

    Args:
        value: Value in the task state store, of any JSON type.

    Raises:
        NotOrderedError: The value cannot be the ID of a job.
    """
    video_id = str(value) if type(value) is int else value.strip() if isinstance(value, str) else ""
    if not is_usable_id(video_id):
        raise NotOrderedError(
            f"{NAMED_KEY} is {make_line(repr(value), 100)}; it must be the id of a video job. {_THEN}"
        )
    return video_id


def check_order(record: OrderRecord, order: Order, video_id: str) -> None:
    """Refuse a job that, by the record, the unknown order cannot have made.

    Args:
        record: The record of the unknown order.
        order: The order that the task wants now.
        video_id: ID of the job.

    Raises:
        NotOrderedError: An earlier order of this task made the job, or the task's request has changed.
    """
    if video_id in record.earlier:
        raise NotOrderedError(
            f"Video {video_id}, which {NAMED_KEY} names, was made by an earlier order of this task, not by the "
            f"unknown one. {_THEN}"
        )
    if record.fingerprint != order.fingerprint:
        raise NotOrderedError(
            f"{NAMED_KEY} names video {video_id}, but the request has changed since the unknown order: its prompt, a "
            "frame or another argument. That video would not be the one that the task asks for now; "
            f"VeoDownloadOperator(video_id={video_id!r}) stores it. {_THEN}"
        )


def check_job(video_id: str, answer: Video | VeoError, *, is_recent: bool) -> Video:
    """Return the job as the server describes it.

    Args:
        video_id: ID of the job, as a person has written it.
        answer: The job, or the reason why the server does not describe it.
        is_recent: Whether the order is so recent that some servers do not know its job yet.

    Raises:
        NotOrderedError: The task cannot continue with the job, now or at all.
    """
    if isinstance(answer, VeoError):
        is_not_found = isinstance(answer, ApiError) and answer.reason is Reason.NOT_FOUND
        raise NotOrderedError(
            f"The status of video {video_id}, which {NAMED_KEY} names, could not be read: {answer} {_THEN}",
            permanent=answer.permanent and not (is_not_found and is_recent),
        )
    if not answer.may_be_there:
        why = f": {answer.message}" if answer.message else ""
        raise NotOrderedError(f"Video {video_id}, which {NAMED_KEY} names, is {answer.status.value}{why}. {_THEN}")
    if not answer.status_word:
        raise NotOrderedError(
            f"The server reports no status of video {video_id}, which {NAMED_KEY} names: it may not know it. {_THEN}",
            permanent=not is_recent,
        )
    return answer


def is_same_model(ordered: str, reported: str | None) -> bool:
    """Return whether two names mean one model. Upper and lower case, and a provider before a slash, do not matter.

    Args:
        ordered: Name of the model in the order.
        reported: Name of the model that the server reports; None if it reports none.
    """
    return reported is None or _normalize(reported) == _normalize(ordered)


def check_model(
    video_id: str, ordered: str, reported: str | None, known: Collection[str], profile: GatewayProfile
) -> None:
    """Refuse a job of another model.

    A gateway may report the name that its upstream uses, which no order can name. So a different name means another
    model only if an order could have named it: this server offers it, or both names belong to the gateway's profile.

    Args:
        video_id: ID of the job.
        ordered: Name of the model that was ordered.
        reported: Name of the model that the server reports for the job; None where it reports none.
        known: Names of the models that the server offers, and of those of the jobs that it lists.
        profile: Profile of the gateway.

    Raises:
        NotOrderedError: The job is of another model.
    """
    if reported is None or is_same_model(ordered, reported):
        return
    names = {_normalize(name) for name in known} | (set(profile.models) if ordered in profile.models else set())
    if _normalize(reported) in names:
        raise NotOrderedError(
            f"Video {video_id}, which {NAMED_KEY} names, is of the model {reported}, and {ordered} was ordered. {_THEN}"
        )


def _normalize(model: str) -> str:
    return model.lower().rsplit("/", 1)[-1].strip()


@dataclass(frozen=True)
class Window:
    """The time in which a server may have made the job of an order.

    Attributes:
        begin: Unix time of the beginning, in seconds.
        end: Unix time of the end, in seconds.
    """

    begin: float
    end: float

    @classmethod
    def of(cls, record: OrderRecord, failed_at: float) -> Window:
        """Return the window of an order, with a minute before and after, since clocks differ.

        Args:
            record: The record of the order.
            failed_at: Unix time at which the order became unknown.
        """
        return cls(record.sent_at - _CLOCK_DIFFERENCE, failed_at + _CLOCK_DIFFERENCE)


def find_candidates(jobs: Iterable[Video], record: OrderRecord, window: Window, model: str) -> list[Video]:
    """Return the jobs that an order may have made, the nearest in time first, `MOST_CANDIDATES` at most.

    Args:
        jobs: Jobs that the server lists.
        record: The record of the order.
        window: Time in which the server may have made the job.
        model: Name of the model that was ordered.
    """

    def measure_distance(job: Video) -> float | None:
        """Return the seconds between the order and the job; None if the order cannot have made it."""
        created_at = None if job.created_at is None else job.created_at.timestamp()
        if created_at is None or not window.begin <= created_at <= window.end:
            return None
        may_be_it = is_same_model(model, job.model) and job.id not in record.earlier
        return abs(created_at - record.sent_at) if may_be_it else None

    near = [(seconds, job) for job in jobs if (seconds := measure_distance(job)) is not None]
    return [job for _, job in sorted(near, key=lambda pair: pair[0])[:MOST_CANDIDATES]]


def describe_candidates(jobs: Iterable[Video]) -> str:
    """Return a sentence that lists jobs.

    Args:
        jobs: Jobs that an order may have made, the nearest in time first.
    """
    found = ", ".join(f"{job.id} ({job.status.value}, created {job.created_at})" for job in jobs)
    return f"The server lists these jobs of that time and model, the nearest first: {found}."


def describe_rest_call(task: TaskIdentity, video_id: str | None) -> str:
    """Return the call of Airflow's REST API that names a job to a task.

    Args:
        task: Identity of the task instance.
        video_id: ID of the job; None where the reader has to fill it in.
    """
    dag, run, task_id = (quote(part, safe="") for part in (task.dag_id, task.run_id, task.task_id))
    path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task_id}/state-store/{NAMED_KEY}"
    value = video_id if video_id and is_usable_id(video_id) else "ID OF THE JOB"
    place = f"region_id={task.region.id}&region_index={task.region.index}" if task.region else None
    return f"PUT {path}?{place or f'map_index={task.map_index}'} with the body {json.dumps({'value': value})}"
