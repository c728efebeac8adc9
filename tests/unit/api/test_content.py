from __future__ import annotations

import json
import re

import pendulum
import pytest

from airflow_provider_veo.api.answers import Answer, ErrorDetail
from airflow_provider_veo.api.content import (
    Asked,
    Follow,
    Resume,
    check_continuation,
    is_encoded,
    length_of,
    lost,
    next_hop,
    version_of,
)
from airflow_provider_veo.api.errors import (
    ApiError,
    ContentChangedError,
    ContentError,
    ContentGoneError,
    ContentNotReadyError,
    Reason,
    TransportError,
    VideoFailedError,
)
from airflow_provider_veo.api.urls import redact, same_origin
from airflow_provider_veo.api.video import Video, VideoStatus

URL = "https://api.example.com/v1/videos/v/content"
NOT_COMPLETED = json.dumps({"error": {"message": "Task is not completed yet", "type": "invalid_request_error"}})


def hop(status, body="", **headers):
    return next_hop(Answer(status, body, headers, URL), Asked("Downloading", "v"))


@pytest.mark.parametrize(
    ("status", "body", "headers", "target"),
    [
        (302, "", {"location": "https://cdn.example.net/a.mp4"}, "https://cdn.example.net/a.mp4"),
        (307, "", {"location": "/files/a.mp4"}, "https://api.example.com/files/a.mp4"),
        (200, '{"url": "https://cdn.example.net/a.mp4", "duration": 8}', {}, "https://cdn.example.net/a.mp4"),
        (200, '{"data": {"video_url": "/a.mp4"}}', {}, "https://api.example.com/a.mp4"),
        (200, "https://cdn.example.net/a.mp4\n", {}, "https://cdn.example.net/a.mp4"),
        (200, "http://cdn.example.net/a.mp4", {}, "http://cdn.example.net/a.mp4"),
        (302, "", {}, URL),  # nowhere: the limit of hops ends it
    ],
)
def test_ways_to_another_address(status, body, headers, target):
    assert hop(status, body, **headers) == Follow(target)


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, NOT_COMPLETED), (404, '{"detail":"Generation is still in-progress"}'), (404, ""), (425, ""), (200, "")],
)
def test_not_yet(status, body):
    with pytest.raises(ContentNotReadyError, match=r"^Downloading: the "):
        hop(status, body)


def test_not_yet_in_the_servers_own_words():
    with pytest.raises(ContentNotReadyError, match=r"is not there yet \(HTTP 400: Task is not completed yet") as caught:
        hop(400, NOT_COMPLETED)
    assert isinstance(caught.value.__cause__, ApiError)


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
    with pytest.raises(ApiError, match=r"^Downloading failed") as caught:
        hop(status, body)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("status", "body", "headers", "complaint"),
    [
        (200, "<html>login</html>", {}, "got an HTML page that begins"),
        (200, "no video here", {}, "something else that begins with 'no video here'"),
        (200, '{"id": "v", "status": "completed"}', {}, "something else"),
        (200, "x" * 1000, {}, "begins with '" + "x" * 60 + "…'"),
        (200, "http://[broken", {}, "no http"),
        (302, "", {"location": "file:///etc/passwd"}, "no http"),
        (302, "", {"location": "http://[broken"}, "no http"),
        (200, '{"url": "https://cdn.example.net:port/a.mp4"}', {}, "something else"),
    ],
)
def test_neither_a_video_nor_a_way_to_one(status, body, headers, complaint):
    with pytest.raises(ContentError, match=f"^Downloading: .*{complaint}"):
        hop(status, body, **headers)


def test_a_file_that_the_server_has_thrown_away():
    with pytest.raises(
        ContentGoneError, match=r"^Downloading: the video is gone.*HTTP 410.* To have another one made, clear the task"
    ) as e:
        hop(410)
    assert e.value.permanent


def test_a_part_that_the_server_does_not_have():
    with pytest.raises(ContentChangedError, match=r"^Downloading failed \(HTTP 416\)"):
        hop(416)


@pytest.mark.parametrize(
    ("headers", "length", "encoded", "version"),
    [
        ({}, None, False, None),
        ({"content-length": "12", "etag": '"a"'}, 12, False, '"a"'),
        ({"content-length": "12", "content-encoding": "gzip", "etag": '"a"'}, None, True, None),
        ({"content-length": "12", "content-encoding": "identity"}, 12, False, None),
        ({"content-length": "many"}, None, False, None),
        ({"etag": 'W/"a"'}, None, False, None),
        (
            {"etag": 'W/"a"', "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT"},
            None,
            False,
            "Sun, 06 Nov 1994 08:49:37 GMT",
        ),
    ],
)
def test_what_the_headers_say_of_a_body(headers, length, encoded, version):
    assert (length_of(headers), is_encoded(headers), version_of(headers)) == (length, encoded, version)


def test_what_asks_for_the_rest():
    assert Resume(5, 10, '"a"').headers() == {"Range": "bytes=5-", "If-Range": '"a"'}
    assert Resume(5, None, None).headers() == {"Range": "bytes=5-"}


@pytest.mark.parametrize(
    ("headers", "resume"),
    [
        ({"content-range": "bytes 5-9/10"}, Resume(5, 10, None)),
        ({"content-range": "bytes 5-9/10"}, Resume(5, None, '"a"')),
        ({"content-range": "bytes 5-9/*"}, Resume(5, None, None)),
        ({"content-range": "bytes 5-7/10", "etag": '"a"'}, Resume(5, 10, '"a"')),
    ],
)
def test_the_rest_of_the_same_file(headers, resume):
    check_continuation(headers, resume)


@pytest.mark.parametrize(
    ("headers", "resume"),
    [
        ({}, Resume(5, 10, None)),
        ({"content-range": "bytes 4-9/10"}, Resume(5, 10, None)),
        ({"content-range": "bytes 5-9/11"}, Resume(5, 10, None)),
        ({"content-range": "bytes 5-9/*"}, Resume(5, 10, None)),
        ({"content-range": "items 5-9/10"}, Resume(5, 10, None)),
        ({"content-range": "bytes 5-9/10", "etag": '"b"'}, Resume(5, 10, '"a"')),
        ({"content-range": "bytes 5-9/10", "content-encoding": "gzip"}, Resume(5, None, None)),
    ],
)
def test_the_rest_of_another_file(headers, resume):
    found = headers.get("content-range", "")
    range_in_the_answer = found if found.startswith("bytes") else "no range that can be read"
    with pytest.raises(ContentChangedError, match=rf"from byte 5, .*{re.escape(range_in_the_answer)}"):
        check_continuation(headers, resume)


NOW = pendulum.datetime(2026, 11, 26)


def not_found(message=""):
    return ApiError("Asking", reason=Reason.NOT_FOUND, status=404, detail=ErrorDetail(message))


@pytest.mark.parametrize(
    ("seen", "error"),
    [
        (not_found(), ContentGoneError),
        (Video("v", VideoStatus.EXPIRED), ContentGoneError),
        (Video("v", VideoStatus.COMPLETED, expires_at=NOW), ContentGoneError),
        (Video("v", VideoStatus.FAILED, message="no"), VideoFailedError),
        (Video("v", VideoStatus.CANCELLED), VideoFailedError),
        (Video("v", VideoStatus.COMPLETED, expires_at=NOW.add(seconds=1)), None),
        (Video("v", VideoStatus.COMPLETED), None),
        (Video("v", VideoStatus.RUNNING, expires_at=NOW.add(seconds=1)), None),
        (ApiError("Asking", reason=Reason.SERVER, status=502), None),
        (TransportError("no answer"), None),
    ],
)
def test_why_content_will_never_come(seen, error):
    assert type(lost(seen, "Downloading video v", NOW)) is (error or type(None))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (not_found("no X."), "Downloading: the video is gone. The server does not know it any more (HTTP 404: no X)."),
        (Video("v", VideoStatus.EXPIRED), "Downloading: the video is gone. It has expired."),
        (
            Video("v", VideoStatus.COMPLETED, expires_at=NOW),
            "Downloading: the video is gone. It expired at 2026-11-26T00:00:00+00:00.",
        ),
        (Video("v", VideoStatus.FAILED, message="no cats"), "Video v failed: no cats"),
    ],
)
def test_the_error_says_why(seen, words):
    assert str(lost(seen, "Downloading", NOW)).startswith(words)


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


@pytest.mark.parametrize("status", [429, 503, 200])
def test_a_video_that_was_paid_for_is_asked_for_again_in_its_life(status):
    with pytest.raises(ApiError) as caught:
        hop(status, '{"code": "busy", "message": "slow down"}', **{"retry-after": "1000000000"})
    assert caught.value.retry_after == 600.0


@pytest.mark.parametrize("length", ["9" * 5_000, "-1", "1.5", "٣", "", "1e3"])
def test_a_length_that_is_no_number_is_none(length):
    assert length_of({"content-length": length}) is None


@pytest.mark.parametrize("tag", ['"é"', '"' + "x" * 2_000 + '"', '"a\x1b"'])
def test_a_version_that_cannot_be_sent_back_is_none(tag):
    assert version_of({"etag": tag}) is None
    assert version_of({"last-modified": tag}) is None


@pytest.mark.parametrize("header", ["bytes " + "9" * 5_000 + "-1/2", "bytes ٣-4/5", "x" * 100_000])
def test_an_odd_range_is_another_file(header):
    with pytest.raises(ContentChangedError) as caught:
        check_continuation({"content-range": header}, Resume(3, 5, None))
    assert len(str(caught.value)) < 300
