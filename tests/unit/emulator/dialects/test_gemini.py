"""The dialect `gemini` beside the recorded requests and answers."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.gemini.prices import compute_cost
from airflow_provider_veo.emulator.dialects.gemini import Gemini
from airflow_provider_veo.emulator.jobs import FILTERED, Jobs, Settings
from airflow_provider_veo.emulator.messages import OrderRequest, RefusedError
from tests.support.wire import read_pairs

DIALECT = Gemini()
PAIRS = read_pairs("gemini")
CREATES = [
    name
    for name, pair in PAIRS.items()
    if "_create_" in name and "_answer_" not in name and pair["request"] and name < "100"
]
REFUSED = {
    "004_create_all_options_key": "The parameter 'safety_settings' is not available on the Gemini API",
    "028_create_unknown_option": "Unknown parameter 'negative_prompt'.",
}
BODY = {"model": "gemini-omni-1.2-flash", "input": "a", "background": True}


def accept(body, *, is_cloud=False):
    return DIALECT.accept(OrderRequest(body), is_cloud=is_cloud)


def make_job(code=None, **form):
    jobs = Jobs(Settings(generation_seconds=100), clock=lambda: 0.0)
    if code is not None:
        jobs.fail_next("words", code)
    return jobs.order(DIALECT.new_id(), accept(BODY | {"response_format": form}))


@pytest.mark.parametrize("name", CREATES)
def test_a_recorded_order_is_accepted(name):
    request = PAIRS[name]["request"]
    is_cloud = "/projects/" in request["path"]
    if name in REFUSED:
        with pytest.raises(RefusedError, match=REFUSED[name]):
            accept(request["body"], is_cloud=is_cloud)
        return
    accepted = accept(request["body"], is_cloud=is_cloud)
    assert (accepted.prompt != "", accepted.failure) == (True, None)


@pytest.mark.parametrize(
    ("name", "now", "code", "video"),
    [
        ("061_answer_get_in_progress", 50, None, None),
        ("062_answer_get_completed_inline", 100, None, {"data": "x"}),
        ("067_answer_get_completed_without_video_text", 100, FILTERED, None),
        ("070_answer_get_failed_errors", 100, "", None),
    ],
)
def test_a_status_has_the_recorded_fields(name, now, code, video):
    body = DIALECT.interaction(make_job(code), now, video).body
    recorded = PAIRS[name]["answer"]["body"]
    assert body.keys() == recorded.keys() - ({"usage"} if code else set())
    assert body["status"] == recorded["status"]
    kinds = [[part["type"] for part in step.get("content", [])] for step in body.get("steps", [])]
    assert kinds == [[part["type"] for part in step.get("content", [])] for step in recorded.get("steps", [])]
    if video:
        assert body["usage"] == recorded["usage"]


@pytest.mark.parametrize("resolution", ["360p", "720p", "1080p", "4k"])
def test_the_usage_gives_the_price(resolution):
    job = make_job(resolution=resolution, duration="5s")
    body = DIALECT.interaction(job, 100, {"data": "x"}).body
    assert compute_cost(body) == pytest.approx(job.model.price_usd, abs=1e-6)


def test_a_cancelled_job_says_so():
    jobs = Jobs(Settings(generation_seconds=100), clock=lambda: 0.0)
    job = jobs.order("v1_x", accept(BODY))
    jobs.cancel(job)
    body = DIALECT.interaction(jobs.get("v1_x"), 100).body
    assert (body.keys(), body["status"]) == (PAIRS["073_answer_get_cancelled"]["answer"]["body"].keys(), "cancelled")


def test_a_file_has_the_recorded_fields():
    job = make_job(delivery="uri")
    for name, now in (("044_files_get_processing", 99), ("043_files_get_active", 100)):
        body = DIALECT.file(job, now, "http://x/v1beta/files/abc", b"").body
        recorded = PAIRS[name]["answer"]["body"]
        assert (body.keys(), body["state"]) == (recorded.keys(), recorded["state"])


def test_pictures_are_found_in_steps_and_in_a_flat_list():
    part = {"type": "image", "mime_type": "image/png", "data": "QQ=="}
    for given in ([{"type": "user_input", "content": [part]}], [part], [part | {"uri": 1}, {"type": "image"}, 1]):
        assert list(DIALECT.find_pictures({"input": given})) == ["data:image/png;base64,QQ=="]
    address = {"type": "image", "uri": "gs://b/x.png"}
    assert list(DIALECT.find_pictures({"input": [address]})) == ["gs://b/x.png"]
    assert list(DIALECT.find_pictures({"input": "a cat"})) == []


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("POST", "/v1/interactions", "order"),
        ("POST", "/v1beta1/projects/p/locations/global/interactions", "order"),
        ("GET", "/v1/interactions/v1_x", "status"),
        ("POST", "/v1/interactions/v1_x/cancel", None),
        ("GET", "/v1/files/x:download", "content"),
        ("GET", "/v1/files/x", None),
        ("GET", "/storage/v1/b/x/o/y", "content"),
    ],
)
def test_faults_know_the_calls(method, path, call):
    assert DIALECT.find_call(method, path) == call
