from __future__ import annotations

import json

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.vertex.backend import VertexBackend
from tests.support.wire import make_answer, read_pairs

BACKEND = VertexBackend("my-project", "us-central1")
PAIRS = read_pairs("vertex")
BASE = "https://us-central1-aiplatform.googleapis.com"


def check(answer, *, sends_key=True):
    asked = []

    def send(request):
        asked.append(request)
        return answer

    found = BACKEND.check_api(send, BASE, sends_key=sends_key)
    (request,) = asked
    assert request.path.endswith(":fetchPredictOperation")  # nothing is ordered
    return found


@pytest.mark.parametrize("name", ["064_answer_fetch_404_unknown_operation", "065_answer_fetch_400_bad_name"])
def test_an_unknown_operation_shows_that_the_token_is_accepted(name):
    assert check(make_answer(PAIRS[name])) == (True, f"{BASE} answers and accepts the token.")
    assert check(make_answer(PAIRS[name]), sends_key=False) == (True, f"{BASE} answers.")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("069_answer_create_401", "invalid authentication credentials"),
        ("071_answer_create_403_service_disabled", "Enable it by visiting"),
        ("073_answer_create_403_iam", "aiplatform.endpoints.predict"),
        ("079_answer_create_503", "currently unavailable"),
    ],
)
def test_an_error_of_google_is_shown(name, words):
    works, sentence = check(make_answer(PAIRS[name]))
    assert not works
    assert words in sentence


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "<html>Welcome</html>", method="POST"),
        Answer(404, "<html>Not Found</html>", method="POST"),
        Answer(404, json.dumps({"detail": "Not Found"}), method="POST"),
        Answer(200, json.dumps({"name": "x"}), method="POST"),
    ],
)
def test_another_server_is_not_taken_for_google(answer):
    works, sentence = check(answer)
    assert not works
    assert f"{BASE} answers, but not as Google Cloud does (HTTP {answer.status})" in sentence


def test_a_refusal_of_a_proxy_is_shown():
    works, sentence = check(Answer(403, "<html>no entry</html>", method="POST"))
    assert not works
    assert "no entry" in sentence
