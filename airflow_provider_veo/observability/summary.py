"""How a task ends, told to all who want to know: the Veo page, Airflow's Stats, and one line in the task's log."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, Context

from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.observability import metrics, page

log = logging.getLogger(__name__)

_CONTROL_FLOW = (AirflowSkipException, AirflowRescheduleException)
"""Airflow's own signals that are exceptions. A deferral is a `BaseException`."""

_SENTENCE_LIMIT = 2_000
"""Letters of an error in the summary; the exception below it has all of them."""


def conclude(context: Context, outcome: Mapping[str, Any], *, charged_usd: float | None = None) -> None:
    """Tell how a task has ended, the Veo page too.

    Args:
        context: of the task.
        outcome: JSON values, as far as they are known: `videos` (their names), `of` (the name of the video that
            another task has ordered), `model`, `generation_seconds`, `polls`, `submissions`, `size`, `seconds`,
            `estimated_cost_usd`, what `records.stored` returns; or `error` and `reason`.
        charged_usd: what the end of the task costs; None where it is not known, or was told with the order.
    """
    page.publish(context, page.OUTCOME_KEY, outcome)
    report(context, outcome, charged_usd=charged_usd)


def report(context: Context, outcome: Mapping[str, Any], *, charged_usd: float | None = None) -> None:
    """Tell how a task has ended that the Veo page does not show. For the arguments see `conclude`."""
    log.log(logging.ERROR if "error" in outcome else logging.INFO, "Summary: %s", summary_of(outcome))
    metrics.send(metrics.of_outcome(outcome, charged_usd), context.get("ti"))


@contextmanager
def failures_reported(context: Context, *, on_page: bool = True) -> Iterator[None]:
    """Report why a task fails. A task that is skipped, rescheduled or deferred has not failed."""
    try:
        yield
    except _CONTROL_FLOW:
        raise
    except Exception as error:
        outcome = {"error": page.words(str(error) or type(error).__name__), "reason": reason_of(error)}
        (conclude if on_page else report)(context, outcome)
        raise


def reason_of(error: Exception) -> str:
    """Return why a task fails in one word: a `Reason`'s value."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, Reason):
        return str(reason.value)
    return "timeout" if isinstance(error, AirflowSensorTimeout) else Reason.OTHER.value


def summary_of(outcome: Mapping[str, Any]) -> str:
    """Return what has come of a task, in one line. For the arguments see `conclude`."""
    if "error" in outcome:
        return f"failed (reason {outcome['reason']}): {make_line(outcome['error'], _SENTENCE_LIMIT)}"
    videos, of = outcome.get("videos", ()), outcome.get("of")
    named = ", ".join(videos) or of
    parts = [f"video{'s' if len(videos) > 1 else ''} {named}"] if named else []
    for name, text in (
        ("model", "model {}"),
        ("generation_seconds", "made in {:.0f} s"),
        ("submissions", "{} submission(s)"),
        ("polls", "{} status call(s)"),
        ("estimated_cost_usd", "estimated cost ${:.2f}"),
    ):
        if (value := outcome.get(name)) is not None:
            parts.append(text.format(value))
    if outcome.get("path"):
        parts.append(f"{outcome['bytes']:,} bytes stored at {outcome['path']}")
    return "; ".join(parts) or "done"
