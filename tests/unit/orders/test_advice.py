"""What an error says of a retry and of a Clear is what this Airflow does."""

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
def remembers(request, monkeypatch):
    monkeypatch.setattr(version_compat, "AIRFLOW_V_3_3_PLUS", request.param)
    return request.param


@pytest.mark.parametrize("error", OPEN, ids=repr)
def test_a_job_that_may_still_bring_its_video_can_be_collected(error, remembers):
    said = advice.of_an_order(error)
    assert "video_1" in said
    assert ("goes on with video video_1 and orders nothing" in said) is remembers
    assert ("Do not clear the task" in said) is not remembers
    assert advice.of_a_look(error).endswith("asks again, and orders nothing.")


@pytest.mark.parametrize("error", OVER, ids=repr)
def test_nothing_is_promised_of_a_job_that_has_ended(error, remembers):
    assert advice.of_an_order(error) == advice.of_a_look(error) == ""
    del remembers


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.UNKNOWN, "a retry (max_submissions allowing) or a Clear of the task orders another one."),
        (Reason.SERVER, "a retry (max_submissions allowing) or a Clear of the task orders another one."),
        (Reason.MODERATION, "when that is mended, a Clear of the task orders another one."),
        (Reason.QUOTA, "when that is mended, a Clear of the task orders another one."),
    ],
)
def test_a_job_without_a_video_says_how_to_get_another_one(reason, said):
    error = VideoFailedError("video_1", "failed", reason, "x")
    assert advice.of_an_order(error) == f"There is no video to collect: {said}"
    assert advice.of_a_look(error) == ""


def test_a_chat_call_promises_a_retry_for_the_rest_only_where_that_is_so(remembers):
    assert ("asks for the other 2 only" in advice.for_the_rest(2)) is remembers


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotSentError("x"), "x. Nothing was ordered: a retry or a Clear of the task orders it."),
        (InvalidInputError("x"), "x. Nothing was ordered: when that is mended, clear the task."),
        (NotOrderedError("Nothing was ordered."), "Nothing was ordered."),
    ],
)
def test_an_order_that_was_not_sent_says_so_once(error, said):
    advice.nothing_ordered(error)
    assert str(error) == said


def test_a_refusal_says_that_nothing_was_ordered():
    error = ApiError("Creating the video failed", reason=Reason.QUOTA, status=402)
    advice.nothing_ordered(error)
    assert str(error).endswith("top it up. Nothing was ordered: when that is mended, clear the task.")
