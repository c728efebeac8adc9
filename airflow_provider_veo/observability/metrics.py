"""What Airflow's Stats are told: counters and times of orders and of tasks that end.

All of it is sent by workers, what a triggerer has counted included: the process that runs triggers on Airflow 3 has its
Stats in another copy of the module, so that what is sent through the common name arrives nowhere.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

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
    """One thing to tell.

    Attributes:
        value: to add to a counter; a `timedelta` is a time instead.
        tags: beside those of the task.
    """

    name: str
    value: int | timedelta
    tags: Mapping[str, str]


def of_order(model: str, videos: int, charged_usd: float | None = None) -> list[Metric]:
    """Return what to tell of an order that the server has accepted.

    Args:
        model: that was ordered.
        videos: how many.
        charged_usd: what the order itself costs, whatever comes of it; None where finished videos are charged.
    """
    return [Metric(SUBMITTED, videos, {"model": model}), *_cost(charged_usd, {"model": model})]


def of_outcome(outcome: Mapping[str, Any], charged_usd: float | None = None) -> list[Metric]:
    """Return what to tell of a task that has ended.

    Args:
        outcome: see `reporting.conclude`.
        charged_usd: see there.
    """
    if "error" in outcome:
        reason = str(outcome.get("reason") or "unknown")
        # plain StatsD knows no tags, so that the name has to tell
        return [Metric(FAILED, 1, {"reason": reason}), Metric(f"{FAILED}.{reason}", 1, {})]
    tags = {"model": str(outcome["model"])} if outcome.get("model") else {}
    found = [
        Metric(name, value, tags)
        for name, value in (
            (COMPLETED, len(outcome.get("videos", ()))),
            (POLLS, outcome.get("polls")),
            (STORED_BYTES, outcome.get("bytes")),
        )
        if value
    ]
    if (seconds := outcome.get("generation_seconds")) is not None:
        found.append(Metric(GENERATION_SECONDS, timedelta(seconds=seconds), tags))
    return found + _cost(charged_usd, tags)


def send(metrics: Iterable[Metric], task: Any) -> None:
    """Tell Airflow's Stats. A failure is logged: what is measured must not cost a video.

    Args:
        metrics: what to tell.
        task: whose `dag_id` and `task_id` are tags of all of them; None where there is none.
    """
    tags = {} if task is None else {"dag_id": task.dag_id, "task_id": task.task_id}
    try:
        from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415 - no Dag file needs it

        for metric in metrics:
            if isinstance(metric.value, timedelta):
                Stats.timing(metric.name, metric.value, tags={**tags, **metric.tags})
            else:
                Stats.incr(metric.name, metric.value, tags={**tags, **metric.tags})
    except Exception:
        log.warning("Airflow's Stats could not be told", exc_info=True)


def _cost(usd: float | None, tags: Mapping[str, str]) -> list[Metric]:
    # counters hold whole numbers
    return [Metric(ESTIMATED_COST_CENTS, math.ceil(usd * 100 - 1e-9), tags)] if usd else []
