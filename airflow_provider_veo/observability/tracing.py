"""Trace the steps that cost time or money as OpenTelemetry spans (Airflow 3.3 and later, `[traces] otel_on`)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_TRACER = "airflow_provider_veo"


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[Any]:
    """Trace a block. An exception is recorded in the span, and passes on.

    Args:
        name: Name of the step, for example `veo.create_video`.
        attributes: Facts about the step, without prompts, addresses and keys. Those that are None are left out.

    Yields:
        The span, which takes more facts by `set_attribute`. Without tracing the span keeps nothing.
    """
    with _get_tracer().start_as_current_span(name, attributes=_known(attributes)) as current:
        yield current


def trace_past_step(name: str, since: float, **attributes: Any) -> None:
    """Trace a step that ends now, and may have begun in another process.

    Args:
        name: Name of the step, for example `veo.wait_for_video`.
        since: Start of the step, as Unix time in seconds.
        attributes: Facts about the step, without prompts, addresses and keys. Those that are None are left out.
    """
    past = _get_tracer().start_span(name, start_time=int(since * 1e9), attributes=_known(attributes))
    past.end(end_time=time.time_ns())


def _get_tracer() -> Any:
    # Airflow has imported it by now, if it traces; every Airflow since 2.11 installs it
    from opentelemetry import trace  # noqa: PLC0415

    return trace.get_tracer(_TRACER)


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {f"veo.{name}": value for name, value in attributes.items() if value is not None}
