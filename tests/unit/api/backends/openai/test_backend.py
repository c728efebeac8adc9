"""The backend of servers with the route `/v1/videos`."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai.backend import OpenAiBackend
from airflow_provider_veo.api.errors import ApiError, InvalidInputError
from airflow_provider_veo.api.verdict import Verdict


def test_an_unknown_request_format_is_refused():
    with pytest.raises(InvalidInputError, match=r"request_format is 'xml'; it must be 'auto' or 'json' or 'multipart'"):
        OpenAiBackend("xml")


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (400, b'{"error": {"message": "no"}}', Verdict.REFUSED),
        (429, b'{"error": {"message": "rate limit"}}', Verdict.REFUSED_FOR_NOW),
        (502, b"<html>", Verdict.UNKNOWN),
    ],
)
def test_an_error_of_an_order_says_whether_it_may_have_made_a_job(status, body, verdict):
    with pytest.raises(ApiError) as caught:
        OpenAiBackend().read_order(Answer.of(status, body, [], "http://x"))
    assert caught.value.verdict is verdict
