"""Errors of Google's API: the reason, and the closed list of sure refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.answers.own_words import OwnWords
from airflow_provider_veo.api.backends.gemini.errors import judge, make_google_error
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.verdict import Verdict
from tests.support.odd_values import dumped, with_odd_leaves
from tests.support.wire import read_pairs

RECORDED = {name: pair["answer"] for name, pair in read_pairs("gemini").items()}
REFUSED, FOR_NOW, UNKNOWN = Verdict.REFUSED, Verdict.REFUSED_FOR_NOW, Verdict.UNKNOWN

# verdict, reason, seconds to wait
ERRORS_OF_ORDERS = {
    "086_answer_create_400_interactions_error_form": (REFUSED, Reason.BAD_REQUEST, None),
    "087_answer_create_400_unknown_parameter": (REFUSED, Reason.BAD_REQUEST, None),
    "088_answer_create_400_invalid_enum": (REFUSED, Reason.BAD_REQUEST, None),
    "089_answer_create_400_missing_input": (REFUSED, Reason.BAD_REQUEST, None),
    "090_answer_create_400_empty_input_step": (REFUSED, Reason.BAD_REQUEST, None),
    # the name of the parameter, `safety_settings`, has a word of filters
    "091_answer_create_400_agent_platform_only": (REFUSED, Reason.BAD_REQUEST, None),
    "092_answer_create_400_no_streaming": (REFUSED, Reason.BAD_REQUEST, None),
    "093_answer_create_400_wrong_api": (REFUSED, Reason.BAD_REQUEST, None),
    "094_answer_create_402_prepayment": (REFUSED, Reason.QUOTA, None),
    "102_answer_create_400_api_key_invalid": (REFUSED, Reason.AUTHENTICATION, None),
    "103_answer_create_400_location": (REFUSED, Reason.FORBIDDEN, None),
    "104_answer_create_400_billing": (REFUSED, Reason.FORBIDDEN, None),
    "105_answer_create_401_unauthenticated": (REFUSED, Reason.AUTHENTICATION, None),
    "106_answer_create_403_service_disabled": (REFUSED, Reason.FORBIDDEN, None),
    "107_answer_create_404_model": (REFUSED, Reason.MODEL_UNAVAILABLE, None),
    "108_answer_create_409_aborted": (UNKNOWN, Reason.BAD_REQUEST, None),
    "109_answer_create_429_quota": (FOR_NOW, Reason.RATE_LIMITED, 34.074824224),
    "110_answer_create_500_internal": (UNKNOWN, Reason.SERVER, None),
    "111_answer_create_503_overloaded": (UNKNOWN, Reason.SERVER, None),
    "113_answer_create_502_html": (UNKNOWN, Reason.SERVER, None),
    "118_answer_create_429_spending_cap": (REFUSED, Reason.QUOTA, None),
    "119_answer_create_429_per_day": (REFUSED, Reason.QUOTA, None),
}


def error_of(status, body, *, about_a_job=False, **fields):
    text = body if isinstance(body, str) else json.dumps(body)
    answer = Answer(status, text, {}, "https://api.example.com", method="GET" if about_a_job else "POST", **fields)
    return make_google_error(answer, "Creating the video", about_a_job=about_a_job)


def google(code, status, message="x", *details):
    return {"error": {"code": code, "status": status, "message": message, "details": list(details)}}


def short(code, message="x"):
    return {"error": {"code": code, "message": message}}


@pytest.mark.parametrize("name", ERRORS_OF_ORDERS)
def test_recorded_errors_of_orders_are_judged(name):
    verdict, reason, pause = ERRORS_OF_ORDERS[name]
    error = error_of(RECORDED[name]["status"], RECORDED[name]["body"])
    assert (judge(error), error.reason, error.retry_after) == (verdict, reason, pause)


def test_every_recorded_error_of_an_order_is_judged():
    recorded = {name for name, answer in RECORDED.items() if "_answer_create_" in name and answer["status"] != 200}
    assert recorded == ERRORS_OF_ORDERS.keys()


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        # fields that contradict each other, or that are not on the list
        (400, google(500, "INTERNAL"), UNKNOWN),
        (400, google(400, "ABORTED"), UNKNOWN),
        (400, google(400, "DEADLINE_EXCEEDED"), UNKNOWN),
        (400, short("upstream_error"), UNKNOWN),
        (400, short("504"), UNKNOWN),
        (403, google(409, "PERMISSION_DENIED"), UNKNOWN),
        (429, google(429, "UNAVAILABLE"), UNKNOWN),
        (500, google(400, "INVALID_ARGUMENT"), UNKNOWN),
        (503, google(503, "RESOURCE_EXHAUSTED"), UNKNOWN),
        (408, short("invalid_request"), UNKNOWN),
        (409, short("invalid_request"), UNKNOWN),
        (499, google(499, "CANCELLED"), UNKNOWN),
        (504, google(504, "DEADLINE_EXCEEDED"), UNKNOWN),
        (200, short("invalid_request"), UNKNOWN),
        (302, short("invalid_request"), UNKNOWN),
        # a job is named
        (400, {"id": "v1_x", "error": {"code": "invalid_request", "message": "x"}}, UNKNOWN),
        # other forms
        (400, "", UNKNOWN),
        (400, "<html>Bad Request</html>", UNKNOWN),
        (400, {}, UNKNOWN),
        (400, {"error": "x"}, UNKNOWN),
        (400, [google(400, "INVALID_ARGUMENT")], REFUSED),
        (400, [google(400, "INVALID_ARGUMENT")] * 2, UNKNOWN),
        (400, {"error": {"message": "x"}}, REFUSED),
        (400, {"error": {"code": "400", "message": "x"}}, REFUSED),
        (400, {"error": {"code": "INVALID_ARGUMENT", "message": "x"}}, REFUSED),
        (401, short("authentication_error"), REFUSED),
        (401, "", REFUSED),
        (401, "<html>Unauthorized</html>", REFUSED),
        (401, {"id": "x"}, UNKNOWN),
        (403, "<html>Forbidden</html>", UNKNOWN),
        (403, google(403, "PERMISSION_DENIED", "x", {"reason": "BILLING_DISABLED"}), REFUSED),
        (404, "<html>The requested URL was not found</html>", REFUSED),
        (404, {}, UNKNOWN),
        (405, "", REFUSED),
        (413, "<html>Too large</html>", REFUSED),
        (429, "<html>Too many</html>", UNKNOWN),
        (429, short("rate_limit_exceeded"), FOR_NOW),
        (429, google(429, "RESOURCE_EXHAUSTED"), FOR_NOW),
        (429, google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), REFUSED),
        (429, google(429, "RESOURCE_EXHAUSTED", "x", {"violations": [{"quotaId": "PerMinute"}]}), FOR_NOW),
        (429, google(429, "RESOURCE_EXHAUSTED", "x", {"violations": "PerDay"}), FOR_NOW),
    ],
)
def test_other_errors_of_orders_are_judged(status, body, verdict):
    assert judge(error_of(status, body)) is verdict


def test_half_an_error_proves_nothing():
    text = json.dumps(google(400, "INVALID_ARGUMENT"))
    assert judge(error_of(400, text, is_cut=True)) is UNKNOWN
    assert judge(error_of(400, text[:-1])) is UNKNOWN


def test_a_copy_of_an_error_proves_nothing():
    error = error_of(400, google(400, "INVALID_ARGUMENT"))
    error.answer = None
    assert judge(error) is UNKNOWN


def test_a_quotation_of_the_prompt_is_not_the_reason():
    own = OwnWords.of({"prompt": "a prompt about safety and moderation of sensitive content"})
    message = "Invalid prompt: 'a prompt about safety and moderation of sensitive content'."
    assert error_of(400, short("invalid_request", message), own=own).reason is Reason.BAD_REQUEST


GENERIC = "Request contains an invalid argument."


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        # seen once for a job that was there at the next call
        (400, short("invalid_request", GENERIC), Reason.SERVER),
        (400, google(400, "INVALID_ARGUMENT", GENERIC), Reason.SERVER),
        (400, google(400, "INVALID_ARGUMENT", GENERIC, {"fieldViolations": [{"field": "id"}]}), Reason.BAD_REQUEST),
        (400, short("invalid_request", f"{GENERIC} See 'id'."), Reason.BAD_REQUEST),
        (400, short("invalid_request", "Unknown parameter 'stream'."), Reason.BAD_REQUEST),
        (400, google(400, "FAILED_PRECONDITION"), Reason.BAD_REQUEST),
        (400, google(400, "INVALID_ARGUMENT", "x", {"reason": "API_KEY_INVALID"}), Reason.AUTHENTICATION),
        (401, google(401, "UNAUTHENTICATED"), Reason.AUTHENTICATION),
        (403, google(403, "PERMISSION_DENIED"), Reason.FORBIDDEN),
        (404, google(404, "NOT_FOUND"), Reason.NOT_FOUND),
        (429, google(429, "RESOURCE_EXHAUSTED"), Reason.RATE_LIMITED),
        (500, google(500, "INTERNAL"), Reason.SERVER),
        (503, google(503, "UNAVAILABLE"), Reason.SERVER),
    ],
)
def test_errors_of_status_calls_have_reasons(status, body, reason):
    assert error_of(status, body, about_a_job=True).reason is reason


def test_a_generic_error_of_an_order_is_final():
    assert error_of(400, short("invalid_request", GENERIC)).reason is Reason.BAD_REQUEST


@pytest.mark.parametrize("about_a_job", [True, False])
def test_the_advice_belongs_to_the_reason(about_a_job):
    error = error_of(400, RECORDED["102_answer_create_400_api_key_invalid"]["body"], about_a_job=about_a_job)
    assert str(error).endswith(Reason.AUTHENTICATION.advice)
    assert "API key not valid" in str(error)


def test_odd_values_never_break_the_judge():
    body = RECORDED["109_answer_create_429_quota"]["body"]
    for path, odd, changed in with_odd_leaves(body):
        answer = Answer.of(429, dumped(changed), (), "https://api.example.com", method="POST")
        assert judge(make_google_error(answer, "Creating the video")) in Verdict, (path, odd)
        assert make_google_error(replace(answer, method="GET"), "Asking", about_a_job=True).reason in Reason


@given(status=st.sampled_from([402, 408, 409, 425, 499, 500, 502, 503, 504, 520, 529]), text=st.text(max_size=50))
def test_another_status_without_an_error_object_is_never_sure(status, text):
    assert judge(error_of(status, text)) is UNKNOWN
