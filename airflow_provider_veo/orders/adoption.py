"""Going on with a job that a person has found in the gateway's console, where nobody knew what came of an order.

The person writes the job's id under `NAMED_KEY` into the task's state store. Which id will do is decided here, purely;
`ordering` asks and writes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_veo.api.answers.answer import is_usable_id
from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.backends.profiles import GatewayProfile
from airflow_provider_veo.api.errors import ApiError, NotOrderedError, Reason, VeoError
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.orders.submission import NAMED_KEY, Order, Submission

if TYPE_CHECKING:
    from airflow_provider_veo.orders.video import TaskIdentity

_INSTEAD = (
    f"Nothing was ordered. Correct the key {NAMED_KEY} in the task's state store, or delete it, then clear the task."
)


def usable_id(value: Any) -> str:
    """Return the id that a person has written.

    Args:
        value: any JSON value.

    Raises:
        NotOrderedError: no job can have this id.
    """
    video_id = str(value) if type(value) is int else value.strip() if isinstance(value, str) else ""
    if not is_usable_id(video_id):
        raise NotOrderedError(
            f"{NAMED_KEY} is {make_line(repr(value), 100)}; it must be the id of a video job. {_INSTEAD}"
        )
    return video_id


def check_order(record: Submission, order: Order, video_id: str) -> None:
    """Refuse a job that cannot have come of the unknown order, as far as the record tells.

    Raises:
        NotOrderedError: it is of an earlier order of this task, or the task wants something else by now.
    """
    if video_id in record.earlier:
        raise NotOrderedError(
            f"Video {video_id}, which {NAMED_KEY} names, came of an earlier order of this task, and is not the one "
            f"that is looked for. {_INSTEAD}"
        )
    if record.fingerprint != order.fingerprint:
        raise NotOrderedError(
            f"{NAMED_KEY} names video {video_id}, but the request has changed since the order whose fate is unknown: "
            "its prompt, a frame or another argument. That video would not be what the task asks for now; "
            f"VeoDownloadOperator(video_id={video_id!r}) stores it. {_INSTEAD}"
        )


def check_job(video_id: str, seen: Video | VeoError, *, young: bool) -> Video:
    """Return the job as the server describes it.

    Args:
        video_id: that a person has written.
        seen: what the server says, or why it says nothing.
        young: the order was sent a moment ago, so that some servers do not know its job yet.

    Raises:
        NotOrderedError: the task cannot go on with it, or not now.
    """
    if isinstance(seen, VeoError):
        unknown = isinstance(seen, ApiError) and seen.reason is Reason.NOT_FOUND
        raise NotOrderedError(
            f"Video {video_id}, which {NAMED_KEY} names, could not be asked for: {seen} {_INSTEAD}",
            permanent=seen.permanent and not (unknown and young),
        )
    if not seen.may_be_there:
        why = f": {seen.message}" if seen.message else ""
        raise NotOrderedError(f"Video {video_id}, which {NAMED_KEY} names, is {seen.status.value}{why}. {_INSTEAD}")
    if not seen.status_word:
        raise NotOrderedError(
            f"The server tells no status of video {video_id}, which {NAMED_KEY} names: it may not know it. {_INSTEAD}",
            permanent=not young,
        )
    return seen


def same_model(ordered: str, said: str | None) -> bool:
    """Whether two names are of one model: case and what is before a slash (a provider, at some gateways) do not count.

    Args:
        ordered: the name in the order.
        said: the server's; None where it names none.
    """
    return said is None or _bare(said) == _bare(ordered)


def check_model(video_id: str, ordered: str, said: str | None, known: Collection[str], profile: GatewayProfile) -> None:
    """Refuse a job of another model.

    Gateways answer with other names than the one that was ordered: their upstream's, which nobody can order. So a name
    that differs is another model where an order could have named it: it is one that this server knows, or both names
    are of the gateway's profile.

    Args:
        video_id: of the job.
        ordered: the model that was ordered.
        said: the model that the server names for the job.
        known: the models that the server offers, and those of the jobs that it lists.
        profile: of the gateway.

    Raises:
        NotOrderedError: it is of another model.
    """
    if said is None or same_model(ordered, said):
        return
    names = {_bare(name) for name in known} | (set(profile.models) if ordered in profile.models else set())
    if _bare(said) in names:
        raise NotOrderedError(
            f"Video {video_id}, which {NAMED_KEY} names, is of the model {said}, and {ordered} was ordered. {_INSTEAD}"
        )


def _bare(model: str) -> str:
    return model.lower().rsplit("/", 1)[-1].strip()


@dataclass(frozen=True)
class Window:
    """The time in which a server may have made the job of an order, in seconds since the epoch."""

    begin: float
    end: float

    @classmethod
    def of(cls, record: Submission, failed_at: float) -> Window:
        """Return the time of an order, and a minute before and after: clocks differ.

        Args:
            record: of the order.
            failed_at: when it was clear that nobody knows what came of it.
        """
        return cls(record.sent_at - _CLOCKS, failed_at + _CLOCKS)


_CLOCKS = 60.0

MOST_CANDIDATES = 5


def candidates(jobs: Iterable[Video], record: Submission, window: Window, model: str) -> list[Video]:
    """Return the jobs that may have come of an order, those of the nearest time first, `MOST_CANDIDATES` at most.

    Args:
        jobs: that the server lists.
        record: of the order.
        window: when it was made.
        model: that was ordered.
    """

    def distance(job: Video) -> float | None:
        """Return the seconds between the order and the job; None if it cannot be the one."""
        created_at = None if job.created_at is None else job.created_at.timestamp()
        if created_at is None or not window.begin <= created_at <= window.end:
            return None
        return (
            abs(created_at - record.sent_at) if same_model(model, job.model) and job.id not in record.earlier else None
        )

    near = [(seconds, job) for job in jobs if (seconds := distance(job)) is not None]
    return [job for _, job in sorted(near, key=lambda pair: pair[0])[:MOST_CANDIDATES]]


def rest_call(who: TaskIdentity, video_id: str | None) -> str:
    """Return the call of Airflow's REST API that names a job to a task.

    Args:
        who: the task.
        video_id: of the job; None where the reader has to fill it in.
    """
    dag, run, task = (quote(part, safe="") for part in (who.dag_id, who.run_id, who.task_id))
    path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/state-store/{NAMED_KEY}?map_index={who.map_index}"
    value = video_id if video_id and is_usable_id(video_id) else "ID OF THE JOB"
    return f"PUT {path} with the body {json.dumps({'value': value})}"
