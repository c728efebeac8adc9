"""Spans, read from OpenTelemetry's exporter that keeps them in memory."""

from __future__ import annotations

import time

import pytest

from airflow_provider_veo.observability import tracing

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="this Airflow brings OpenTelemetry's interface only")


@pytest.fixture
def spans(monkeypatch):
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # the global provider can be set once a process
    monkeypatch.setattr("opentelemetry.trace.get_tracer", provider.get_tracer)
    return exporter.get_finished_spans


def test_a_span_has_the_attributes_that_are_known(spans):
    with tracing.span("veo.create_video", model="m", video_id=None) as span:
        span.set_attribute("veo.video_id", "v")
    (found,) = spans()
    assert (found.name, dict(found.attributes)) == ("veo.create_video", {"veo.model": "m", "veo.video_id": "v"})
    assert found.status.is_ok


def test_an_error_is_recorded_and_passes_on(spans):
    with pytest.raises(ValueError, match="boom"), tracing.span("veo.create_video"):
        raise ValueError("boom")
    (found,) = spans()
    assert not found.status.is_ok


def test_a_span_that_began_in_another_process_has_its_whole_duration(spans):
    since = time.time() - 90
    tracing.trace_past_step("veo.wait_for_video", since, polls=6)
    (found,) = spans()
    assert 90 <= (found.end_time - found.start_time) / 1e9 < 150
    assert found.start_time == pytest.approx(since * 1e9, abs=1e6)


def test_a_span_may_be_within_another_one(spans):
    with tracing.span("outer"), tracing.span("inner"):
        pass
    inner, outer = spans()
    assert inner.parent.span_id == outer.context.span_id


def test_without_tracing_a_span_records_nothing():
    with tracing.span("veo.create_video") as span:
        assert not span.is_recording()
