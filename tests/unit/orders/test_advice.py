"""The advice in an error about a retry and a clear is true for this Airflow."""

from __future__ import annotations

import pytest

from airflow_provider_veo import version_compat
from airflow_provider_veo.api.errors import (
    ApiError,
    ContentGoneError,
    InvalidInputError,
    NotOrderedError,
    NotSentError,
    Reason,
    StatusUnknownError,
    TransportError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.orders import advice

OPEN = [
    TransportError("x", video_id="video_1"),
    VideoTimeoutError("x", video_id="video_1"),
    StatusUnknownError("x", Reason.SERVER, video_id="video_1"),
    StatusUnknownError("x", Reason.AUTHENTICATION, video_id="video_1"),
]
OVER = [
    TransportError("x"),
    StatusUnknownError("x", Reason.NOT_FOUND, video_id="video_1"),
    ContentGoneError("x", video_id="video_1"),
    NotOrderedError("x", video_id="video_1"),
]


@pytest.fixture(params=[True, False], ids=["with a store", "without"])
def keeps_records(request, monkeypatch):
    monkeypatch.setattr(version_compat, "AIRFLOW_V_3_3_PLUS", request.param)
    return request.param


@pytest.mark.parametrize("error", OPEN, ids=repr)
def test_an_open_job_can_be_collected(error, keeps_records):
    said = advice.advise_on_order(error)
    assert "video_1" in said
    assert ("continues with video video_1 and orders nothing" in said) is keeps_records
    assert ("Do not clear the task" in said) is not keeps_records
    assert advice.advise_on_read(error).endswith("asks again, and orders nothing.")


@pytest.mark.parametrize("error", OVER, ids=repr)
def test_there_is_no_advice_about_a_job_that_has_ended(error, keeps_records):
    assert advice.advise_on_order(error) == advice.advise_on_read(error) == ""
    del keeps_records


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.UNKNOWN, "a retry (max_submissions allowing) or a clear of the task orders another one."),
        (Reason.SERVER, "a retry (max_submissions allowing) or a clear of the task orders another one."),
        (Reason.MODERATION, "when that is corrected, a clear of the task orders another one."),
        (Reason.QUOTA, "when that is corrected, a clear of the task orders another one."),
    ],
)
def test_the_error_of_a_job_without_a_video_says_how_to_get_another_one(reason, said):
    error = VideoFailedError("video_1", "failed", reason, "x")
    assert advice.advise_on_order(error) == f"There is no video to collect: {said}"
    assert advice.advise_on_read(error) == ""


def test_a_retry_for_the_missing_videos_is_named_only_if_records_are_kept(keeps_records):
    assert ("orders the other 2 only" in advice.describe_rest(2)) is keeps_records


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotSentError("x"), "x. Nothing was ordered: a retry or a clear of the task orders it."),
        (InvalidInputError("x"), "x. Nothing was ordered: when that is corrected, clear the task."),
        (NotOrderedError("Nothing was ordered."), "Nothing was ordered."),
    ],
)
def test_the_error_of_an_order_that_was_not_sent_says_so_once(error, said):
    advice.add_nothing_ordered(error)
    assert str(error) == said


def test_the_error_of_a_refused_order_says_that_nothing_was_ordered():
    error = ApiError("Creating the video failed", reason=Reason.QUOTA, status=402)
    advice.add_nothing_ordered(error)
    assert str(error).endswith("top it up. Nothing was ordered: when that is corrected, clear the task.")
