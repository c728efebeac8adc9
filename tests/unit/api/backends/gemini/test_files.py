"""Addresses of videos, and the answers of Google's Files API."""

from __future__ import annotations

import json

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.gemini.files import find_address
from airflow_provider_veo.api.backends.gemini.interactions import find_content
from airflow_provider_veo.api.errors import ContentNotReadyError, Reason, VideoFailedError
from tests.support.wire import read_pairs

RECORDED = read_pairs("gemini")
BASE = "https://generativelanguage.googleapis.com"
FILE = f"{BASE}/v1/files/abc123def456"


def follow(body, status=200, url=FILE):
    return find_content(Answer(status, json.dumps(body), {}, url))


def recorded(name):
    return RECORDED[name]["answer"]["body"]


def test_a_file_that_is_ready_names_its_download():
    assert follow(recorded("043_files_get_active")) == f"{FILE}:download?alt=media"
    assert follow({"name": "files/abc123def456"}) == f"{FILE}:download?alt=media"


def test_a_file_in_work_is_asked_for_again():
    with pytest.raises(
        ContentNotReadyError, match=r"files/abc123def456 \(state PROCESSING, kept until 2026-11-29T10:00"
    ):
        follow(recorded("044_files_get_processing"))


def test_a_file_that_google_cannot_process_is_lost():
    with pytest.raises(
        VideoFailedError, match=r"kept until 2026-11-29.*The file could not be processed\. \[3\]"
    ) as caught:
        follow(recorded("045_files_get_failed"))
    assert (caught.value.reason, caught.value.permanent, caught.value.video_id) == (Reason.UNKNOWN, False, None)


@pytest.mark.parametrize("until", [None, 7, "", [], {}])
def test_the_end_of_a_file_is_optional(until):
    with pytest.raises(ContentNotReadyError, match=r"\(state PROCESSING\)"):
        follow({"name": "files/a", "state": "PROCESSING", "expirationTime": until})


@pytest.mark.parametrize("body", [{}, [], "text", None, {"name": "files/"}, {"name": 7}, {"name": "projects/files/a"}])
def test_another_answer_names_nothing(body):
    assert follow(body) is None


def test_an_error_names_nothing():
    assert follow(recorded("043_files_get_active"), status=403) is None


JOB_URL = "/v1/interactions/v1_x?stream=false"
HOST = "https://generativelanguage.googleapis.com"


@pytest.mark.parametrize(
    ("base", "uri", "address"),
    [
        (HOST, f"{HOST}/v1/files/abc", f"{HOST}/v1/files/abc"),
        (HOST, f"{HOST}/v1beta/files/abc", f"{HOST}/v1/files/abc"),
        (HOST, f"{HOST}/v1beta/files/abc:download?alt=media", f"{HOST}/v1/files/abc"),
        # the API is asked by the address of the connection, so the key goes nowhere else
        ("http://127.0.0.1:8080/google", f"{HOST}/v1beta/files/abc", "http://127.0.0.1:8080/google/v1/files/abc"),
        (HOST, "https://evil.example/files/abc", f"{HOST}/v1/files/abc"),
        (HOST, "files/abc", f"{HOST}/v1/files/abc"),
        (HOST, "https://storage.example/video.mp4?sig=x", "https://storage.example/video.mp4?sig=x"),
        (HOST, "gs://bucket/a b/video.mp4", "gs://bucket/a b/video.mp4"),
        (HOST, "gs://bucket/a\nb", None),
        (HOST, "gs://" + "x" * 9_000, None),
        (HOST, "ftp://example.org/files/abc", None),
        (HOST, "javascript:alert(1)", None),
        (HOST, "https://[::1", None),
    ],
)
def test_the_address_of_a_video_is_found(base, uri, address):
    assert find_address(Answer(200, "", {}, base + JOB_URL), uri) == address


def test_the_agent_platform_has_no_files():
    url = "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/global/interactions/v1_x?stream=false"
    uri = "https://example.org/files/abc"
    assert find_address(Answer(200, "", {}, url), uri) == uri
