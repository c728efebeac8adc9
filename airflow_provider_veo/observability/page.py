"""The entries that a task leaves for the Veo page of Airflow's UI: two XComs in Airflow's database.

A task writes the order entry when it is about to order, so the time of that XCom is the time of the order. The task
writes the outcome entry when it ends. Airflow deletes both when the next try starts, so they are about the latest try.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping
from typing import Any, TypedDict

from airflow.providers.common.compat.sdk import redact

from airflow_provider_veo.api.answers.text import make_storable
from airflow_provider_veo.api.backends.profiles import GatewayProfile
from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY
from airflow_provider_veo.utils.airflow_internals import write_xcom_past_backend
from airflow_provider_veo.utils.task_instance import TaskInstanceKey
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS

VIDEO = "video/mp4"

_LONGEST_TEXT = 10_000  # letters; an XCom should stay small

log = logging.getLogger(__name__)


class OrderEntry(TypedDict):
    """The entry of a task that is about to order.

    Attributes:
        prompt: Prompt of the order, without secrets.
        model: Name of the model that is ordered.
        size: Size of the video as `<width>x<height>`; None if it is not known yet.
        videos: Number of videos that are ordered.
        estimated_cost_usd: Price of all these videos, in US dollars; None if it is not known.
    """

    prompt: str
    model: str
    size: str | None
    videos: int
    estimated_cost_usd: float | None


class OutcomeEntry(TypedDict, total=False):
    """The entry of a task that has ended: either `error` and `reason`, or the known facts about its videos.

    Attributes:
        error: Description of the failure, for people.
        reason: Category of the failure, as the value of a `Reason`.
        uncollected: ID of the paid video that a later try can collect; missing if there is none.
        videos: Names of the videos that the task has ordered: job ids, or names of `name_of_url`.
        of: Name of the video that another task has ordered, and that this one has stored or waited for.
        model: Name of the model.
        size: Size of the video as `<width>x<height>`.
        seconds: Length of the video.
        created_at: Time at which the server created the job, in ISO 8601.
        completed_at: Time at which the server completed the job, in ISO 8601.
        generation_seconds: Seconds that the server worked.
        polls: Number of status calls.
        submissions: Number of orders of the task.
        estimated_cost_usd: Price of the videos, in US dollars.
        path: Local path or URI of the stored file; None if nothing was stored.
        bytes: Size of the stored file.
        sha256: Hash of the stored file, in hexadecimal.
        proof: Proof that the task has held the file (see `storage.proof`). The page plays no file without it.
        media_type: Media type of the stored file, for example `video/mp4`.
    """

    error: str
    reason: str
    uncollected: str
    videos: list[str]
    of: str | None
    model: str | None
    size: str | None
    seconds: float | None
    created_at: str | None
    completed_at: str | None
    generation_seconds: float | None
    polls: int
    submissions: int | None
    estimated_cost_usd: float | None
    path: str | None
    bytes: int | None
    sha256: str | None
    proof: str | None
    media_type: str


def describe_order(
    prompt: str, model: str, profile: GatewayProfile, size: str | None = None, videos: int = 1
) -> OrderEntry:
    """Return the entry of a task that is about to order.

    Args:
        prompt: Prompt of the order.
        model: Name of the model.
        profile: Profile of the gateway.
        size: Size of the video as `<width>x<height>`, if it is known already.
        videos: Number of videos in the order.
    """
    return {
        "prompt": clean(prompt),
        "model": model,
        "size": size or profile.size_of(model),
        "videos": videos,
        "estimated_cost_usd": profile.cost_of(model, videos),
    }


def describe_file(result: Mapping[str, Any], proof: str | None, media_type: str = VIDEO) -> OutcomeEntry:
    """Return the part of an outcome entry that describes a stored file.

    Args:
        result: Result of the task, with `path`, `bytes` and `sha256` if it has stored a file.
        proof: Proof that the task has held the file (see `storage.proof`); None if it has stored nothing.
        media_type: Media type of the file.
    """
    return {
        "path": result.get("path"),
        "bytes": result.get("bytes"),
        "sha256": result.get("sha256"),
        "proof": proof,
        "media_type": media_type,
    }


def describe_failure(error: Exception, reason: str, uncollected: str | None = None) -> OutcomeEntry:
    """Return the entry of a task that fails.

    Args:
        error: The exception that the task raises.
        reason: Category of the failure, as the value of a `Reason`.
        uncollected: ID of the paid video that a later try can collect; None if there is none.
    """
    entry: OutcomeEntry = {"error": clean(str(error) or type(error).__name__), "reason": reason}
    return {**entry, "uncollected": uncollected} if uncollected else entry


def name_of_url(url: str) -> str:
    """Return a name for a video that has an address only: the address itself may hold a signature.

    Args:
        url: Address of the video.
    """
    return "url-" + hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:16]


def publish_order(ti: TaskInstanceKey | None, entry: OrderEntry) -> None:
    """Write the entry of a task that is about to order. A failure is logged: it must not cost a video.

    Args:
        ti: Task instance; None if a test runs the operator without one.
        entry: Entry that `describe_order` has returned.
    """
    _publish(ti, ORDER_KEY, entry)


def publish_outcome(ti: TaskInstanceKey | None, entry: OutcomeEntry) -> None:
    """Write the entry of a task that has ended. A failure is logged: it must not cost a video.

    Args:
        ti: Task instance; None if a test runs the operator without one.
        entry: Facts about the videos, or the failure.
    """
    _publish(ti, OUTCOME_KEY, entry)


def _publish(ti: TaskInstanceKey | None, key: str, entry: Mapping[str, Any]) -> None:
    if not AIRFLOW_V_3_1_PLUS or ti is None:
        return
    try:
        # not into a configured XCom backend: the page can search the database only
        write_xcom_past_backend(ti, key, {name: _clean_value(value) for name, value in entry.items()})
    except Exception:
        log.warning("The entry %s could not be written, so the Veo page shows less of this task", key, exc_info=True)


def clean(text: str) -> str:
    """Return a text of people or servers as every database takes it, with the secrets that Airflow knows masked.

    Paths are not masked, since the password of a test database is often a part of them.
    """
    return shorten(make_storable(str(redact(text))))


def shorten(text: str) -> str:
    """Return a text in the length that an entry holds and the page shows."""
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _clean_value(value: Any) -> Any:
    """Return a JSON value as every database takes it: PostgreSQL takes neither NUL in texts nor NaN."""
    if isinstance(value, str):
        return make_storable(value[:_LONGEST_TEXT])
    if isinstance(value, Mapping):
        return {make_storable(str(name)): _clean_value(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean_value(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
