"""Error bodies as servers send them (sources: their documentation, code and logs), and the errors that they become."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.answer import Answer, ErrorDetail, read_error
from airflow_provider_veo.api.error_answers import make_api_error, retry_after
from airflow_provider_veo.api.errors import ApiError, ChatIncompleteError, Reason
from airflow_provider_veo.api.reasons import find_reason

NEW_API_NESTED = json.dumps(
    {
        "code": "fail_to_fetch_task",
        "message": json.dumps(
            {"error": {"code": 404, "message": "models/veo-3.1 is no longer available", "status": "NOT_FOUND"}}
        ),
        "data": None,
    }
)
LITELLM_429 = json.dumps(
    {
        "error": {
            "message": 'litellm.RateLimitError: RateLimitError: OpenAIException - {"error":{"message":"slow down"}}',
            "type": "throttling_error",
            "param": None,
            "code": "429",
        }
    }
)

VLLM_400 = json.dumps(
    {
        "error": {
            "message": "1 validation error:\n  {'type': 'missing', 'loc': ('body', 'prompt'), 'msg': 'Field required'}",
            "type": "Bad Request",
            "param": "body.prompt",
            "code": 400,
        }
    }
)


@pytest.mark.parametrize(
    ("status", "body", "reason", "words"),
    [
        (401, '{"error":{"message":"Invalid token","type":"new_api_error","code":""}}', Reason.AUTHENTICATION, "token"),
        (
            400,
            '{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}',
            Reason.AUTHENTICATION,
            "No connected db",
        ),
        (402, '{"error":{"message":"Insufficient balance"}}', Reason.QUOTA, "balance"),
        (
            403,
            '{"error":{"message":"user [1] quota [-14305] preConsumedQuota [7500] is not enough"}}',
            Reason.QUOTA,
            "preConsumedQuota",
        ),
        (403, '{"error":{"message":"x","code":"insufficient_user_quota"}}', Reason.QUOTA, "insufficient_user_quota"),
        (429, '{"error":{"message":"余额不足","code":"429"}}', Reason.QUOTA, "余额不足"),
        (429, '{"error":{"code":"insufficient_quota","message":"You exceeded"}}', Reason.QUOTA, "insufficient_quota"),
        (403, '{"error":{"message":"This group may not use it"}}', Reason.FORBIDDEN, "group"),
        (400, '{"error":{"message":"prompt is required","code":"invalid_request"}}', Reason.BAD_REQUEST, "prompt"),
        (400, '{"code":"task_not_exist","message":"task_not_exist","data":null}', Reason.NOT_FOUND, "task_not_exist"),
        (404, '{"error":{"message":"Task not found","type":"invalid_request_error"}}', Reason.NOT_FOUND, "Task"),
        (404, '{"error":{"message":"no","code":"model_not_found"}}', Reason.MODEL_UNAVAILABLE, "model_not_found"),
        (413, "<html><head><title>413 Too Large</title></head></html>", Reason.BAD_REQUEST, "413 Too Large"),
        (422, '{"detail":[{"loc":["body","size"],"msg":"Bad"}]}', Reason.BAD_REQUEST, "body.size: Bad"),
        (422, '{"detail":[{"loc":["body","prompt"],"msg":"Field required"}]}', Reason.REQUEST_FORMAT, "Field required"),
        (400, VLLM_400, Reason.REQUEST_FORMAT, 'set request_format to "multipart"'),
        (400, VLLM_400.replace("prompt", "size"), Reason.BAD_REQUEST, "Field required"),
        (500, VLLM_400, Reason.SERVER, "Field required"),
        (415, "Unsupported Media Type", Reason.REQUEST_FORMAT, 'set request_format to "multipart"'),
        (429, LITELLM_429, Reason.RATE_LIMITED, "slow down"),
        (429, '{"error":{"message":"Current group upstream load is saturated"}}', Reason.RATE_LIMITED, "saturated"),
        (500, NEW_API_NESTED, Reason.MODEL_UNAVAILABLE, "no longer available"),
        (503, '{"error":{"message":"no available channels"}}', Reason.MODEL_UNAVAILABLE, "no available channels"),
        (503, "upstream connect error", Reason.SERVER, "upstream connect error"),
        (500, '{"detail":"boom"}', Reason.SERVER, "boom"),
        (502, "<html><body><h1>502 Bad Gateway</h1></body></html>", Reason.SERVER, "502 Bad Gateway"),
        (400, '{"error":{"code":"moderation_blocked","message":"no"}}', Reason.MODERATION, "moderation_blocked"),
        (400, '{"error":"Content policy violation"}', Reason.MODERATION, "Content policy"),
        (200, '{"code":400,"message":"bad prompt"}', Reason.BAD_REQUEST, "bad prompt"),
        (200, '{"code":"quota_not_enough","message":"no"}', Reason.QUOTA, "quota_not_enough"),
        (200, "<html>welcome</html>", Reason.UNREADABLE, "welcome"),
        (200, "", Reason.UNREADABLE, ""),
        (200, '{"code":429,"message":"slow down"}', Reason.RATE_LIMITED, "slow down"),
        (200, '{"code":"invalid_request","message":"no"}', Reason.BAD_REQUEST, "invalid_request"),
        (300, "", Reason.UNREADABLE, ""),
        (302, "", Reason.UNREADABLE, ""),
    ],
)
def test_an_error_answer_has_its_reason_and_the_servers_message(status, body, reason, words):
    error = make_api_error(Answer(status, body), "Creating the video")

    assert error.reason is reason
    assert words in str(error)
    assert f"Creating the video failed (HTTP {status})" in str(error)
    assert error.permanent is reason.permanent


def test_an_error_has_the_pause_that_the_server_asks_for():
    assert make_api_error(Answer(429, "", {"retry-after": "7"}), "Asking").retry_after == 7.0


@pytest.mark.parametrize(
    ("reason", "message", "text"),
    [
        (Reason.SERVER, "", "Asking failed (HTTP 500)"),
        (Reason.SERVER, "x" * 500, "Asking failed (HTTP 500): " + "x" * 500),
        (Reason.SERVER, "x" * 501, "Asking failed (HTTP 500): " + "x" * 500 + "…"),
        (Reason.MODERATION, "No X.", f"Asking failed (HTTP 500): No X. {Reason.MODERATION.advice}"),
    ],
)
def test_an_error_has_the_failure_its_cause_and_advice(reason, message, text):
    assert str(ApiError("Asking failed", reason=reason, status=500, detail=ErrorDetail(message))) == text


def test_permanent_errors_have_advice():
    for reason in Reason:
        if reason.permanent:
            assert reason.advice
            assert reason.advice in str(ApiError("x", reason=reason, status=400))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Content policy violation", Reason.MODERATION),
        ("PUBLIC_ERROR_PROMINENT_PEOPLE_FILTER_FAILED", Reason.MODERATION),
        ("PUBLIC_ERROR_HIGH_TRAFFIC", Reason.UNKNOWN),
        ("AUDIO_FILTERED", Reason.UNKNOWN),
        ("PUBLIC_ERROR_AUDIO_FILTERED", Reason.UNKNOWN),
        ("服务内部异常", Reason.UNKNOWN),
        ("", Reason.UNKNOWN),
        ("内容违规", Reason.MODERATION),
    ],
)
def test_the_message_of_a_failed_job_gives_the_reason(words, reason):
    assert find_reason(ErrorDetail(words)) is reason


def test_long_messages_are_cut():
    # also guards against a pattern that needs quadratic time: such a test would not end
    assert len(str(make_api_error(Answer(500, "x" * 5_000_000), "y"))) < 700
    assert len(str(make_api_error(Answer(500, "<script" * 1_000_000), "y"))) < 700


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"llm_provider-retry-after": "3"}, 3),
        ({"openai-poll-after-ms": "2500"}, 2.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 10),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0),
        ({"retry-after": "Wed, 21 Oct 2026 08:28:10 +0100", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 10),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_headers_have_the_pause_that_the_server_asks_for(headers, seconds):
    assert retry_after(headers) == seconds


def test_a_time_without_a_zone_is_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        headers = {"retry-after": "Wed, 21 Oct 2026 07:28:10 -0000", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}
        assert retry_after(headers) == 10
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("message", "reason", "text"),
    [
        ("no cats", Reason.MODERATION, "1 of 2 videos: no cats. The content filter refused it: change"),
        ("", Reason.UNKNOWN, "1 of 2 videos: the server gave no reason"),
    ],
)
def test_an_incomplete_chat_call_names_its_cause(message, reason, text):
    error = ChatIncompleteError("1 of 2 videos", reason, message)
    assert str(error).startswith(text)
    assert error.permanent is reason.permanent


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["error", "message", "code", "detail", "data", "type", "x"]), inner)
    ),
    max_leaves=12,
)


@given(st.text() | json_values.map(json.dumps))
def test_any_body_can_be_read(body):
    detail = read_error(body)
    assert isinstance(detail.message, str)
    assert isinstance(find_reason(detail, 500), Reason)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("404", ErrorDetail("404")),
        ('["a", "b", "c", "d", "e", "f"]', ErrorDetail("a; b; c; d; e")),
        ('{"data": 1}', ErrorDetail()),
        ('{"code": "outer", "message": {"code": "inner", "message": "m"}}', ErrorDetail("m", "outer/inner")),
        ('{"code": "abc", "message": "m"}', ErrorDetail("m", "abc")),
        ('{"code": 399, "message": "m"}', ErrorDetail("m", "399")),
        ('{"code": 400, "message": "m"}', ErrorDetail("m", "400", 400)),
        ('{"code": "599", "message": "m"}', ErrorDetail("m", "599", 599)),
        ('{"code": 600, "message": "m"}', ErrorDetail("m", "600")),
    ],
)
def test_a_body_has_a_message_and_a_code(body, detail):
    assert read_error(body) == detail


@pytest.mark.parametrize(
    ("body", "depth", "message"),
    [
        ([["m"]], 2, "m"),
        ([["m"]], 1, ""),
        ({"error": {"message": "m"}}, 2, "m"),
        ({"error": {"message": "m"}}, 1, ""),
        (r'{"message": "{\"message\": \"m\"}"}', 4, "m"),
        (r'{"message": "{\"message\": \"m\"}"}', 2, '{"message": "m"}'),
    ],
)
def test_bodies_within_bodies_are_opened_to_a_depth(body, depth, message):
    assert read_error(body, depth).message == message


def test_a_body_without_end_can_be_read():
    assert read_error("[" * 100_000).message
    assert isinstance(read_error('{"error":' * 5_000 + "1" + "}" * 5_000).message, str)
