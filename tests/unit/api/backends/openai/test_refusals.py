"""The closed list of sure refusals. An order with any other answer may have made a job."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai.refusals import SURE_STATUSES, judge
from airflow_provider_veo.api.error_answers import make_api_error
from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.api.verdict import Verdict
from airflow_provider_veo.emulator.dialects import OPENAI_DIALECTS
from tests.support.odd_values import ODD_VALUES, dumped, with_odd_leaves

REFUSED, FOR_NOW, UNKNOWN = Verdict.REFUSED, Verdict.REFUSED_FOR_NOW, Verdict.UNKNOWN
LONG = 100_000
SOON = {"retry-after": "1"}
IDS = ("ID", "taskId", "videoId", "jobId", "task-id", "generation_id")


def verdict(status, body="", headers=None):
    text = body if isinstance(body, str) else json.dumps(body)
    return judge(make_api_error(Answer(status, text, headers or {}), "Creating the video"))


def openai(message, code="", kind="invalid_request_error"):
    return {"error": {"message": message, "type": kind, "param": "", "code": code}}


def new_api(code, message):
    return {"code": code, "message": message if isinstance(message, str) else json.dumps(message), "data": None}


def litellm(status, upstream):
    message = f"litellm.APIError: APIError: OpenAIException - {json.dumps(upstream)}"
    return {"error": {"message": message, "type": None, "param": None, "code": str(status)}}


NOT_READ = {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": None}]}
ECHO = {
    "detail": [{"type": "missing", "loc": ["body", "size"], "msg": "Field required", "input": {"prompt": "timeout"}}]
}
CUT = json.dumps(ECHO).replace("timeout", "a" * 9000)[:5000]

# status, body, headers, verdict
TABLE = [
    # the HTTP status of a server that has not taken the order, with bodies of every shape
    (400, openai("prompt is required", "invalid_request"), {}, REFUSED),
    (400, new_api("parse_request_failed", "cannot unmarshal number into Go struct field of type string"), {}, REFUSED),
    (400, litellm(400, openai("Invalid model name")), {}, REFUSED),
    (400, "", {}, REFUSED),
    # the address takes no orders
    (405, {"detail": "Method Not Allowed"}, {}, REFUSED),
    (405, openai("upstream request failed"), {}, UNKNOWN),
    (501, "<h1>Error response</h1><p>Message: Unsupported method ('POST').</p>", {}, REFUSED),
    (401, openai("Invalid token"), {}, REFUSED),
    (402, openai("Insufficient balance"), {}, REFUSED),
    (
        403,
        new_api("quota_not_enough", "user [65944] quota [-14305] preConsumedQuota [7500] is not enough"),
        {},
        REFUSED,
    ),
    (403, "<html><script>setTimeout(f, 500)</script>Attention Required!</html>", {}, REFUSED),
    (404, "<html>404 Not Found</html>", {}, REFUSED),
    (400, openai("POST http://172.17.0.1:8000/v1/videos: seconds must be 4"), {}, REFUSED),
    (400, openai("expected 1280x720, got 512x512"), {}, REFUSED),
    (400, openai("HTTP Error 502.3 - no"), {}, UNKNOWN),
    (413, "<html>413 Request Entity Too Large</html>", {}, REFUSED),
    (415, "Unsupported Media Type", {}, REFUSED),
    (422, NOT_READ, {}, REFUSED),
    (422, ECHO, {}, REFUSED),
    (422, CUT, {}, REFUSED),
    # a status in the body counts like one of HTTP
    (200, {"code": 400, "message": "bad prompt"}, {}, REFUSED),
    (200, {"code": "400", "message": "bad prompt"}, {}, REFUSED),
    (200, {"error": {"code": 401, "message": "no"}}, {}, REFUSED),
    (200, {"status": 403, "message": "no"}, {}, REFUSED),
    (200, new_api(400, openai("bad prompt")), {}, REFUSED),
    # words that name a refusal
    (200, new_api("quota_not_enough", "no"), {}, REFUSED),
    (200, {"error": "Content policy violation"}, {}, REFUSED),
    (200, openai("余额不足"), {}, REFUSED),
    (503, openai("no available channels for model veo", "model_not_found"), {}, REFUSED),
    (503, openai("当前分组下模型无可用渠道"), {}, REFUSED),
    # for now, in the words of the API itself
    (429, openai("Current group upstream load is saturated, please try again later", "rate_limit"), {}, FOR_NOW),
    (429, openai("当前分组上游负载已饱和，请稍后再试"), {}, FOR_NOW),
    (429, openai("Limit 500, Used 500, Requested 1. Please try again in 20s."), {}, FOR_NOW),
    (429, litellm(429, openai("slow down")), {"llm_provider-retry-after": "1"}, FOR_NOW),
    (
        429,
        openai("No deployments available for selected model, Try again in 5 seconds. cooldown_list=['a']"),
        {},
        FOR_NOW,
    ),
    (429, {"detail": "slow down"}, {}, FOR_NOW),
    (429, "", SOON, FOR_NOW),
    (429, "<html>429 Too Many Requests</html>", SOON, FOR_NOW),
    (200, {"code": 429, "message": "slow down"}, {}, FOR_NOW),
    (503, openai("The server is overloaded"), {}, FOR_NOW),
    (503, openai("Service temporarily unavailable"), SOON, FOR_NOW),
    # surely refused, but nothing says that it was the API, or that it will pass
    (429, "", {}, REFUSED),
    (429, "<html>429 Too Many Requests</html>", {}, REFUSED),
    (429, openai("You exceeded", "insufficient_quota"), {}, REFUSED),
    # a status outside the list
    *((status, openai("no"), {}, UNKNOWN) for status in (406, 408, 409, 410, 412, 417, 421, 423, 424, 425, 499)),
    *((status, openai("no"), SOON, UNKNOWN) for status in (500, 502, 504, 507, 520, 522, 524, 529, 599)),
    *((status, "", {"location": "/v1/videos/v"}, UNKNOWN) for status in (300, 301, 302, 303, 304, 307, 308)),
    *((status, "", {}, UNKNOWN) for status in (200, 201, 202, 204, 206)),
    (503, openai("no"), {}, UNKNOWN),
    (503, "", SOON, UNKNOWN),
    (503, "<html>Error 503 Backend fetch failed</html>", SOON, UNKNOWN),
    (503, "upstream connect error or disconnect/reset before headers", {}, UNKNOWN),
    (503, {"message": "Service Unavailable"}, {}, UNKNOWN),
    (503, {"message": "Service Unavailable"}, SOON, UNKNOWN),
    (503, {"detail": "no"}, SOON, UNKNOWN),
    # a status in the body, at every depth and in every form
    (200, {"code": 500, "message": "no"}, {}, UNKNOWN),
    (200, {"code": "504", "message": "no"}, {}, UNKNOWN),
    (200, {"code": 408, "message": "no"}, {}, UNKNOWN),
    (200, {"code": 504.0, "message": "no"}, {}, UNKNOWN),
    (200, {"error": {"code": "500"}}, {}, UNKNOWN),
    (200, {"status": 502, "message": "no"}, {}, UNKNOWN),
    (400, {"code": 504, "message": "no"}, {}, UNKNOWN),
    (400, {"error": {"status": "504"}}, {}, UNKNOWN),
    (400, new_api("fail_to_fetch_task", {"error": {"code": 502, "message": "no"}}), {}, UNKNOWN),
    (400, litellm(400, new_api("x", {"error": {"code": 504}})), {}, UNKNOWN),
    (400, "Error code: 502 - no", {}, UNKNOWN),
    (400, {"error": "HTTP 504"}, {}, UNKNOWN),
    (400, {"error": "503 Service Unavailable"}, {}, UNKNOWN),
    (429, {"error": {"code": 429, "upstream_status": 500}}, SOON, UNKNOWN),
    (200, {"code": 200, "message": "quota_not_enough"}, {}, UNKNOWN),
    (200, {"code": 0, "message": "no"}, {}, UNKNOWN),
    # words of an upstream that may have taken the order
    (400, new_api("do_request_failed", 'Post "https://x.example": context deadline exceeded'), {}, UNKNOWN),
    (200, new_api("do_request_failed", "no"), {}, UNKNOWN),
    (400, openai("Request timed out."), {}, UNKNOWN),
    (400, openai("ReadTimeout"), {}, UNKNOWN),
    (429, openai("请求超时"), SOON, UNKNOWN),
    (429, '{"error":{"message":"litellm: {\\"message\\":\\"\\\\u8bf7\\\\u6c42\\\\u8d85\\\\u65f6\\"}"}}', SOON, UNKNOWN),
    (403, "<html>502 Bad Gateway</html>", {}, UNKNOWN),
    (400, openai("bad response status code 400", "bad_response_status_code", "upstream_error"), {}, UNKNOWN),
    (400, openai("read tcp: connection reset by peer"), {}, UNKNOWN),
    (400, openai("unexpected EOF"), {}, UNKNOWN),
    (400, openai("上游返回错误"), {}, UNKNOWN),
    (409, openai("A request with this key is in progress"), {}, UNKNOWN),
    (400, openai("A request with this key is in progress"), {}, UNKNOWN),
    (422, openai("The task already exists"), {}, UNKNOWN),
    (400, openai("Duplicate request"), {}, UNKNOWN),
    (400, openai("任务重复提交"), {}, UNKNOWN),
    (429, openai("slow down. LiteLLM Retried: 2 times"), SOON, UNKNOWN),
    (400, openai("Internal server error"), {}, UNKNOWN),
    # the answer names a job
    (400, {"error": {"message": "no"}, "id": "video_1"}, {}, UNKNOWN),
    (429, {"error": {"message": "slow down"}, "data": {"task_id": "task_1"}}, SOON, UNKNOWN),
    (400, litellm(400, {"id": "video_1", "status": "queued"}), {}, UNKNOWN),
    *((status, {"error": {"message": "no"}, name: "v"}, SOON, UNKNOWN) for status in (200, 400, 429) for name in IDS),
    (400, litellm(400, {"taskId": "v"}), {}, UNKNOWN),
    (400, {"error": {"message": "no"}, "request_id": "r", "requestId": "r"}, {}, REFUSED),
    # a success that does not name a refusal
    (200, {"code": "invalid", "message": "no"}, {}, UNKNOWN),
    (200, {"code": "success", "message": "提交成功，内容审核中"}, {}, UNKNOWN),
    (200, {"message": "content policy: passed", "status": "queued"}, {}, UNKNOWN),
    (200, "quota_not_enough", {}, UNKNOWN),
    (200, "<html>quota_not_enough</html>", {}, UNKNOWN),
    (200, '{"code": 400, "mess', {}, UNKNOWN),
    (200, [{"code": 400, "message": "no"}], {}, UNKNOWN),
]


@pytest.mark.parametrize(("status", "body", "headers", "expected"), TABLE)
def test_each_answer_to_an_order_has_the_expected_verdict(status, body, headers, expected):
    assert verdict(status, body, headers) is expected


@pytest.mark.parametrize("dialect", OPENAI_DIALECTS.values(), ids=OPENAI_DIALECTS)
def test_the_refusals_of_each_server_are_sure(dialect):
    server = dialect()
    replies = [server.no_money(), server.rate_limit(1.0), server.error(400, "seconds is wrong", "invalid_request")]
    assert [verdict(one.status, one.body, _lower(one.headers)) for one in replies] == [REFUSED, FOR_NOW, REFUSED]
    failed = server.server_error()
    assert verdict(failed.status, failed.body) is UNKNOWN


def _lower(headers):
    return {name.lower(): value for name, value in headers.items()}


def test_an_error_without_its_answer_leaves_the_order_unknown():
    assert judge(ApiError("x", reason=Reason.BAD_REQUEST, status=400)) is UNKNOWN


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 999) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "status", "error", "message"]), inner)
    ),
    max_leaves=8,
)
bodies = json_values.map(json.dumps) | st.text(max_size=40)
headers = st.sampled_from([{}, SOON])
unsure = st.sampled_from([status for status in range(300, 600) if status not in SURE_STATUSES | {503}])


@given(unsure, bodies, headers)
def test_a_status_outside_the_list_is_never_a_sure_refusal(status, body, more):
    assert verdict(status, body, more) is UNKNOWN


@given(st.sampled_from(sorted(SURE_STATUSES)), unsure, st.integers(0, 4), headers)
def test_a_status_outside_the_list_at_any_depth_leaves_the_order_unknown(outer, inner, depth, more):
    body = {"code": inner, "message": "no"}
    for level in range(depth):
        body = {"error": body} if level % 2 else {"message": json.dumps(body)}
    assert verdict(outer, body, more) is UNKNOWN
    assert verdict(200, body, more) is UNKNOWN


@given(st.integers(200, 299), bodies, headers)
@example(200, '{"code": 400}', {})
def test_a_success_is_a_refusal_only_with_a_status_or_words_of_the_list(status, body, more):
    if verdict(status, body, more) is not UNKNOWN:
        known = [str(one) for one in SURE_STATUSES] + ["quota", "moderation", "invalid", "rate"]
        assert any(word in body for word in known)


@given(st.sampled_from([200, 503, *SURE_STATUSES]), bodies, headers, st.sampled_from(["timeout", "already", "超时"]))
def test_words_of_doubt_leave_the_order_unknown_after_every_answer(status, body, more, word):
    assert verdict(status, {"error": {"message": word}, "more": body}, more) is UNKNOWN


def test_strange_values_raise_no_exception():
    judged = 0
    for _, odd, body in with_odd_leaves({"error": {"code": 400, "message": "no", "type": "x"}, "data": {"status": 1}}):
        if isinstance(odd, str) and len(odd) > LONG:
            continue  # the next test
        for status in (200, 400, 429, 503):
            text = dumped(body)
            judge(make_api_error(Answer(status, text if isinstance(text, str) else text.decode(errors="replace")), "x"))
            judged += 1
    assert judged > len(ODD_VALUES)


def test_the_time_for_deep_and_large_bodies_is_not_quadratic():
    deep = '{"error":' * 900 + "1" + "}" * 900
    floods = [
        word * 100_000
        for word in ("status ", '"id"', "connection ", "upstream_", "read", "code", "上游", "quota", "\\u", "\\", " ")
    ]
    for text in (deep, *floods, *(json.dumps({"error": flood}) for flood in floods)):
        assert verdict(500, text) is UNKNOWN


def test_a_refusal_with_a_quoted_order_that_was_cut_is_sure():
    echo = {"prompt": "the connection was reset by a timed out gateway", "first_frame": "A" * 100_000}
    body = {"detail": [{"loc": ["body", "seconds"], "msg": "Input should be a valid string", "input": echo}]}
    answer = Answer.of(422, json.dumps(body).encode()[:65_536], [], "http://api.example.com", is_cut=True)
    assert judge(make_api_error(answer, "Creating the video")) is Verdict.REFUSED


def test_a_success_that_is_longer_than_any_refusal_is_unknown():
    body = {"code": 400, "message": "invalid_request", "more": "A" * 70_000}
    assert verdict(200, body) is Verdict.UNKNOWN
