"""An answer that is made of the bytes of a server: its limits, IDs and errors."""

from __future__ import annotations

import json

import pytest

from airflow_provider_veo.api.answers.answer import ID_LIMIT, Answer, is_usable_id
from airflow_provider_veo.api.answers.text import MARK
from airflow_provider_veo.api.backends.openai.videos import parse_video
from airflow_provider_veo.api.error_answers import make_api_error, retry_after
from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.api.video import VideoStatus

URL = "https://api.example.com/v1/videos/v"
KEY = "sk-ab/cd+ef=gh"
GOOD = b'{"id": "v", "status": "completed"}'


def answer(body, status=200, headers=(), **more):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer.of(status, body, headers, URL, **more)


@pytest.mark.parametrize("charset", ["", "utf-8", "undefined", "utf-7", "idna", "hex", "latin-1", '"', "\ufffd"])
def test_the_body_is_read_as_utf_8_with_every_charset(charset):
    given = answer('{"id": "é"}'.encode(), headers=[("Content-Type", f"application/json; charset={charset}")])
    assert given.json() == {"id": "é"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"\xef\xbb\xbf{}", "{}"),
        (b"caf\xe9", f"caf{MARK}"),
        (b"\xed\xa0\xbd", MARK * 3),
        (b"a\x00b\x1b", f"a{MARK}b{MARK}"),
        (b"two\nlines", "two\nlines"),
        (b"", ""),
    ],
)
def test_characters_that_cannot_be_stored_are_replaced_in_a_body(body, text):
    assert answer(body).text == text


def test_headers_have_lower_case_names_and_a_limit_and_the_first_of_two_counts():
    given = answer(
        b"", headers=[("Retry-After", "1"), ("retry-after", "2"), ("Location", "x" * 20_000), ("X", "a\x00b")]
    )
    assert dict(given.headers) == {"retry-after": "1", "x": f"a{MARK}b"}


@pytest.mark.parametrize(
    "video_id",
    [
        "v" * (ID_LIMIT + 1),
        "..",
        ".",
        "a\ud83db",
        "a\x00b",
        "a\nb",
        "a\x1b[31m",
        "a\u202eb",
        "\ufeffa",
        10**101,
        "",
        "  ",
    ],
)
@pytest.mark.parametrize(
    "shape",
    [lambda found: {"id": found, "status": "queued"}, lambda found: {"data": {"task_id": found, "status": "x"}}],
)
def test_an_unusable_id_makes_the_answer_unreadable_and_is_not_a_refusal(video_id, shape):
    with pytest.raises(ApiError) as caught:
        parse_video(answer(shape(video_id)), "Creating the video")

    error = caught.value
    assert error.reason is Reason.UNREADABLE
    assert not error.permanent
    assert "a job, which may exist and be billed, but its ID cannot be used" in str(error)
    if isinstance(video_id, str) and video_id.strip():
        assert error.job_id
        assert len(error.job_id) <= ID_LIMIT + 1
        assert error.job_id.isprintable()
        assert error.job_id[:100] in str(error)


@pytest.mark.parametrize("video_id", ["v", " v ", "v" * ID_LIMIT, "a/b?c#d%00", "ünï", "...", "a b", "视频😀"])
def test_an_id_is_kept_exactly(video_id):
    assert is_usable_id(video_id)
    assert parse_video(answer({"id": video_id}), "Creating").id == video_id


def test_ids_and_addresses_for_later_requests_are_not_masked():
    key = "sk-0123456789"
    found = parse_video(answer({"id": f"video-{key}", "status": key}, secrets=[key]), "Creating")
    assert (found.id, found.status_word) == (f"video-{key}", "***")


@pytest.mark.parametrize(
    ("status", "body", "job_id"),
    [
        (500, b'{"id": "v1", "error": {"message": "no"}}', "v1"),
        (500, b'{"data": {"task_id": "v1"}}', "v1"),
        (504, b'{"id": "v1", "status": broken', "v1"),
        (200, b'{"code": 504, "message": "timeout", "task_id": "v1"}', "v1"),
        (500, b'{"error": {"message": "no"}}', None),
        (502, b"<html>id</html>", None),
        (500, b'{"id": "a\\ud83d"}', f"a{MARK}"),
    ],
)
def test_an_error_holds_the_job_id_of_its_answer(status, body, job_id):
    assert make_api_error(answer(body, status), "Creating").job_id == job_id


def test_an_error_while_reading_an_answer_holds_the_job_id(monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a\nbug")

    monkeypatch.setattr("airflow_provider_veo.api.backends.openai.videos.read_ending", broken)
    with pytest.raises(ApiError, match="the answer cannot be read: ZeroDivisionError: a bug") as caught:
        parse_video(answer(GOOD), "Creating")

    assert (caught.value.reason, caught.value.job_id) == (Reason.UNREADABLE, "v")


VIDEO = b'{"id": "v", "status": "completed", "progress": 100, "video": "' + b"A" * 100_000


def test_a_status_that_contains_a_video_is_read():
    video = parse_video(answer(VIDEO, is_cut=True), "Asking", "v")
    assert (video.status, video.progress) == (VideoStatus.COMPLETED, 100.0)
    assert parse_video(answer(VIDEO, is_cut=True), "Creating").id == "v"


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "v", "status": "queued", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"id": "v", "status": "queued"} <!-- a proxy was here -->',
        b'{"id": "v", "status": "queued", "more": undefined}',
    ],
)
@pytest.mark.parametrize("video_id", [None, "v"])
def test_damage_behind_the_needed_fields_loses_no_job(body, video_id):
    video = parse_video(answer(body), "Asking", video_id)
    assert (video.id, video.status) == ("v", VideoStatus.QUEUED)


@pytest.mark.parametrize("body", [b"{'detail': no}", b"{no", b'{"', b'{"x": 1, no', b"[no"])
def test_a_text_that_is_not_json_is_an_error_message(body):
    assert str(make_api_error(answer(body, 500), "Asking")) == f"Asking failed (HTTP 500): {body.decode()}"


@pytest.mark.parametrize("video_id", [None, "v"])
def test_a_status_that_is_cut_before_the_needed_fields_is_unreadable(video_id):
    with pytest.raises(ApiError) as caught:
        parse_video(answer(b'{"video": "' + b"A" * 100_000, is_cut=True), "Asking", video_id)
    assert caught.value.reason is Reason.UNREADABLE


def test_a_cut_id_is_not_used():
    with pytest.raises(ApiError) as caught:
        parse_video(answer(b'{"status": "queued", "id": "video_12', is_cut=True), "Creating")
    assert caught.value.reason is Reason.UNREADABLE


ECHO = {"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": {"frame": "A" * 100_000}}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (422, {"detail": [ECHO]}, Reason.REQUEST_FORMAT),
        (422, {"detail": [ECHO | {"loc": ["body", "size"]}]}, Reason.BAD_REQUEST),
        (400, {"error": {"message": "insufficient balance for " + "A" * 100_000}}, Reason.QUOTA),
        (503, {"error": {"message": "A" * 100_000}}, Reason.SERVER),
        (200, {"code": 429, "message": "A" * 100_000}, Reason.RATE_LIMITED),
    ],
)
def test_a_cut_error_is_classified_by_its_status_and_its_beginning(status, body, reason):
    given = answer(json.dumps(body).encode()[:65_536], status, is_cut=True)
    error = make_api_error(given, "Creating")
    assert error.reason is reason
    assert len(str(error)) < 1_000


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"error": {"message": f"key {KEY} is wrong", "code": KEY}}),
        json.dumps({"error": f"key {KEY} is wrong"}).replace("/", "\\/"),
        json.dumps({"message": "Upstream - " + json.dumps({"key": KEY}).replace("+", "\\u002B")}),
        f"<html>key {KEY.replace('+', '&#43;')} is wrong</html>",
        f"key {KEY} is wrong",
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_an_error_does_not_show_the_key(body, status):
    error = make_api_error(answer(body.encode(), status, secrets=[KEY]), "Creating")
    for text in (str(error), str(error.detail), repr(error.detail)):
        assert "***" in text
        assert "cd+ef" not in text.replace("\\u002B", "+").replace("&#43;", "+")


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ({"url": f"https://cdn.example.net/v.mp4?k={KEY}"}, "https://cdn.example.net/v.mp4?k=__veo_api_key__"),
        (
            {"url": "https://cdn.example.net/sk-ab%2Fcd%2bef%3Dgh/v.mp4"},
            "https://cdn.example.net/__veo_api_key__/v.mp4",
        ),
        ({"url": "https://cdn.example.net/" + "x" * 9_000}, None),
        ({"url": "https://cdn.example.net/a\x00b"}, None),
        ({"url": "/v.mp4"}, "https://api.example.com/v.mp4"),
    ],
)
def test_an_address_is_kept_without_the_key(body, url):
    assert parse_video(answer({"id": "v", "status": "completed"} | body, secrets=[KEY]), "Asking", "v").url == url


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "1000000000"}, 3600.0),
        ({"retry-after": "300000000000"}, 3600.0),
        ({"retry-after": "9" * 300}, 3600.0),
        ({"retry-after": "9" * 5_000}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": "Sat, 28 Nov 2026 10:00:00 GMT"}, 3600.0),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 GMT", "date": "Mon, 01 Jan 0001 00:00:00 +1400"}, 3600.0),
        ({"retry-after": "Mon, 01 Jan 99999 00:00:00 GMT", "date": "x"}, None),
        ({"retry-after-ms": "1e300"}, 3600.0),
        ({"openai-poll-after-ms": "nan", "retry-after": "inf"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "7"}, 7.0),
    ],
)
def test_a_retry_after_of_more_than_an_hour_counts_as_an_hour(headers, seconds):
    assert retry_after(headers) == seconds
