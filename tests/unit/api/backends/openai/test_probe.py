"""The Test button of the connection form, with answers as plain data. The integration tests use servers."""

from __future__ import annotations

import json

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai.probe import check_api

HOST = "https://api.example.com"
MODELS, VIDEO, VIDEOS = "/v1/models", "/v1/videos/veo-connection-test", "/v1/videos"
NO_ROUTE = (404, {"detail": "Not Found"})
UNKNOWN = (404, {"error": {"message": "Video not found", "code": "not_found"}})
REFUSED = (401, {"error": {"message": "Incorrect API key provided"}})
LIST = (200, {"object": "list", "data": []})


def check(answers, api_key="sk-0123456789"):
    """Return the verdict on a server that has these answers, and no route for other paths."""
    asked = []

    def send(request):
        asked.append((request.method, request.path))
        status, body = answers.get(request.path, answers.get("", NO_ROUTE))
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/html" if isinstance(body, str) else "application/json"
        return Answer.of(status, text.encode(), [("content-type", kind)], HOST + request.path)

    verdict = check_api(send, HOST, sends_key=bool(api_key))
    assert {method for method, _ in asked} == {"GET"}
    return verdict


@pytest.mark.parametrize(
    "answers",
    [
        {MODELS: LIST, VIDEO: UNKNOWN},
        {VIDEO: UNKNOWN},
        {VIDEO: (400, {"code": "task_not_exist", "message": "task_not_exist"})},
        {MODELS: LIST, VIDEO: (500, {"error": {"message": "Cannot connect to host"}})},
        {MODELS: LIST, VIDEOS: LIST},
        {MODELS: (403, {"error": {"message": "no models for this key"}}), VIDEO: UNKNOWN},
    ],
)
def test_a_server_that_distinguishes_an_unknown_video_from_an_unknown_address_passes(answers):
    assert check(answers) == (True, f"{HOST} answers and accepts the key.")
    assert check(answers, api_key=None) == (True, f"{HOST} answers.")


@pytest.mark.parametrize("answer", [NO_ROUTE, (200, "<html>Welcome</html>"), (200, {"status": "ok"}), (405, {})])
def test_a_server_with_the_same_answer_for_every_address_fails(answer):
    passes, sentence = check({"": answer})
    assert not passes
    assert sentence.startswith(f"{HOST} answers, but not as a video API does: GET {HOST}{VIDEO} is HTTP {answer[0]} (")


def test_an_address_in_the_error_makes_no_difference():
    paths = (MODELS, VIDEO, "/v1/veo-connection-test/veo-connection-test")
    passes, _ = check({path: (404, {"error": f"Cannot GET {path} (17)"}) for path in paths})
    assert not passes


def test_a_server_with_models_and_without_videos_has_its_own_message():
    passes, sentence = check({MODELS: LIST})
    assert not passes
    assert f"{HOST} lists models, but has no videos" in sentence


@pytest.mark.parametrize("path", [MODELS, VIDEO])
def test_a_refused_key_fails(path):
    passes, sentence = check({MODELS: LIST, VIDEO: UNKNOWN} | {path: REFUSED})
    assert not passes
    assert f"GET {HOST}{path}" in sentence
    assert "Check the API key" in sentence


def test_a_key_without_access_to_videos_fails():
    passes, sentence = check({MODELS: LIST, VIDEO: (403, {"error": {"message": "billing mode"}})})
    assert not passes
    assert "The API key may not do this" in sentence
