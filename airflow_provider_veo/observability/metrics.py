"""Metrics for Airflow's Stats: orders, and tasks that end.

Only workers send metrics, also those that a triggerer has counted: on Airflow 3 the process that runs triggers has its
own copy of `Stats`, and metrics sent through it are lost.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from airflow_provider_veo.observability.page import OutcomeEntry
from airflow_provider_veo.utils.task_instance import TaskInstanceKey

log = logging.getLogger(__name__)

SUBMITTED = "veo.submitted"
COMPLETED = "veo.completed"
FAILED = "veo.failed"
GENERATION_SECONDS = "veo.generation_seconds"
POLLS = "veo.polls"
STORED_BYTES = "veo.stored_bytes"
ESTIMATED_COST_CENTS = "veo.estimated_cost_cents"


@dataclass(frozen=True)
class Metric:
    """One value for Airflow's Stats.

    Attributes:
        name: Name of the metric.
        value: Number to add to a counter, or a `timedelta` for a timer.
        tags: Tags of the metric, beside those of the task.
    """

    name: str
    value: int | timedelta
    tags: Mapping[str, str]


def measure_order(model: str, videos: int, charged_usd: float | None = None) -> list[Metric]:
    """Return the metrics of an order that the server has accepted.

    Args:
        model: Name of the model.
        videos: Number of videos in the order.
        charged_usd: Price of the order in US dollars, even if it brings no video; None if only finished videos are
            charged.
    """
    return [Metric(SUBMITTED, videos, {"model": model}), *_measure_cost(charged_usd, {"model": model})]


def measure_outcome(outcome: OutcomeEntry, charged_usd: float | None = None) -> list[Metric]:
    """Return the metrics of a task that has ended.

    Args:
        outcome: Facts about the videos, or the failure.
        charged_usd: Price in US dollars that is charged because the task has ended; None if it is not known, or was
            reported with the order.
    """
    if "error" in outcome:
        reason = outcome["reason"]
        # plain StatsD takes no tags, so the name holds the reason, too
        return [Metric(FAILED, 1, {"reason": reason}), Metric(f"{FAILED}.{reason}", 1, {})]
    model = outcome.get("model")
    tags = {"model": model} if model else {}
    found = [
        Metric(name, value, tags)
        for name, value in (
            (COMPLETED, len(outcome.get("videos", []))),
            (POLLS, outcome.get("polls")),
            (STORED_BYTES, outcome.get("bytes")),
        )
        if value
    ]
    if (seconds := outcome.get("generation_seconds")) is not None:
        found.append(Metric(GENERATION_SECONDS, timedelta(seconds=seconds), tags))
    return found + _measure_cost(charged_usd, tags)


def send(metrics: Iterable[Metric], ti: TaskInstanceKey | None) -> None:
    """Send metrics to Airflow's Stats. A failure is logged: it must not cost a video.

    Args:
        metrics: Metrics that are to be sent.
        ti: Task instance whose `dag_id` and `task_id` become tags of all metrics; None without a task.
    """
    tags = {} if ti is None else {"dag_id": ti.dag_id, "task_id": ti.task_id}
    try:
        from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415 - no Dag file needs it

        for metric in metrics:
            if isinstance(metric.value, timedelta):
                Stats.timing(metric.name, metric.value, tags={**tags, **metric.tags})
            else:
                Stats.incr(metric.name, metric.value, tags={**tags, **metric.tags})
    except Exception:
        log.warning("The metrics could not be sent to Airflow's Stats", exc_info=True)


def _measure_cost(usd: float | None, tags: Mapping[str, str]) -> list[Metric]:
    # counters hold whole numbers
    return [Metric(ESTIMATED_COST_CENTS, math.ceil(usd * 100 - 1e-9), tags)] if usd else []
