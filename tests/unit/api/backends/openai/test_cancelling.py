"""Answers to DELETE: a job counts as cancelled only if the server says so."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.backend import Cancellation
from airflow_provider_veo.api.backends.openai.cancelling import read_cancellation
from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.hooks.veo import _log_cancellation
from tests.support.odd_values import ODD_VALUES, name_of

STOPPED, ACCEPTED, IMPOSSIBLE = Cancellation


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"id": "v", "status": "cancelled"}, STOPPED),
        (200, {"id": "v", "status": "Canceled"}, STOPPED),
        (200, {"data": {"id": "v", "status": "cancelled"}}, STOPPED),
        (200, {"id": "v", "status": "cancelled", "error": {"message": "cancelled by the user"}}, STOPPED),
        (200, {"id": "v", "object": "video.deleted", "deleted": True}, ACCEPTED),  # vLLM-Omni, which has stopped it
        (200, {"id": "v", "object": "video", "status": "deleted"}, ACCEPTED),  # SGLang, FastVideo: the work goes on
        (200, {"id": "v", "object": "video", "status": "in_progress"}, ACCEPTED),
        (202, {}, ACCEPTED),
        (204, None, ACCEPTED),
        (404, {"detail": "Video not found"}, IMPOSSIBLE),
        (404, {"error": {"message": "Invalid URL (DELETE /v1/videos/v)"}}, IMPOSSIBLE),
        (405, {"detail": "Method Not Allowed"}, IMPOSSIBLE),
        (501, None, IMPOSSIBLE),
    ],
)
def test_an_answer_shows_whether_a_job_is_cancelled(status, body, expected):
    text = "" if body is None else json.dumps(body)
    assert read_cancellation(Answer(status, text), "v") is expected


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"error": {"message": "Invalid token"}}),
        (409, {"error": {"message": "Cancellation in progress. Please try again later."}}),
        (500, {"detail": "upstream error"}),
        (200, {"error": {"message": "this job belongs to another account"}}),
    ],
)
def test_an_error_leaves_it_open_whether_the_job_is_cancelled(status, body):
    with pytest.raises(ApiError, match="Cancelling video v"):
        read_cancellation(Answer(status, json.dumps(body)), "v")


def test_a_prompt_in_an_error_does_not_decide_on_its_reason():
    body = {"error": {"message": "cannot cancel 'insufficient balance', which is running"}}
    with pytest.raises(ApiError) as caught:
        read_cancellation(Answer(500, json.dumps(body)), "v")
    assert caught.value.reason is Reason.SERVER
    assert not caught.value.permanent


@pytest.mark.parametrize("value", ODD_VALUES, ids=name_of)
def test_a_strange_status_does_not_prove_that_the_work_has_stopped(value):
    assert read_cancellation(Answer(200, json.dumps({"id": "v", "status": value})), "v") is ACCEPTED


@pytest.mark.parametrize("cancellation", Cancellation)
def test_the_log_claims_no_more_than_the_server(caplog, cancellation):
    with caplog.at_level(logging.INFO):
        accepted = _log_cancellation(logging.getLogger("hook"), "task_{1}", cancellation)
    (line,) = caplog.messages
    assert "task_{1}" in line
    assert accepted is (cancellation is not IMPOSSIBLE)
    assert ("may be billed" in line) is (cancellation is not STOPPED)
    assert ("has cancelled" in line) is (cancellation is STOPPED)
