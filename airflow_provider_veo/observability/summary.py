"""Report the end of a task: on the Veo page, to Airflow's Stats, and in one line of the task's log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException

from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.errors import CausedByVeoError, Reason, VeoError
from airflow_provider_veo.observability import metrics, page
from airflow_provider_veo.observability.page import OutcomeEntry
from airflow_provider_veo.utils.task_instance import TaskInstanceKey

log = logging.getLogger(__name__)

_CONTROL_FLOW = (AirflowSkipException, AirflowRescheduleException)
"""Exceptions that are signals of Airflow, not failures. A deferral is a `BaseException`."""

_LONGEST_ERROR = 2_000
"""Letters of an error in the summary line. The log has the whole error below it."""


def conclude(ti: TaskInstanceKey | None, outcome: OutcomeEntry, *, charged_usd: float | None = None) -> None:
    """Report the end of a task everywhere.

    Args:
        ti: Task instance; None if a test runs the operator without one.
        outcome: Facts about the videos, or the failure.
        charged_usd: Price in US dollars that is charged because the task has ended; None if it is not known, or was
            reported with the order.
    """
    page.publish_outcome(ti, outcome)
    report(ti, outcome, charged_usd=charged_usd)


def report(ti: TaskInstanceKey | None, outcome: OutcomeEntry, *, charged_usd: float | None = None) -> None:
    """Report the end of a task everywhere except on the Veo page.

    Args:
        ti: Task instance; None if a test runs the operator without one.
        outcome: Facts about the videos, or the failure.
        charged_usd: Price in US dollars that is charged because the task has ended; None if it is not known, or was
            reported with the order.
    """
    log.log(logging.ERROR if "error" in outcome else logging.INFO, "Summary: %s", summarize(outcome))
    metrics.send(metrics.measure_outcome(outcome, charged_usd), ti)


@contextmanager
def reporting_failures(
    ti: TaskInstanceKey | None, *, on_page: bool = True, find_uncollected: Callable[[], str | None] = lambda: None
) -> Iterator[None]:
    """Report an exception that leaves the block. A task that is skipped, rescheduled or deferred has not failed.

    Args:
        ti: Task instance; None if a test runs the operator without one.
        on_page: Whether the Veo page shows the task.
        find_uncollected: Function that returns the ID of the paid video that a later try can collect, or None.
    """
    try:
        yield
    except _CONTROL_FLOW:
        raise
    except Exception as error:
        (conclude if on_page else report)(ti, page.describe_failure(error, name_reason(error), find_uncollected()))
        raise


def name_reason(error: Exception) -> str:
    """Return why a task fails, as the value of a `Reason`.

    Args:
        error: The exception that the task raises.
    """
    if isinstance(error, (VeoError, CausedByVeoError)):
        return str(error.reason)
    return str(Reason.TIMEOUT if isinstance(error, AirflowSensorTimeout) else Reason.OTHER)


def summarize(outcome: OutcomeEntry) -> str:
    """Return the end of a task as one line.

    Args:
        outcome: Facts about the videos, or the failure.
    """
    if "error" in outcome:
        return f"failed (reason {outcome['reason']}): {make_line(outcome['error'], _LONGEST_ERROR)}"
    videos = outcome.get("videos", [])
    named = ", ".join(videos) or outcome.get("of")
    parts = [f"video{'s' if len(videos) > 1 else ''} {named}"] if named else []
    for name, text in (
        ("model", "model {}"),
        ("generation_seconds", "made in {:.0f} s"),
        ("submissions", "{} order(s)"),
        ("polls", "{} status call(s)"),
        ("estimated_cost_usd", "estimated cost ${:.2f}"),
    ):
        if (value := outcome.get(name)) is not None:
            parts.append(text.format(value))
    if outcome.get("path"):
        parts.append(f"{outcome['bytes']:,} bytes stored at {outcome['path']}")
    return "; ".join(parts) or "done"
