"""The place of a video's content: answers of the content route, addresses in the status, and ranges."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pendulum
import pytest

from airflow_provider_veo.api.answers.answer import Answer, ErrorDetail
from airflow_provider_veo.api.content.locate import (
    Asked,
    Resume,
    check_continuation,
    choose_address,
    choose_error,
    explain_loss,
    find_next_hop,
    is_encoded,
    may_be_elsewhere,
    read_length,
    read_version,
)
from airflow_provider_veo.api.errors import (
    AddressRefusedError,
    ApiError,
    ContentChangedError,
    ContentError,
    ContentGoneError,
    ContentNotReadyError,
    InvalidInputError,
    Reason,
    TransportError,
    VideoFailedError,
)
from airflow_provider_veo.api.net.urls import is_same_origin, redact
from airflow_provider_veo.api.video import Video, VideoStatus

URL = "https://api.example.com/v1/videos/v/content"
NOT_COMPLETED = json.dumps({"error": {"message": "Task is not completed yet", "type": "invalid_request_error"}})


def hop(status, body="", **headers):
    return find_next_hop(Answer(status, body, headers, URL), Asked("Downloading", "v"))


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
def test_a_redirect_or_an_answer_with_an_address_leads_to_that_address(status, body, headers, target):
    assert hop(status, body, **headers) == target


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((400, NOT_COMPLETED), (404, '{"detail":"Generation is still in-progress"}'), (404, ""), (425, ""), (200, "")),
        *((200, '{"status": "processing"}'), (202, '{"data": {"task_status": "QUEUED", "url": ""}}')),
    ],
)
def test_some_answers_mean_that_the_content_is_not_ready(status, body):
    with pytest.raises(ContentNotReadyError, match=r"^Downloading: the "):
        hop(status, body)


def test_a_missing_file_is_reported_with_the_servers_message():
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
        (200, '{"code":"insufficient_quota","message":"no money is left"}', Reason.QUOTA),
        (200, '{"code":"bad_luck","message":"a clip about insufficient quota"}', Reason.SERVER),  # perhaps a prompt
    ],
)
def test_refusals_of_the_api_have_a_reason(status, body, reason):
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
        (200, "http://[broken", {}, "not an http"),
        (302, "", {"location": "file:///etc/passwd"}, "not an http"),
        (302, "", {"location": "http://[broken"}, "not an http"),
        (200, '{"url": "https://cdn.example.net:port/a.mp4"}', {}, "something else"),
    ],
)
def test_an_answer_with_neither_a_video_nor_an_address_is_an_error(status, body, headers, complaint):
    with pytest.raises(ContentError, match=f"^Downloading: .*{complaint}"):
        hop(status, body, **headers)


def test_a_file_that_the_server_has_deleted_is_gone():
    with pytest.raises(
        ContentGoneError, match=r"^Downloading: the video is gone.*HTTP 410.* To have another one made, clear the task"
    ) as e:
        hop(410)
    assert e.value.permanent


def test_a_missing_part_means_that_the_file_has_changed():
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
def test_headers_give_length_encoding_and_version_of_a_body(headers, length, encoded, version):
    assert (read_length(headers), is_encoded(headers), read_version(headers)) == (length, encoded, version)


def test_headers_ask_for_the_rest_of_a_file():
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
def test_the_rest_of_the_same_file_is_accepted(headers, resume):
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
def test_the_rest_of_another_file_is_refused(headers, resume):
    found = headers.get("content-range", "")
    range_in_the_answer = found if found.startswith("bytes") else "no range that can be read"
    with pytest.raises(ContentChangedError, match=rf"from byte 5, .*{re.escape(range_in_the_answer)}"):
        check_continuation(headers, resume)


NOW = pendulum.datetime(2026, 11, 26)
GOOGLE = "Veo could not generate videos because the input image violates the usage guidelines. Support codes: 58061214"
CDN = "https://cdn.example.net/a.mp4?X-Amz-Signature=canary"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, '{"error":{"message":"litellm.APIError: No response data in completed operation"}}', Reason.UNKNOWN),
        (500, '{"error":{"message":"No generated samples in completed operation. "}}', Reason.UNKNOWN),
        (500, '{"error":{"message":"No videos found in the response"}}', Reason.UNKNOWN),
        (502, '{"error":{"message":"gemini video url not found","type":"server_error"}}', Reason.UNKNOWN),
        (404, '{"error":{"code":"PUBLIC_ERROR_AUDIO_FILTERED","message":"x"}}', Reason.UNKNOWN),
        (500, '{"error":{"message":"Vertex_aiException - No video data found in completed operation"}}', None),
        (500, json.dumps({"error": {"message": f"No generated samples in completed operation. {GOOGLE}"}}), None),
        (500, json.dumps({"detail": GOOGLE}), None),
        (200, json.dumps({"id": "v", "metadata": {"raiMediaFilteredCount": 1}}), None),
        (200, json.dumps({"raiMediaFilteredReasons": ["no"], "done": True}), None),
        (500, json.dumps({"error": {"message": json.dumps({"raiMediaFilteredCount": 2})}}), None),
        (400, '{"error":{"code":"content_filter","message":"no"}}', None),
        (200, '{"code":"moderation_blocked","message":"no"}', None),
    ],
)
def test_some_errors_mean_that_there_is_no_video(status, body, reason):
    with pytest.raises(VideoFailedError, match=r"^Video v is completed without a video: ") as caught:
        hop(status, body)
    assert caught.value.reason is (reason or Reason.MODERATION)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, ""),
        (502, "<html>Bad Gateway</html>"),
        (500, '{"error":{"message":"the prompt was: a workplace safety clip, no video of a content filter"}}'),
        (500, '{"error":{"message":"the prompt was: no video in the result"}}'),
        (503, '{"error":{"message":"try later","code":"moderation_service_unavailable"}}'),
        (502, '{"error":{"message":"Failed to resolve Gemini video URL"}}'),  # of a network error, too
        (500, json.dumps({"raiMediaFilteredCount": 0, "raiMediaFilteredReasons": []})),
    ],
)
def test_other_errors_do_not_mean_that_there_is_no_video(status, body):
    with pytest.raises(ApiError):
        hop(status, body)


def test_an_address_without_a_job_never_means_that_the_job_has_no_video():
    with pytest.raises(ApiError):
        find_next_hop(
            Answer(500, '{"detail":"No response data in completed operation"}', {}, URL), Asked("Downloading")
        )


def elsewhere(status, body="", url=CDN):
    return find_next_hop(Answer(status, body, {"retry-after": "7"}, url), Asked("Downloading", "v", is_api=False))


ONE_MECHANISM = "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 451])
def test_a_refusal_of_another_server_does_not_blame_the_key(status):
    with pytest.raises(AddressRefusedError) as caught:
        elsewhere(status, ONE_MECHANISM)
    assert "key (password)" not in str(caught.value)
    assert "canary" not in str(caught.value)
    assert f"cdn.example.net/a.mp4 refuses the file (HTTP {status}: InvalidArgument Only one" in str(caught.value)
    assert (caught.value.address, caught.value.is_missing) == ("https://cdn.example.net/a.mp4", status == 404)


@pytest.mark.parametrize(("status", "reason"), [(429, Reason.RATE_LIMITED), (503, Reason.SERVER), (408, Reason.SERVER)])
def test_another_server_in_trouble_is_asked_again(status, reason):
    with pytest.raises(ApiError) as caught:
        elsewhere(status, '{"code": "insufficient_quota", "message": "invalid api key"}')
    assert (caught.value.reason, caught.value.retry_after) == (reason, 7.0)


def test_another_server_may_redirect():
    answer = Answer(302, "", {"location": "/b.mp4"}, CDN)
    assert find_next_hop(answer, Asked("Downloading", "v", is_api=False)) == "https://cdn.example.net/b.mp4"
    with pytest.raises(ContentChangedError):
        elsewhere(416)
    with pytest.raises(ContentError, match="something else that begins"):
        elsewhere(200, '{"code": 401, "message": "no such key"}')


def test_an_expired_address_is_recognized():
    for year, over in ((2020, True), (2999, False)):
        url = f"https://cdn.example.net/a.mp4?X-Amz-Date={year}0101T000000Z&X-Amz-Expires=60&X-Amz-Signature=a"
        with pytest.raises(AddressRefusedError) as caught:
            elsewhere(403, url=url)
        assert caught.value.is_over is over


NOT_READY = ContentNotReadyError("not yet")
REFUSED = ApiError("Downloading failed", reason=Reason.FORBIDDEN, status=403)
COMPLETED = Video("v", VideoStatus.COMPLETED)
NAMED = replace(COMPLETED, url="https://cdn.example.net/a.mp4")


class TestTheAddressInTheStatus:
    @pytest.mark.parametrize(
        ("refusal", "may"),
        [
            (NOT_READY, True),
            (REFUSED, True),
            (ContentGoneError("410"), True),
            (ContentError("an HTML page"), True),
            (AddressRefusedError("403", "https://cdn.example.net/a.mp4"), True),
            (ApiError("x", reason=Reason.SERVER, status=501), True),
            (ApiError("x", reason=Reason.RATE_LIMITED, status=429), False),
            (ContentChangedError("x"), False),
            (TransportError("x"), False),
            (VideoFailedError("v", "failed", Reason.UNKNOWN, ""), False),
        ],
    )
    def test_is_asked_for_after_some_refusals(self, refusal, may):
        assert may_be_elsewhere(refusal) is may

    @pytest.mark.parametrize("refusal", [NOT_READY, REFUSED])
    def test_is_the_one_that_the_status_names(self, refusal):
        assert choose_address(refusal, NAMED, "Downloading", NOW) == NAMED.url
        assert choose_address(refusal, replace(NAMED, expires_at=NOW), "Downloading", NOW) == NAMED.url

    def test_is_the_status_itself_if_it_names_none(self):
        assert choose_address(NOT_READY, COMPLETED, "Downloading", NOW) is None

    @pytest.mark.parametrize("refusal", [NOT_READY, REFUSED])
    @pytest.mark.parametrize("status", [VideoStatus.RUNNING, VideoStatus.QUEUED, VideoStatus.UNKNOWN])
    def test_is_waited_for_while_the_job_is_not_finished(self, refusal, status):
        with pytest.raises(ContentNotReadyError):
            choose_address(refusal, replace(NAMED, status=status), "Downloading", NOW)

    @pytest.mark.parametrize(
        ("seen", "error"),
        [
            (ApiError("Asking", reason=Reason.NOT_FOUND, status=404), ContentGoneError),
            (replace(COMPLETED, expires_at=NOW), ContentGoneError),
            (replace(NAMED, status=VideoStatus.EXPIRED), ContentGoneError),
            (replace(NAMED, status=VideoStatus.FAILED), VideoFailedError),
            (ApiError("Asking", reason=Reason.SERVER, status=500), ApiError),
            (TransportError("x"), ApiError),
        ],
    )
    def test_does_not_exist_for_a_job_without_a_video(self, seen, error):
        with pytest.raises(error):
            choose_address(REFUSED, seen, "Downloading", NOW)

    def test_is_reported_if_it_fails_with_a_more_useful_error(self):
        elsewhere_refused = AddressRefusedError("403", "https://cdn.example.net/a.mp4")
        private = InvalidInputError("a private address")
        assert choose_error(NOT_READY, elsewhere_refused, NAMED, NOW) is elsewhere_refused
        assert not elsewhere_refused.is_over
        assert choose_error(NOT_READY, elsewhere_refused, replace(NAMED, expires_at=NOW), NOW).is_over
        assert choose_error(REFUSED, private, NAMED, NOW) is private
        both = choose_error(NOT_READY, private, NAMED, NOW)
        assert isinstance(both, ContentNotReadyError)
        assert "not yet" in str(both)
        assert "a private address" in str(both)
        assert choose_error(NOT_READY, ContentError("no video"), COMPLETED, NOW) is NOT_READY
        assert choose_error(REFUSED, TransportError("x"), COMPLETED, NOW) is REFUSED
        filtered = VideoFailedError("v", "is completed without a video", Reason.MODERATION, "no")
        assert choose_error(NOT_READY, filtered, COMPLETED, NOW) is filtered


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
def test_missing_content_that_will_never_come_is_an_error(seen, error):
    assert type(explain_loss(seen, "Downloading video v", NOW)) is (error or type(None))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (not_found("no X."), "Downloading: the video is gone. The server does not know it any more (HTTP 404: no X)."),
        (
            not_found("no X."),
            "Downloading: the video is gone. The server does not know it any more (HTTP 404: no X). If it",
        ),
        (Video("v", VideoStatus.EXPIRED), "Downloading: the video is gone. It has expired."),
        (
            Video("v", VideoStatus.COMPLETED, expires_at=NOW),
            "Downloading: the video is gone. It expired at 2026-11-26T00:00:00+00:00.",
        ),
        (Video("v", VideoStatus.FAILED, message="no cats"), "Video v failed: no cats"),
    ],
)
def test_the_error_has_the_reason_why_the_content_will_never_come(seen, words):
    assert str(explain_loss(seen, "Downloading", NOW)).startswith(words)


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
def test_the_key_is_sent_only_to_its_own_origin(other, same):
    assert is_same_origin(other, "https://api.example.com") is same


def test_two_broken_addresses_have_no_origin_in_common():
    assert is_same_origin("nonsense", "nonsense") is False


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
def test_content_of_a_paid_video_is_asked_for_again(status):
    with pytest.raises(ApiError) as caught:
        hop(status, '{"code": "busy", "message": "slow down"}', **{"retry-after": "1000000000"})
    assert caught.value.retry_after == 600.0


@pytest.mark.parametrize("length", ["9" * 5_000, "-1", "1.5", "٣", "", "1e3"])
def test_a_length_that_is_not_a_number_is_none(length):
    assert read_length({"content-length": length}) is None


@pytest.mark.parametrize("tag", ['"é"', '"' + "x" * 2_000 + '"', '"a\x1b"'])
def test_a_version_that_cannot_be_sent_back_is_none(tag):
    assert read_version({"etag": tag}) is None
    assert read_version({"last-modified": tag}) is None


@pytest.mark.parametrize("header", ["bytes " + "9" * 5_000 + "-1/2", "bytes ٣-4/5", "x" * 100_000])
def test_an_unreadable_range_is_another_file(header):
    with pytest.raises(ContentChangedError) as caught:
        check_continuation({"content-range": header}, Resume(3, 5, None))
    assert len(str(caught.value)) < 300
