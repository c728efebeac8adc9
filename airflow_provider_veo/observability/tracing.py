"""Spans around what costs time or money, where Airflow traces its tasks (3.3 and later, `[traces] otel_on`)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_TRACER = "airflow_provider_veo"


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[Any]:
    """Trace a block; an error is noted in the span and passed on.

    Args:
        name: what is done, like `veo.create_video`.
        attributes: what is known of it: no prompt, no address, no key. None is left out.

    Yields:
        The span, to `set_attribute` what becomes known; without tracing one that keeps nothing.
    """
    tracer = _tracer()
    with tracer.start_as_current_span(name, attributes=_known(attributes)) as current:
        yield current


def past_span(name: str, since: float, **attributes: Any) -> None:
    """Trace what began at a moment, in another process perhaps, and ends now.

    Args:
        name: what was done.
        since: seconds since the epoch.
        attributes: see `span`.
    """
    begun = _tracer().start_span(name, start_time=int(since * 1e9), attributes=_known(attributes))
    begun.end(end_time=time.time_ns())


def _tracer() -> Any:
    # Airflow has imported it by now, if it traces; every Airflow since 2.11 brings it along
    from opentelemetry import trace  # noqa: PLC0415

    return trace.get_tracer(_TRACER)


def _known(attributes: dict[str, Any]) -> dict[str, Any]:
    return {f"veo.{name}": value for name, value in attributes.items() if value is not None}
