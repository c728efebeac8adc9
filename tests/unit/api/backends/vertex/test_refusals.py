"""The closed list of sure refusals. An order with any other answer may have made a job."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.backend import Verdict
from airflow_provider_veo.api.backends.vertex.refusals import judge, make_error
from airflow_provider_veo.api.errors import ApiError, Reason

REFUSED, FOR_NOW, UNKNOWN = Verdict.REFUSED, Verdict.REFUSED_FOR_NOW, Verdict.UNKNOWN
NAME = "projects/p/locations/l/publishers/google/models/m/operations/1"


def google(code, status, *reasons, message="no", **more):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason} for reason in reasons]
    return {"error": {"code": code, "message": message, "status": status, "details": details} | more}


def error_of(status, body, **fields):
    text = body if isinstance(body, str) else json.dumps(body)
    return make_error(Answer(status, text, method="POST", **fields), "Creating the video")


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (400, google(400, "INVALID_ARGUMENT"), REFUSED),
        (400, google(400, "FAILED_PRECONDITION"), REFUSED),
        (400, google(400, "OUT_OF_RANGE"), REFUSED),
        (400, [google(400, "INVALID_ARGUMENT")], REFUSED),
        (401, google(401, "UNAUTHENTICATED"), REFUSED),
        (403, google(403, "PERMISSION_DENIED", "SERVICE_DISABLED"), REFUSED),
        (404, google(404, "NOT_FOUND"), REFUSED),
        (429, google(429, "RESOURCE_EXHAUSTED"), FOR_NOW),
        (429, google(429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"), FOR_NOW),
        (429, google(429, "RESOURCE_EXHAUSTED", "BILLING_DISABLED"), REFUSED),
        (429, google(429, "RESOURCE_EXHAUSTED", "OTHER", "SPENDING_CAP_EXCEEDED"), REFUSED),
        (501, google(501, "UNIMPLEMENTED"), REFUSED),
        # a status that contradicts the HTTP status, or that is not on the list
        (400, google(503, "UNAVAILABLE"), UNKNOWN),
        (403, google(503, "UNAVAILABLE"), UNKNOWN),
        (404, google(404, "UNAVAILABLE"), UNKNOWN),
        (400, google(400, "ABORTED"), UNKNOWN),
        (400, google("400", "INVALID_ARGUMENT"), UNKNOWN),
        (409, google(409, "ABORTED"), UNKNOWN),
        (409, google(409, "ALREADY_EXISTS"), UNKNOWN),
        (499, google(499, "CANCELLED"), UNKNOWN),
        (500, google(500, "INTERNAL"), UNKNOWN),
        (502, "<html>Bad Gateway</html>", UNKNOWN),
        (503, google(503, "UNAVAILABLE"), UNKNOWN),
        (504, google(504, "DEADLINE_EXCEEDED"), UNKNOWN),
        (408, "", UNKNOWN),
        # a success that is not one
        (200, google(400, "INVALID_ARGUMENT"), UNKNOWN),
        (200, [google(429, "RESOURCE_EXHAUSTED")], UNKNOWN),
        (200, {}, UNKNOWN),
        (302, "", UNKNOWN),
        # not Google's error: a proxy or web server that passes no order on
        (401, "<html>Sign in</html>", REFUSED),
        (403, "", REFUSED),
        (404, "<html>Error 404 (Not Found)!!1</html>", REFUSED),
        (405, {"detail": "Method Not Allowed"}, REFUSED),
        (413, "", REFUSED),
        (400, "<html>Bad Request</html>", UNKNOWN),
        (429, "Too many requests", UNKNOWN),
        # an answer that names a job
        (404, {"name": NAME}, UNKNOWN),
        (400, google(400, "INVALID_ARGUMENT", message=f"{NAME} exists"), UNKNOWN),
        (403, google(403, "PERMISSION_DENIED") | {"id": "7"}, UNKNOWN),
    ],
)
def test_an_answer_has_a_verdict(status, body, verdict):
    assert judge(error_of(status, body)) is verdict


def test_half_an_error_is_no_refusal():
    text = json.dumps(google(400, "INVALID_ARGUMENT"))
    assert judge(error_of(400, text[:-1])) is UNKNOWN
    assert judge(error_of(400, text, is_cut=True)) is UNKNOWN


def test_an_error_without_its_answer_is_no_refusal():
    error = error_of(400, google(400, "INVALID_ARGUMENT"))
    assert judge(pickle.loads(pickle.dumps(error))) is UNKNOWN
    assert judge(ApiError("x", reason=Reason.BAD_REQUEST, status=400)) is UNKNOWN


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (google(403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED"), Reason.FORBIDDEN),
        (google(403, "PERMISSION_DENIED", "BILLING_DISABLED"), Reason.QUOTA),
        (google(403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED", "BILLING_DISABLED"), Reason.QUOTA),
        (google(403, "PERMISSION_DENIED", details="BILLING_DISABLED"), Reason.FORBIDDEN),
        (google(403, "PERMISSION_DENIED", details=["x", {}, {"reason": 7}]), Reason.FORBIDDEN),
    ],
)
def test_the_details_of_an_error_name_its_reason(body, reason):
    error = error_of(403, body)
    assert error.reason is reason
    assert str(error).startswith("Creating the video failed (HTTP 403): no")
    assert reason.advice in str(error)
    assert (error.status, error.answer.status, str(error.detail)) == (403, 403, "no [403]")


def test_a_key_that_google_does_not_know_is_a_refused_key():
    error = error_of(400, google(400, "INVALID_ARGUMENT", "API_KEY_INVALID"))
    assert error.reason is Reason.AUTHENTICATION
    assert judge(copy.copy(error)) is UNKNOWN
    assert judge(error) is REFUSED


def test_an_error_about_a_job_is_not_one_of_the_route():
    answer = Answer(404, json.dumps(google(404, "NOT_FOUND")), method="POST")
    assert make_error(answer, "Asking", about_a_job=True).reason is Reason.NOT_FOUND
    assert make_error(answer, "Creating").reason is Reason.NO_ROUTE
