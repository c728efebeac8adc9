"""Refusals of each server, and the errors that the client raises for them: one row for each server and refusal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_veo.api.errors import ApiError, ContentNotReadyError, Reason
from airflow_provider_veo.emulator.dialects import OPENAI_DIALECTS
from airflow_provider_veo.emulator.faults import Fault, Trouble
from tests.support.dialect_server import (
    DETAIL,
    ERROR,
    FASTVIDEO,
    FIELDS,
    LITELLM,
    NEW_API,
    OPENAI,
    PROXY,
    RELAY,
    SGLANG,
    SPEC,
    TASK,
    VEO_GATEWAY,
    VLLM,
    VLLM_ERROR,
    every_dialect_server,
    shape_of,
)
from tests.support.scripted_server import KEY


def wrong_key(dialect_server):
    with dialect_server.client_of("sk-wrong-key") as client:
        return client.get_video("v")


def raw_key(dialect_server):
    with dialect_server.client_of(KEY, "raw") as client:
        return client.get_video("v")


def unknown(dialect_server):
    return dialect_server.client.get_video("video_nosuch")


def unknown_content(dialect_server):
    return dialect_server.content(video_id="video_nosuch")


def bad_request(dialect_server):
    return dialect_server.client.create_video(replace(SPEC, model="no-such-model", size="big"))


def trouble(kind):
    def ask(dialect_server):
        dialect_server.server.faults.add("order", Fault(kind, seconds=7))
        return dialect_server.client.create_video(SPEC)

    return ask


rate_limit, server_error, no_money = (trouble(kind) for kind in (Trouble.RATE_LIMIT, Trouble.ERROR, Trouble.NO_MONEY))

# the request, the dialect of the server, the HTTP status and the shape of the answer, and the reason in the error
ERRORS = [
    (wrong_key, VEO_GATEWAY, 401, ERROR, Reason.AUTHENTICATION),
    (wrong_key, RELAY, 401, ERROR, Reason.AUTHENTICATION),
    (wrong_key, NEW_API, 401, ERROR, Reason.AUTHENTICATION),
    (wrong_key, LITELLM, 400, PROXY, Reason.AUTHENTICATION),
    (wrong_key, VLLM, 401, "text", Reason.AUTHENTICATION),
    (wrong_key, OPENAI, 401, ERROR, Reason.AUTHENTICATION),
    (raw_key, LITELLM, 401, PROXY, Reason.AUTHENTICATION),
    (raw_key, VLLM, 401, "text", Reason.AUTHENTICATION),
    (unknown, VEO_GATEWAY, 404, ERROR, Reason.NOT_FOUND),
    (unknown, RELAY, 400, TASK, Reason.NOT_FOUND),
    (unknown, NEW_API, 400, TASK, Reason.NOT_FOUND),
    (unknown, LITELLM, 500, PROXY, Reason.SERVER),
    (unknown, VLLM, 404, VLLM_ERROR, Reason.NOT_FOUND),
    (unknown, SGLANG, 404, DETAIL, Reason.NOT_FOUND),
    (unknown, FASTVIDEO, 404, DETAIL, Reason.NOT_FOUND),
    (unknown, OPENAI, 404, ERROR, Reason.NOT_FOUND),
    # a 404 may be temporary: some servers do not know the content of a video before it is complete
    (unknown_content, VEO_GATEWAY, 404, ERROR, None),
    (unknown_content, RELAY, 404, ERROR, None),
    (unknown_content, NEW_API, 404, ERROR, None),
    (unknown_content, LITELLM, 500, PROXY, Reason.SERVER),
    (unknown_content, VLLM, 404, VLLM_ERROR, None),
    (unknown_content, SGLANG, 404, DETAIL, None),
    (unknown_content, FASTVIDEO, 404, DETAIL, None),
    (unknown_content, OPENAI, 404, ERROR, None),
    (bad_request, VEO_GATEWAY, 503, ERROR, Reason.MODEL_UNAVAILABLE),
    (bad_request, RELAY, 400, TASK, Reason.BAD_REQUEST),
    (bad_request, NEW_API, 400, TASK, Reason.BAD_REQUEST),
    (bad_request, LITELLM, 400, PROXY, Reason.BAD_REQUEST),
    (bad_request, VLLM, 400, VLLM_ERROR, Reason.BAD_REQUEST),
    (bad_request, SGLANG, 400, DETAIL, Reason.BAD_REQUEST),
    (bad_request, OPENAI, 400, ERROR, Reason.BAD_REQUEST),
    (rate_limit, VEO_GATEWAY, 429, ERROR, Reason.RATE_LIMITED),
    (rate_limit, RELAY, 429, TASK, Reason.RATE_LIMITED),
    (rate_limit, NEW_API, 429, TASK, Reason.RATE_LIMITED),
    (rate_limit, LITELLM, 429, PROXY, Reason.RATE_LIMITED),
    (rate_limit, VLLM, 429, VLLM_ERROR, Reason.RATE_LIMITED),
    (rate_limit, SGLANG, 429, DETAIL, Reason.RATE_LIMITED),
    (rate_limit, FASTVIDEO, 429, DETAIL, Reason.RATE_LIMITED),
    (rate_limit, OPENAI, 429, ERROR, Reason.RATE_LIMITED),
    (server_error, VEO_GATEWAY, 500, ERROR, Reason.SERVER),
    (server_error, RELAY, 500, TASK, Reason.SERVER),
    (server_error, NEW_API, 500, TASK, Reason.SERVER),
    (server_error, LITELLM, 500, PROXY, Reason.SERVER),
    (server_error, VLLM, 500, VLLM_ERROR, Reason.SERVER),
    (server_error, SGLANG, 500, DETAIL, Reason.SERVER),
    (server_error, FASTVIDEO, 500, DETAIL, Reason.SERVER),
    (server_error, OPENAI, 500, ERROR, Reason.SERVER),
    (no_money, VEO_GATEWAY, 403, ERROR, Reason.QUOTA),
    (no_money, RELAY, 403, TASK, Reason.QUOTA),
    (no_money, NEW_API, 403, TASK, Reason.QUOTA),
    (no_money, LITELLM, 403, PROXY, Reason.QUOTA),
]


@pytest.mark.parametrize(("ask", "dialect", "status", "shape", "reason"), ERRORS)
def test_each_refusal_has_its_reason(dialect_server, ask, dialect, status, shape, reason):
    with pytest.raises(ApiError if reason else ContentNotReadyError) as caught:
        ask(dialect_server)
    assert (dialect_server.last_answer.status_code, shape_of(dialect_server.last_answer)) == (status, shape)
    if reason:
        assert (caught.value.reason, caught.value.permanent) == (reason, reason.permanent)
        assert caught.value.retry_after == (7 if ask is rate_limit else None)


def test_the_table_of_errors_is_complete():
    asked = {(ask, dialect) for ask, dialect, *_ in ERRORS}
    for ask in (wrong_key, unknown, unknown_content, bad_request, rate_limit, server_error):
        # SGLang and FastVideo have no keys, and FastVideo ignores an invalid size
        without = {wrong_key: {SGLANG, FASTVIDEO}, bad_request: {FASTVIDEO}}.get(ask, set())
        assert {dialect for one, dialect in asked if one is ask} == set(OPENAI_DIALECTS) - without


@pytest.mark.parametrize("dialect", [SGLANG, FASTVIDEO])
def test_a_server_without_keys_accepts_any_key_or_none(dialect_server, dialect):
    with dialect_server.client_of("sk-wrong-key") as client:
        assert client.create_video(SPEC).id
    assert dialect_server.order().status_code == 200
    del dialect_server.http.headers["Authorization"]
    try:
        assert dialect_server.order().status_code == 200
    finally:
        dialect_server.http.headers["Authorization"] = f"Bearer {KEY}"


@pytest.mark.parametrize("dialect", [FASTVIDEO])
def test_an_invalid_size_is_ignored_silently(dialect_server, dialect):
    answer = dialect_server.order(size="big")
    assert (answer.status_code, answer.json()["size"]) == (200, "")


@pytest.mark.parametrize("dialect", [SGLANG, FASTVIDEO])
def test_any_model_name_is_accepted(dialect_server, dialect):
    answer = dialect_server.order(model="veo-3.1-fast", seconds=None)
    assert (answer.json()["model"], answer.json()["seconds"]) == ("veo-3.1-fast", "4")


@pytest.mark.parametrize("dialect", [VLLM, LITELLM])
def test_a_model_that_the_server_does_not_run_is_refused(dialect_server, dialect):
    with pytest.raises(ApiError, match=r"Model mismatch|Invalid model name") as caught:
        dialect_server.client.create_video(replace(SPEC, model="veo-9"))
    assert (caught.value.status, caught.value.permanent) == (400, True)


@pytest.mark.parametrize("dialect", [LITELLM])
def test_the_proxy_renames_the_header_for_the_retry_delay(dialect_server, dialect):
    with pytest.raises(ApiError):
        rate_limit(dialect_server)
    assert "retry-after" not in dialect_server.last_answer.headers
    assert dialect_server.last_answer.headers["llm_provider-retry-after"] == "7"


@pytest.mark.parametrize("dialect", [RELAY, NEW_API])
def test_seconds_as_a_number_are_refused(dialect_server, dialect):
    answer = dialect_server.http.post("/v1/videos", json=FIELDS | {"seconds": 8})
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_request_failed")
    assert "cannot unmarshal number" in answer.json()["message"]


@pytest.mark.parametrize("dialect", [VLLM])
def test_an_order_as_json_is_refused(dialect_server, dialect):
    answer = dialect_server.http.post("/v1/videos", json=FIELDS)
    assert (answer.status_code, shape_of(answer), answer.json()["error"]["param"]) == (400, VLLM_ERROR, "body.prompt")


ODD = (None, True, 0, -1, 4.5, 1e308, 10**30, "", " ", "٣x٤", "1280*720", "eight", "9" * 50, [], ["x"], {}, {"": ""})


@every_dialect_server
@pytest.mark.parametrize("field", [*FIELDS, "metadata"])
def test_an_odd_order_is_accepted_or_refused_without_a_server_error(dialect_server, dialect, field):
    for value in ODD:
        for answer in (
            dialect_server.http.post("/v1/videos", json=FIELDS | {field: value}),
            dialect_server.order(**{field: value if isinstance(value, str) else json.dumps(value)}),
        ):
            assert answer.status_code < 500 or "no available channels" in answer.text, value
            if answer.is_success:
                assert dialect_server.get(answer.json()["id"]).is_success, value
