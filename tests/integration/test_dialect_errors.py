"""How each server refuses, and what our client makes of it: a cell for every server and every refusal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_veo.api.errors import ApiError, ContentNotReadyError, Reason
from airflow_provider_veo.emulator.dialects import DIALECTS
from airflow_provider_veo.emulator.faults import Fault, Trouble
from tests.support.bench import (
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
    every,
    shape_of,
)
from tests.support.servers import KEY


def wrong_key(bench):
    with bench.client_of("sk-wrong-key") as client:
        return client.get_video("v")


def raw_key(bench):
    with bench.client_of(KEY, "raw") as client:
        return client.get_video("v")


def unknown(bench):
    return bench.client.get_video("video_nosuch")


def unknown_content(bench):
    return bench.content(video_id="video_nosuch")


def bad_request(bench):
    return bench.client.create_video(replace(SPEC, model="no-such-model", size="big"))


def trouble(kind):
    def ask(bench):
        bench.server.faults.add("order", Fault(kind, seconds=7))
        return bench.client.create_video(SPEC)

    return ask


rate_limit, server_error, no_money = (trouble(kind) for kind in (Trouble.RATE_LIMIT, Trouble.ERROR, Trouble.NO_MONEY))

# what is asked, by whom, the HTTP status and the shape of the answer, and what our client makes of it
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
    # a 404 may pass: some servers do not know a video's content before they have it
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
def test_an_error(bench, ask, dialect, status, shape, reason):
    with pytest.raises(ApiError if reason else ContentNotReadyError) as caught:
        ask(bench)
    assert (bench.heard.status_code, shape_of(bench.heard)) == (status, shape)
    if reason:
        assert (caught.value.reason, caught.value.permanent) == (reason, reason.permanent)
        assert caught.value.retry_after == (7 if ask is rate_limit else None)


def test_the_table_of_errors_is_complete():
    asked = {(ask, dialect) for ask, dialect, *_ in ERRORS}
    for ask in (wrong_key, unknown, unknown_content, bad_request, rate_limit, server_error):
        # these two have no keys, and this one ignores a size that is none
        without = {wrong_key: {SGLANG, FASTVIDEO}, bad_request: {FASTVIDEO}}.get(ask, set())
        assert {dialect for one, dialect in asked if one is ask} == set(DIALECTS) - without


@pytest.mark.parametrize("dialect", [SGLANG, FASTVIDEO])
def test_a_server_without_keys_takes_any_and_none(bench, dialect):
    with bench.client_of("sk-wrong-key") as client:
        assert client.create_video(SPEC).id
    assert bench.order().status_code == 200
    del bench.http.headers["Authorization"]
    try:
        assert bench.order().status_code == 200
    finally:
        bench.http.headers["Authorization"] = f"Bearer {KEY}"


@pytest.mark.parametrize("dialect", [FASTVIDEO])
def test_a_size_that_is_none_is_ignored_without_a_word(bench, dialect):
    answer = bench.order(size="big")
    assert (answer.status_code, answer.json()["size"]) == (200, "")


@pytest.mark.parametrize("dialect", [SGLANG, FASTVIDEO])
def test_any_model_is_taken_and_the_same_one_makes_the_video(bench, dialect):
    answer = bench.order(model="veo-3.1-fast", seconds=None)
    assert (answer.json()["model"], answer.json()["seconds"]) == ("veo-3.1-fast", "4")


@pytest.mark.parametrize("dialect", [VLLM, LITELLM])
def test_a_model_that_the_server_does_not_run_is_refused(bench, dialect):
    with pytest.raises(ApiError, match=r"Model mismatch|Invalid model name") as caught:
        bench.client.create_video(replace(SPEC, model="veo-9"))
    assert (caught.value.status, caught.value.permanent) == (400, True)


@pytest.mark.parametrize("dialect", [LITELLM])
def test_the_proxy_hides_how_long_to_wait(bench, dialect):
    with pytest.raises(ApiError):
        rate_limit(bench)
    assert "retry-after" not in bench.heard.headers
    assert bench.heard.headers["llm_provider-retry-after"] == "7"


@pytest.mark.parametrize("dialect", [RELAY, NEW_API])
def test_a_number_of_seconds_cannot_be_parsed(bench, dialect):
    answer = bench.http.post("/v1/videos", json=FIELDS | {"seconds": 8})
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_request_failed")
    assert "cannot unmarshal number" in answer.json()["message"]


@pytest.mark.parametrize("dialect", [VLLM])
def test_json_is_not_read(bench, dialect):
    answer = bench.http.post("/v1/videos", json=FIELDS)
    assert (answer.status_code, shape_of(answer), answer.json()["error"]["param"]) == (400, VLLM_ERROR, "body.prompt")


ODD = (None, True, 0, -1, 4.5, 1e308, 10**30, "", " ", "٣x٤", "1280*720", "eight", "9" * 50, [], ["x"], {}, {"": ""})


@every
@pytest.mark.parametrize("field", [*FIELDS, "metadata"])
def test_an_odd_order_is_taken_or_refused_and_breaks_no_server(bench, dialect, field):
    for value in ODD:
        for answer in (
            bench.http.post("/v1/videos", json=FIELDS | {field: value}),
            bench.order(**{field: value if isinstance(value, str) else json.dumps(value)}),
        ):
            assert answer.status_code < 500 or "no available channels" in answer.text, value
            if answer.is_success:
                assert bench.said(answer.json()["id"]).is_success, value
