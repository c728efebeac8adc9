"""The dialect `vertex` beside the recorded requests and answers."""

from __future__ import annotations

import pytest

from airflow_provider_veo.emulator.dialects.vertex import Vertex
from airflow_provider_veo.emulator.jobs import FILTERED, Jobs, Settings
from airflow_provider_veo.emulator.messages import OrderRequest, RefusedError
from tests.support.wire import read_pairs

DIALECT = Vertex()
PAIRS = read_pairs("vertex")
# models that are not sold any more, a path that the official client builds wrongly, and the API with a key, without Veo
OTHER = ("021", "024", "029", "09")
CREATES = [name for name, pair in PAIRS.items() if "_create_" in name and pair["request"]]
LATE = {
    "008_create_enhance_prompt_false": "Veo 3 prompt enhancement cannot be disabled.",
    "033_create_images_and_references_together": PAIRS["055_answer_fetch_error_image_and_references"]["answer"]["body"][
        "error"
    ]["message"],
}
MODEL = "projects/p/locations/l/publishers/google/models/veo-3.1-generate-001"


def accept(pair):
    request = pair["request"]
    model = request["path"].split("/", 2)[2].rpartition(":")[0]
    return DIALECT.accept(model, OrderRequest(request["body"]))


@pytest.mark.parametrize("name", [name for name in CREATES if not name.startswith(OTHER)])
def test_a_recorded_order_is_accepted(name):
    assert accept(PAIRS[name]).failure == LATE.get(name)


@pytest.mark.parametrize("name", [name for name in CREATES if name.startswith(OTHER[:2])])
def test_an_unknown_model_is_refused_as_recorded(name):
    with pytest.raises(RefusedError) as caught:
        accept(PAIRS[name])
    recorded = PAIRS["074_answer_create_404_model"]["answer"]
    reply = caught.value.reply
    assert (reply.status, reply.body.keys(), reply.body["error"].keys()) == (
        recorded["status"],
        recorded["body"].keys(),
        recorded["body"]["error"].keys(),
    )


def make_job(body=None, code=None, reason="words"):
    jobs = Jobs(Settings(generation_seconds=100), clock=lambda: 0.0)
    if code is not None:
        jobs.fail_next(reason, code)
    accepted = DIALECT.accept(MODEL, OrderRequest(body or {"instances": [{"prompt": "a"}]}))
    return jobs.order(DIALECT.new_id(MODEL), accepted)


def shape(body):
    """Return a body with the values of its texts left out."""
    if isinstance(body, dict):
        return {name: part if name == "@type" else shape(part) for name, part in body.items()}
    return [shape(part) for part in body] if isinstance(body, list) else type(body)


@pytest.mark.parametrize(
    ("name", "now", "code", "videos"),
    [
        ("040_answer_fetch_running_bare", 5, None, ()),
        ("044_answer_fetch_done_inline", 100, None, [{"bytesBase64Encoded": "x", "mimeType": "video/mp4"}]),
        ("046_answer_fetch_done_filtered_image", 100, FILTERED, ()),
        ("054_answer_fetch_error_duration", 100, "3", ()),
        ("061_answer_fetch_error_permission_bucket", 100, "7", ()),
    ],
)
def test_a_status_has_the_recorded_shape(name, now, code, videos):
    body = dict(DIALECT.status(make_job(code=code), now, videos).body)
    body.pop("metadata", None)
    recorded = PAIRS[name]["answer"]["body"]
    assert shape(body) == shape(recorded)
    assert body.get("error", {}).get("code") == recorded.get("error", {}).get("code")


def test_a_filter_may_say_nothing():
    body = DIALECT.status(make_job(code=FILTERED, reason=""), 100, ()).body
    assert shape(body["response"]) == shape(
        PAIRS["049_answer_fetch_done_filtered_no_reason"]["answer"]["body"]["response"]
    )


@pytest.mark.parametrize(("reason", "code"), [("Internal error encountered.", 13), ("Content policy violation", 3)])
def test_a_failure_without_a_code_gets_that_of_its_message(reason, code):
    assert DIALECT.status(make_job(code="task_failed", reason=reason), 100, ()).body["error"]["code"] == code


def test_a_wrong_length_has_the_recorded_text():
    job = make_job({"instances": [{"prompt": "a"}], "parameters": {"durationSeconds": 5}})
    recorded = PAIRS["054_answer_fetch_error_duration"]["answer"]["body"]["error"]
    assert DIALECT.status(job, 100, ()).body["error"] == recorded


@pytest.mark.parametrize(
    ("parameters", "price", "size"),
    [
        ({}, 3.2, "1280x720"),
        ({"durationSeconds": 4, "resolution": "4k", "aspectRatio": "9:16"}, 2.4, "2160x3840"),
        ({"generateAudio": False}, 1.6, "1280x720"),
        ({"sampleCount": 3}, 9.6, "1280x720"),
    ],
)
def test_the_price_is_that_of_google(parameters, price, size):
    model = make_job({"instances": [{"prompt": "a"}], "parameters": parameters}).model
    assert (model.price_usd, model.size) == (pytest.approx(price), size)


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("POST", f"/v1/{MODEL}:predictLongRunning", "order"),
        ("POST", f"/v1/{MODEL}:fetchPredictOperation", "status"),
        ("GET", "/storage/v1/b/x/o/y", "content"),
        ("POST", "/token", None),
        ("GET", "/", None),
    ],
)
def test_faults_know_the_calls(method, path, call):
    assert DIALECT.find_call(method, path) == call


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("069_answer_create_401", DIALECT.wrong_token(is_missing=False)),
        ("070_answer_create_401_api_key", DIALECT.wrong_token(is_missing=True)),
        ("064_answer_fetch_404_unknown_operation", DIALECT.unknown_operation()),
        ("076_answer_create_429_dsq", DIALECT.rate_limit(1)),
        ("078_answer_create_500", DIALECT.server_error()),
    ],
)
def test_an_error_has_the_recorded_status_and_reason(name, reply):
    recorded = PAIRS[name]["answer"]["body"]["error"]
    error = reply.body["error"]
    assert (reply.status, error["code"], error["status"]) == (recorded["code"], recorded["code"], recorded["status"])
    assert [detail.get("reason") for detail in recorded.get("details", [])] == [
        detail["reason"] for detail in error.get("details", []) if "reason" in detail
    ]
