"""Answers that describe jobs, in every shape that known servers send."""

from __future__ import annotations

import contextlib
import json

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai.videos import find_url, parse_video
from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.api.video import VideoStatus

URL = "https://api.example.com/v1/videos"


def read(body, video_id=None, status=200):
    return parse_video(Answer(status, json.dumps(body), {}, URL), "Asking", video_id)


@pytest.mark.parametrize(
    ("body", "video_id", "status"),
    [
        # the Veo 3.1 gateway, both channels; the sora dialect of the same gateway
        ({"id": "video_1", "object": "video", "created": 1762181811, "status": "queued"}, "video_1", "queued"),
        ({"id": "task_x", "task_id": "task_x", "status": "queued", "progress": 0}, "task_x", "queued"),
        ({"id": "video_2", "object": "task", "status": "submitted", "expires_at": 1761031492}, "video_2", "queued"),
        # new-api's envelope, and others that wrap
        ({"code": "success", "data": {"task_id": "t1", "status": "IN_PROGRESS"}}, "t1", "running"),
        ({"task_id": "t2"}, "t2", "unknown"),
        ({"data": [{"id": "t3", "status": "SUCCESS"}]}, "t3", "completed"),
        ({"data": {"data": {"id": "t4", "status": "NOT_START"}}}, "t4", "queued"),
        ({"id": 77, "status": "processing"}, "77", "running"),
        # OpenRouter, qiniu
        ({"id": "o", "status": "pending"}, "o", "queued"),
        ({"id": "q", "status": "initializing"}, "q", "queued"),
    ],
)
def test_answers_to_create_calls_are_read(body, video_id, status):
    video = read(body)
    assert (video.id, video.status.value) == (video_id, status)


@pytest.mark.parametrize(
    ("progress", "number"),
    [
        (45, 45.0),
        (45.9, 45.9),
        ("50%", 50.0),
        (" 50 % ", 50.0),
        ("50", 50.0),
        (None, None),
        ("", None),
        ("half", None),
        (True, None),
        (1e999, None),
        (150, 100.0),
        (-3, 0.0),
        ([], None),
    ],
)
def test_progress_is_read_in_every_spelling(progress, number):
    assert read({"status": "processing", "progress": progress}, "v").progress == number


def test_progress_may_be_missing():
    assert read({"status": "processing"}, "v").progress is None


def test_a_captured_completed_answer_is_read():
    url = "https://cdn.example.net/flow/a.mp4"
    video = read(
        {
            "completed_at": 1764173113,
            "created_at": 1764172941,
            "id": "video_9c4e4872",
            "model": "sora2_video_generation",
            "object": "video",
            "progress": 100,
            "result_url": url,
            "seconds": "4",
            "size": "720x1280",
            "status": "completed",
            "url": url,
            "video_url": url,
        },
        "video_9c4e4872",
    )
    assert video.status is VideoStatus.COMPLETED
    assert (video.url, video.size, video.seconds) == (url, "720x1280", 4.0)
    assert video.created_at == pendulum.datetime(2025, 11, 26, 16, 2, 21)
    assert video.completed_at == pendulum.datetime(2025, 11, 26, 16, 5, 13)
    assert video.expires_at is None


def test_further_fields_of_an_answer_are_read():
    body = {"status": "In Progress", "model": "veo", "expires_at": 1764173113}
    video = parse_video(Answer(200, json.dumps(body), {"retry-after": "7"}, URL), "Asking", "v")
    assert (video.status_word, video.model, video.retry_after) == ("In Progress", "veo", 7.0)
    assert video.expires_at == pendulum.datetime(2025, 11, 26, 16, 5, 13)


@pytest.mark.parametrize("key", ["status", "task_status", "state"])
def test_the_status_is_read_from_several_fields(key):
    assert read({key: "processing"}, "v").status is VideoStatus.RUNNING


def test_the_id_of_a_later_answer_is_never_used():
    assert read({"id": "video_other", "status": "queued"}, "video_mine").id == "video_mine"


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ({"url": "https://x.example/a.mp4"}, "https://x.example/a.mp4"),
        ({"url": "/v1/videos/v/content"}, "https://api.example.com/v1/videos/v/content"),
        ({"video_url": "https://x.example/a.mp4"}, "https://x.example/a.mp4"),
        ({"result_url": "https://x.example/a.mp4"}, "https://x.example/a.mp4"),
        ({"output_url": "https://x.example/a.mp4"}, "https://x.example/a.mp4"),
        ({"unsigned_urls": ["https://x.example/a.mp4"]}, "https://x.example/a.mp4"),
        ({"task_result": {"videos": [{"url": "https://x.example/a.mp4"}]}}, "https://x.example/a.mp4"),
        ({"metadata": {"url": "https://x.example/a.mp4"}}, "https://x.example/a.mp4"),
        ({"output": {"url": "https://x.example/a.mp4"}}, "https://x.example/a.mp4"),
        ({"videos": "https://x.example/a.mp4"}, None),
        ({"url": ""}, None),
        ({"url": None, "video_url": "https://x.example/a.mp4"}, "https://x.example/a.mp4"),
        ({"url": "file:///etc/passwd"}, None),
        ({"url": "javascript:alert(1)"}, None),
        ({"url": "s3://bucket/key"}, None),
        ({"url": "http://[broken"}, None),
        ({}, None),
    ],
)
def test_addresses_are_read_from_several_fields(body, url):
    assert read({"status": "completed", **body}, "v").url == url
    assert find_url({"id": "v", **body}, URL) == url


@pytest.mark.parametrize("wrap", [lambda inner: {"result": inner}, lambda inner: {"videos": [inner]}])
def test_an_address_is_found_down_to_three_levels(wrap):
    body = wrap(wrap(wrap({"url": "https://x.example/a.mp4"})))
    assert find_url(body, URL) == "https://x.example/a.mp4"
    assert find_url(wrap(body), URL) is None


def test_three_envelopes_are_opened():
    body = {"data": {"data": [{"data": {"id": "v", "status": "queued"}}]}}
    assert read(body).id == "v"
    with pytest.raises(ApiError):
        read({"data": body})


@pytest.mark.parametrize(
    "description", [{"status": "completed"}, {"url": "/a.mp4"}, {"video_url": "/a.mp4"}, {"id": "v"}]
)
def test_an_object_that_describes_a_video_is_not_an_envelope(description):
    other = {"data": {"id": "w", "status": "failed", "url": "/b.mp4"}}
    plain, found = read(description, "v"), read(description | other, "v")
    assert (found.status, found.url) == (plain.status, plain.url)


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        ("Content policy violation", Reason.MODERATION, "Content policy violation"),
        ("", Reason.UNKNOWN, ""),
        (None, Reason.UNKNOWN, ""),
        ({"code": "moderation_blocked", "message": "no"}, Reason.MODERATION, "no [moderation_blocked]"),
        ({"code": 500, "message": "boom"}, Reason.UNKNOWN, "boom [500]"),
        ({"message": "boom"}, Reason.UNKNOWN, "boom"),
        ('{"error":{"message":"inner"}}', Reason.UNKNOWN, "inner"),
    ],
)
def test_the_reason_of_a_failure_is_read(error, reason, message):
    video = read({"status": "failed", "error": error}, "v")
    assert (video.reason, video.message) == (reason, message)


@pytest.mark.parametrize("key", ["error", "fail_reason", "message"])
def test_the_reason_of_a_failure_is_read_from_several_fields(key):
    assert read({"status": "failed", key: "no cats"}, "v").message == "no cats"


def test_the_message_of_a_cancelled_job_is_not_its_reason():
    assert read({"status": "cancelled", "error": "Content policy violation"}, "v").reason is Reason.UNKNOWN


def test_an_error_beside_a_running_job_is_ignored():
    video = read({"status": "processing", "error": {"message": "ignored"}}, "v")
    assert (video.reason, video.message) == (None, "")


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (1764173113, 2025),
        (1764173113.5, 2025),
        ("1764173113", 2025),
        (1764173113000, 2025),
        ("2025-11-26T16:05:13Z", 2025),
        ("2025-11-26T17:05:13+01:00", 2025),
        ("yesterday", None),
        (1e11, 1973),
        (1, 1970),
        (0, None),
        (-5, None),
        (True, None),
        ("", None),
        (1e300, None),
        ("P1D", None),
    ],
)
def test_times_are_read_in_every_spelling(value, year):
    moment = read({"status": "completed", "completed_at": value}, "v").completed_at
    assert (moment and moment.year) == year
    assert moment is None or moment.timezone_name == "UTC"


@pytest.mark.parametrize("key", ["created_at", "created"])
def test_the_time_of_the_order_is_read_from_two_fields(key):
    assert read({key: 1764173113}, "v").created_at == pendulum.datetime(2025, 11, 26, 16, 5, 13)


def test_a_time_in_milliseconds_is_read():
    moment = read({"status": "queued", "created_at": 1764173113000}, "v").created_at
    assert moment == pendulum.datetime(2025, 11, 26, 16, 5, 13)


@pytest.mark.parametrize(
    ("body", "seconds", "size"),
    [
        ({"seconds": "8"}, 8.0, None),
        ({"seconds": 10}, 10.0, None),
        ({"duration": 8, "resolution": "720x1280"}, 8.0, "720x1280"),
        ({"duration": "8s"}, 8.0, None),
        ({"seconds": 1}, 1.0, None),
        ({"seconds": "2X"}, None, None),
        ({"seconds": "long", "size": "big"}, None, None),
        ({"size": "720xlarge"}, None, None),
        ({"seconds": 0, "size": "1280X720"}, None, "1280x720"),
        ({"size": "1280*720"}, None, "1280x720"),
        ({"resolution": "720p"}, None, None),
    ],
)
def test_length_and_size_are_read(body, seconds, size):
    video = read({"status": "completed", **body}, "v")
    assert (video.seconds, video.size) == (seconds, size)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, {"status": "queued"}, Reason.UNREADABLE),
        (200, {"code": 400, "message": "no prompt"}, Reason.BAD_REQUEST),
        (200, [], Reason.UNREADABLE),
        (200, "text", Reason.UNREADABLE),
        (500, {"id": "v", "status": "queued"}, Reason.SERVER),
    ],
)
def test_an_order_without_an_id_is_an_error(status, body, reason):
    with pytest.raises(ApiError, match=r"^Asking failed") as caught:
        read(body, status=status)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "body", [{"error": {"message": "database is locked"}}, {"code": "fail_to_fetch_task", "message": "x", "data": None}]
)
def test_an_error_with_status_200_is_not_a_job_status(body):
    with pytest.raises(ApiError, match=r"^Asking failed"):
        read(body, "v")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "task_id", "status", "progress", "url", "urls", "data", "error", "created_at", "seconds", "size"]
            ),
            inner,
        )
    ),
    max_leaves=15,
)


@given(json_values, st.none() | st.just("video_mine"))
def test_any_json_is_a_video_or_an_api_error(body, video_id):
    answer = Answer(200, json.dumps(body), {}, URL)
    try:
        video = parse_video(answer, "Asking", video_id)
    except ApiError:
        return
    assert video.id
    assert video.url is None or video.url.startswith(("http://", "https://"))


@given(st.binary())
def test_any_bytes_are_a_video_or_an_api_error(body):
    answer = Answer(200, body.decode(errors="replace"), {}, URL)
    with contextlib.suppress(ApiError):
        assert parse_video(answer, "Asking", "v").id == "v"


FAILED = {
    "id": "v",
    "object": "video",
    "status": "failed",
    "error": {"code": 500, "message": "Content policy violation"},
}


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_failed_job_with_an_http_error_status_is_read(status):
    video = parse_video(Answer(status, json.dumps(FAILED)), "Asking", "v")
    assert (video.status, video.reason) == (VideoStatus.FAILED, Reason.MODERATION)


@pytest.mark.parametrize(
    ("change", "video_id"),
    [({"id": "request-17"}, "v"), ({"status": "error"} | {"id": ""}, "v"), ({"status": "completed"}, "v"), ({}, None)],
)
def test_any_other_error_does_not_describe_the_job(change, video_id):
    with pytest.raises(ApiError):
        parse_video(Answer(500, json.dumps(FAILED | change)), "Asking", video_id)
