"""The metrics for Airflow's Stats; a failure of Stats costs no video."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from airflow_provider_veo.observability import metrics
from airflow_provider_veo.observability.metrics import Metric, measure_order, measure_outcome


def by_name(found):
    return {metric.name: (metric.value, dict(metric.tags)) for metric in found}


def test_an_order_of_a_job_has_no_cost_yet():
    assert measure_order("veo-3.1", 1) == [Metric("veo.submitted", 1, {"model": "veo-3.1"})]


def test_a_chat_call_is_charged_at_once():
    tags = {"model": "veo-3.1"}
    assert by_name(measure_order("veo-3.1", 3, 0.75)) == {
        "veo.submitted": (3, tags),
        "veo.estimated_cost_cents": (75, tags),
    }


def test_a_finished_video_has_all_metrics():
    outcome = {"videos": ["v"], "model": "veo-3.1-fast", "generation_seconds": 91.5, "polls": 6, "bytes": 1000}
    tags = {"model": "veo-3.1-fast"}
    assert by_name(measure_outcome(outcome, 0.15)) == {
        "veo.completed": (1, tags),
        "veo.polls": (6, tags),
        "veo.stored_bytes": (1000, tags),
        "veo.generation_seconds": (timedelta(seconds=91.5), tags),
        "veo.estimated_cost_cents": (15, tags),
    }


def test_a_stored_file_does_not_count_as_a_new_video():
    assert by_name(measure_outcome({"of": "v", "bytes": 1000, "path": "/a.mp4"})) == {"veo.stored_bytes": (1000, {})}


def test_values_that_are_not_known_are_not_sent():
    assert measure_outcome({"videos": [], "model": None, "generation_seconds": None, "polls": 0, "bytes": None}) == []


def test_a_failure_is_counted_by_its_reason():
    assert by_name(measure_outcome({"error": "no", "reason": "moderation"})) == {
        "veo.failed": (1, {"reason": "moderation"}),
        "veo.failed.moderation": (1, {}),
    }


@pytest.mark.parametrize(("usd", "cents"), [(0.15, 15), (0.25, 25), (0.29, 29), (1.1, 110), (0.001, 1)])
def test_cents_are_rounded_up(usd, cents):
    assert measure_order("m", 1, usd)[1].value == cents


def test_metrics_have_the_tags_of_their_task(mocker):
    stats = mocker.patch("airflow.providers.common.compat.sdk.Stats", create=True)
    time = Metric("veo.generation_seconds", timedelta(seconds=2), {})
    metrics.send([Metric("veo.completed", 1, {"model": "m"}), time], SimpleNamespace(dag_id="d", task_id="t"))
    stats.incr.assert_called_once_with("veo.completed", 1, tags={"dag_id": "d", "task_id": "t", "model": "m"})
    stats.timing.assert_called_once_with(
        "veo.generation_seconds", timedelta(seconds=2), tags={"dag_id": "d", "task_id": "t"}
    )


def test_a_failure_of_stats_is_logged(mocker, caplog):
    stats = mocker.patch("airflow.providers.common.compat.sdk.Stats", create=True)
    stats.incr.side_effect = OSError("no route to the collector")
    metrics.send([Metric("veo.completed", 1, {})], None)
    assert "could not be sent" in caplog.text
