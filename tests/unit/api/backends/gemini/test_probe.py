"""Does an address take orders for Google's Interactions? A free question shows it."""

from __future__ import annotations

import json

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.gemini.backend import GeminiBackend
from tests.support.wire import read_pairs

RECORDED = {name: pair["answer"] for name, pair in read_pairs("gemini").items()}
BASE = "https://generativelanguage.googleapis.com"


def check(status, body, *, sends_key=True):
    sent = []

    def send(request):
        sent.append((request.method, request.path))
        return Answer(status, body if isinstance(body, str) else json.dumps(body), {}, BASE + request.path)

    result = GeminiBackend().check_api(send, BASE, sends_key=sends_key)
    assert sent == [("GET", "/v1/interactions/veo-connection-test?stream=false")]
    return result


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"error": {"code": 404, "message": "Not found.", "status": "NOT_FOUND"}}),
        (400, {"error": {"code": "invalid_request", "message": "Request contains an invalid argument."}}),
        (400, {"error": {"code": "invalid_request", "message": "Invalid interaction id."}}),
        (403, RECORDED["081_answer_get_unknown_id_403"]["body"]),
    ],
)
def test_an_api_that_does_not_know_the_job_accepts_the_key(status, body):
    assert check(status, body) == (True, f"{BASE} answers and accepts the key.")
    assert check(status, body, sends_key=False) == (True, f"{BASE} answers.")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, RECORDED["102_answer_create_400_api_key_invalid"]["body"], "API key not valid"),
        (401, RECORDED["105_answer_create_401_unauthenticated"]["body"], "invalid authentication credentials"),
        (403, RECORDED["106_answer_create_403_service_disabled"]["body"], "it is disabled"),
        (
            403,
            {"error": {"code": 403, "message": "Permission denied on resource (or it may not exist)."}},
            "may not exist",
        ),
        (429, RECORDED["109_answer_create_429_quota"]["body"], "current quota"),
        (503, RECORDED["111_answer_create_503_overloaded"]["body"], "overloaded"),
        (404, "<html>Not Found</html>", "not as Google's API does"),
        (200, "<html>Welcome</html>", "not as Google's API does"),
        (200, {"id": "x", "status": "completed"}, "not as Google's API does"),
        (200, {"error": {"code": 404, "message": "Not found."}}, "not as Google's API does"),
    ],
)
def test_another_answer_is_explained(status, body, words):
    accepted, sentence = check(status, body)
    assert (accepted, words in sentence) == (False, True)
