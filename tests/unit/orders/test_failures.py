"""The meaning of a failed request to order."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai.refusals import judge
from airflow_provider_veo.api.error_answers import make_api_error
from airflow_provider_veo.api.errors import (
    InvalidInputError,
    NotOrderedError,
    NotSentError,
    TransportError,
    VeoError,
    VideoTimeoutError,
)
from airflow_provider_veo.orders.failures import find_pause, is_unknown


def answered(status, body="", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    error = make_api_error(Answer(status, body, names), "Creating the video")
    error.verdict = judge(error)
    return error


BUSY = '{"error": {"message": "overloaded"}}'


@pytest.mark.parametrize(
    ("failure", "unknown", "pauses"),
    [
        (NotSentError("no route"), False, [1.0, 2.0, 4.0, None]),
        (TransportError("read timeout"), True, [None]),
        (answered(429, BUSY), False, [1.0, 2.0, 4.0, None]),
        (answered(429, retry_after="7"), False, [7.0, 7.0, 7.0, None]),
        (answered(429, retry_after="30"), False, [30.0]),
        (answered(429, retry_after="31"), False, [None]),
        (answered(429), False, [None]),
        (answered(503, BUSY), False, [1.0, 2.0, 4.0, None]),
        (answered(503, '{"error": {"message": "no available channel"}}'), False, [None]),
        (answered(503, retry_after="7"), True, [None]),
        (answered(429, '{"error": {"code": "insufficient_quota"}}'), False, [None]),
        (answered(500, BUSY), True, [None]),
        (answered(408, BUSY), True, [None]),
        (answered(307), True, [None]),
        (answered(200), True, [None]),
        (answered(200, '{"code": 504, "message": "no"}'), True, [None]),
        (answered(200, '{"code": 400, "message": "no"}'), False, [None]),
        (answered(400), False, [None]),
        (answered(401), False, [None]),
        (InvalidInputError("x"), False, [None]),
        (NotOrderedError("x"), False, [None]),
        (VideoTimeoutError("x"), True, [None]),
        (VeoError("x"), True, [None]),
        (KeyError("x"), True, [None]),
    ],
)
def test_a_failed_order_is_unknown_or_repeated_depending_on_its_error(failure, unknown, pauses):
    assert is_unknown(failure) is unknown
    assert [find_pause(failure, attempt) for attempt in range(1, len(pauses) + 1)] == pauses
