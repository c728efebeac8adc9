from __future__ import annotations

import json

import pytest

from airflow_provider_veo.api.answers import Answer
from airflow_provider_veo.api.content import Follow, is_video, next_hop
from airflow_provider_veo.api.errors import ApiError, ContentError, ContentNotReadyError, Reason
from airflow_provider_veo.api.urls import redact, same_origin

URL = "https://api.example.com/v1/videos/v/content"
NOT_COMPLETED = json.dumps({"error": {"message": "Task is not completed yet", "type": "invalid_request_error"}})


def hop(status, body="", **headers):
    return next_hop(Answer(status, body, headers, URL), "Downloading")


@pytest.mark.parametrize(
    ("head", "video"),
    [
        (b"\0\0\0\x20ftypisom", True),
        (b"\0\0\0\x14ftypqt  ", True),
        (b"<!doctype html", False),
        (b'{"url": "x"}', False),
        (b"", False),
        (b"ftyp", False),
    ],
)
def test_video_files_are_known_by_their_first_box(head, video):
    assert is_video(head) is video


@pytest.mark.parametrize(
    ("status", "body", "headers", "target"),
    [
        (302, "", {"location": "https://cdn.example.net/a.mp4"}, "https://cdn.example.net/a.mp4"),
        (307, "", {"location": "/files/a.mp4"}, "https://api.example.com/files/a.mp4"),
        (200, '{"url": "https://cdn.example.net/a.mp4", "duration": 8}', {}, "https://cdn.example.net/a.mp4"),
        (200, '{"data": {"video_url": "/a.mp4"}}', {}, "https://api.example.com/a.mp4"),
        (200, "https://cdn.example.net/a.mp4\n", {}, "https://cdn.example.net/a.mp4"),
    ],
)
def test_ways_to_another_address(status, body, headers, target):
    assert hop(status, body, **headers) == Follow(target)


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, NOT_COMPLETED), (404, '{"detail":"Generation is still in-progress"}'), (404, ""), (425, ""), (200, "")],
)
def test_not_yet(status, body):
    with pytest.raises(ContentNotReadyError):
        hop(status, body)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, '{"error":{"message":"Invalid token"}}', Reason.AUTHENTICATION),
        (400, '{"error":{"code":"quota_not_enough","message":"x"}}', Reason.QUOTA),
        (403, "", Reason.FORBIDDEN),
        (500, "", Reason.SERVER),
        (429, "", Reason.RATE_LIMITED),
        (200, '{"code":"moderation_blocked","message":"no"}', Reason.MODERATION),
    ],
)
def test_refusals(status, body, reason):
    with pytest.raises(ApiError) as caught:
        hop(status, body)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("status", "body", "headers", "complaint"),
    [
        (200, "<html>login</html>", {}, "an HTML page"),
        (200, "no video here", {}, "something else that begins with 'no video here'"),
        (200, '{"id": "v", "status": "completed"}', {}, "something else"),
        (302, "", {"location": "file:///etc/passwd"}, "no http"),
        (302, "", {"location": "http://[broken"}, "no http"),
        (200, '{"url": "https://cdn.example.net:port/a.mp4"}', {}, "something else"),
    ],
)
def test_neither_a_video_nor_a_way_to_one(status, body, headers, complaint):
    with pytest.raises(ContentError, match=complaint):
        hop(status, body, **headers)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("https://api.example.com/x", True),
        ("https://api.example.com:443/x", True),
        ("https://API.example.com/x", True),
        ("http://api.example.com/x", False),
        ("https://api.example.com:8443/x", False),
        ("https://api.example.com.evil.net/x", False),
        ("https://user@evil.net/x", False),
        ("https://api.example.com@evil.net/x", False),
        ("http://[broken", False),
        ("", False),
    ],
)
def test_the_key_goes_to_its_own_origin_only(other, same):
    assert same_origin(other, "https://api.example.com") is same


def test_two_broken_addresses_have_no_origin_in_common():
    assert same_origin("nonsense", "nonsense") is False


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h.example/a.mp4?signature=s#f", "https://h.example/a.mp4?…"),
        ("https://h.example/a.mp4", "https://h.example/a.mp4"),
        ("http://[broken?signature=s", "http://[broken"),
    ],
)
def test_addresses_are_shown_without_secrets(url, shown):
    assert redact(url) == shown
