"""The summary line of a task, and the reason of its failure."""

from __future__ import annotations

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_provider_veo.api.errors import (
    ApiError,
    ContentGoneError,
    InvalidInputError,
    NotOrderedError,
    NotSentError,
    Reason,
    StorageFullError,
    UnknownSubmissionError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.exceptions import VeoFailException, fail_fast
from airflow_provider_veo.observability import metrics, summary
from airflow_provider_veo.observability.summary import name_reason, reporting_failures, summarize


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ApiError("x", reason=Reason.QUOTA, status=402), "quota"),
        (VideoFailedError("v", "failed", Reason.MODERATION, "no"), "moderation"),
        (InvalidInputError("x"), "invalid_input"),
        (VideoTimeoutError("x"), "timeout"),
        (AirflowSensorTimeout("x"), "timeout"),
        (UnknownSubmissionError("x", permanent=True), "unknown_submission"),
        (NotOrderedError("x"), "not_ordered"),
        (NotSentError("x"), "network"),
        (ContentGoneError("x"), "content"),
        (StorageFullError("x"), "storage"),
        (KeyError("x"), "other"),
    ],
)
def test_an_exception_of_airflow_has_the_reason_of_its_cause(error, word):
    with pytest.raises((type(error), VeoFailException)) as caught, fail_fast():
        raise error
    assert name_reason(caught.value) == word


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (
            {
                "videos": ["v"],
                "model": "veo-3.1",
                "generation_seconds": 91.6,
                "submissions": 1,
                "polls": 6,
                "estimated_cost_usd": 0.25,
                "path": "s3://c@b/a.mp4",
                "bytes": 1_234_567,
            },
            (
                "video v; model veo-3.1; made in 92 s; 1 order(s); 6 status call(s); estimated cost $0.25; "
                "1,234,567 bytes stored at s3://c@b/a.mp4"
            ),
        ),
        ({"videos": ["url-1", "url-2"], "model": "m", "estimated_cost_usd": None}, "videos url-1, url-2; model m"),
        ({"of": "v", "path": "/a.mp4", "bytes": 1}, "video v; 1 bytes stored at /a.mp4"),
        ({"path": "/video.mp4", "bytes": 2}, "2 bytes stored at /video.mp4"),
        ({"error": "No\nmoney.", "reason": "quota"}, "failed (reason quota): No money."),
        ({}, "done"),
    ],
)
def test_the_summary_has_all_facts_that_are_known(outcome, line):
    assert summarize(outcome) == line


@pytest.fixture
def sent(mocker):
    return mocker.patch.object(metrics, "send")


def test_a_failure_is_reported_once_for_its_task(context, sent, caplog):
    caplog.set_level("INFO", logger=summary.__name__)
    with pytest.raises(ValueError, match="boom"), reporting_failures(context["ti"]):
        raise ValueError("boom")
    (measured, task), _ = sent.call_args
    assert [metric.name for metric in measured] == ["veo.failed", "veo.failed.other"]
    assert task is context["ti"]
    lines = [(one.levelname, one.getMessage()) for one in caplog.records if one.name == summary.__name__]
    assert lines == [("ERROR", "Summary: failed (reason other): boom")]


@pytest.mark.parametrize(
    "signal",
    [
        TaskDeferred(trigger=None, method_name="x"),
        AirflowSkipException("no news today"),
        AirflowRescheduleException(None),
    ],
)
def test_a_signal_of_airflow_is_not_reported_as_a_failure(context, sent, signal):
    with pytest.raises(type(signal)), reporting_failures(context["ti"]):
        raise signal
    sent.assert_not_called()
