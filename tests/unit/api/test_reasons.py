"""The reason of a refused order comes from the text of the server, not from the order that it quotes."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai.refusals import judge
from airflow_provider_veo.api.error_answers import LONGEST_WAIT, find_asked_pause, make_api_error
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.api.verdict import Verdict

SPEC = VideoSpec(
    "a workplace safety clip about insufficient balance, in progress",
    "gem-rai",
    extra_body={"negative_prompt": "moderation, a timed out gateway and a duplicate order already made by a busy peer"},
)


def order(body, status=400, spec=SPEC):
    text = body if isinstance(body, str) else json.dumps(body)
    return make_api_error(Answer(status, text, own=spec.own_words), "Creating the video")


def openai(message, code=""):
    return {"error": {"message": message, "type": "invalid_request_error", "code": code}}


ECHOES = {
    "the prompt": openai(f"prompt is too long: '{SPEC.prompt}'"),
    "the beginning of the prompt": openai(f"prompt is too long: '{SPEC.prompt[:22]}…'"),
    "the model": openai("model group 'gem-rai' takes no frames"),
    "another field": openai(f"unsupported: {SPEC.extra_body['negative_prompt']}"),
    "the request in a text": openai(f"cannot be read: {json.dumps(SPEC.fields())}"),
    "the request as Python": {"detail": f"bad request {SPEC.fields()!r}"},
    "the request in another gateway's error": openai(f"litellm.BadRequestError: {json.dumps(openai(SPEC.prompt))}"),
    "the request as a value": {"detail": [{"loc": ["body"], "msg": "no", "input": SPEC.fields()}]},
    "a web page": f"<html><body>Bad request: {SPEC.prompt}</body></html>",
}


@pytest.mark.parametrize("body", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize(
    ("status", "reason"), [(400, Reason.BAD_REQUEST), (500, Reason.SERVER), (429, Reason.RATE_LIMITED)]
)
def test_a_quoted_prompt_does_not_give_the_reason(body, status, reason):
    assert order(body, status).reason is reason


@pytest.mark.parametrize("body", ECHOES.values(), ids=ECHOES)
def test_a_sure_quotation_of_the_order_leaves_a_refusal_sure(body):
    assert judge(order(body)) is Verdict.REFUSED


@pytest.mark.parametrize("status", [200, 500, 503])
@pytest.mark.parametrize("body", ECHOES.values(), ids=ECHOES)
def test_a_quoted_prompt_does_not_make_a_refusal_sure(status, body):
    assert judge(order(body, status)) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (openai("Your request was blocked by our safety system"), Reason.MODERATION),
        (openai(f"'{SPEC.prompt}' was refused: content policy violation"), Reason.MODERATION),
        (openai("Insufficient balance"), Reason.QUOTA),
        (openai("litellm.BadRequestError: - " + json.dumps(openai("no", "insufficient_quota"))), Reason.QUOTA),
        (openai("AnException - {'error': {'code': 'model_not_found', 'message': None}}"), Reason.MODEL_UNAVAILABLE),
        (openai("the prompt was refused", "AUDIO_FILTERED"), Reason.UNKNOWN),
    ],
)
def test_the_servers_own_text_gives_the_reason(body, reason):
    assert order(body).reason is reason


def test_a_text_of_doubt_that_equals_the_prompt_leaves_the_order_unknown():
    spec = VideoSpec("connection reset by peer", "veo")
    assert judge(order(openai("connection reset by peer"), spec=spec)) is Verdict.UNKNOWN
    assert judge(order(openai("no such prompt: 'connection reset by peer'"), spec=spec)) is Verdict.REFUSED


def test_an_id_in_a_quoted_prompt_is_not_a_job_id():
    spec = VideoSpec('{"id": "video_1", "status": "queued", "for": "a clip about a server of clips"}', "veo")
    assert judge(order(openai(f"bad prompt: {spec.prompt}"), spec=spec)) is Verdict.REFUSED


@given(st.text(max_size=100), st.sampled_from([400, 429, 500, 503]))
@example("insufficient quota for the content policy", 503)
@example('{"error": {"code": "insufficient_quota", "message": "safety"}}', 400)
@example("No connected db. " * 80, 400)
def test_no_prompt_changes_the_reason_of_an_order(prompt, status):
    for said in ("bad prompt: '{}'", "{} failed", "a {}"):
        spec = VideoSpec(prompt, "veo") if prompt.strip() else SPEC
        error = order(openai(said.format(spec.prompt)), status, spec)
        assert error.reason is order(openai("no"), status).reason


def test_the_quoted_prompt_of_a_chat_call_is_recognised():
    spec = ChatSpec("a workplace safety clip", "gem-rai", n=2)
    assert order(openai("cannot make 'a workplace safety clip' with gem-rai"), spec=spec).reason is Reason.BAD_REQUEST


def retry_info(delay):
    return {
        "error": {
            "code": 429,
            "message": "Resource exhausted.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}],
        }
    }


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (retry_info("36s"), 36.0),
        (retry_info("34.074824224s"), 34.074824224),
        ([retry_info("7s")], 7.0),
        (openai(f"litellm.RateLimitError: VertexAIException - {json.dumps(retry_info('36s'))}"), 36.0),
        (openai(f"litellm.RateLimitError: VertexAIException - {retry_info('36s')}"), 36.0),
        (openai(json.dumps(openai(json.dumps(retry_info("36s"))))), 36.0),
        (retry_info("soon"), None),
        (retry_info("-5s"), None),
        (retry_info(""), None),
        ({"retryDelay": 5}, None),
        (retry_info("9" * 400 + "s"), None),
        (openai("slow down"), None),
    ],
)
def test_the_retry_delay_of_google_is_followed(body, seconds):
    assert find_asked_pause(Answer(429, json.dumps(body))) == seconds
    assert order(body, 429).retry_after == seconds
    assert find_asked_pause(Answer(500, json.dumps(body))) is None


def test_the_retry_delay_of_google_is_bounded_and_a_header_replaces_it():
    body = json.dumps(retry_info("90000s"))
    assert order(body, 429).retry_after == LONGEST_WAIT
    assert find_asked_pause(Answer(429, body), 600.0) == 120.0
    assert find_asked_pause(Answer(429, body, {"retry-after": "5"})) == 5.0


def test_a_delay_in_a_quoted_prompt_is_ignored():
    spec = VideoSpec('a clip: "retryDelay": "300s" is shown on a wall', "veo")
    assert order(openai(f"slow down: {spec.prompt}"), 429, spec).retry_after is None
