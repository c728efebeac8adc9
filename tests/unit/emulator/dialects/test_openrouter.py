"""The dialect `openrouter` beside the recorded requests and answers."""

from __future__ import annotations

import pytest

from airflow_provider_veo.emulator.dialects.openrouter import OpenRouter
from airflow_provider_veo.emulator.jobs import Jobs, Settings
from airflow_provider_veo.emulator.messages import OrderRequest
from tests.support.wire import read_pairs

DIALECT = OpenRouter()
PAIRS = read_pairs("openrouter")
CREATES = [
    name
    for name, pair in PAIRS.items()
    if "_create_" in name and pair["request"] and pair["request"]["body"]["model"].startswith("google/")
]
BODY = {"model": "google/veo-3.1", "prompt": "a", "duration": 8}


def make_job(failure=None):
    jobs = Jobs(Settings(generation_seconds=100), clock=lambda: 0.0)
    if failure:
        jobs.fail_next(failure)
    accepted = DIALECT.accept(OrderRequest(BODY))
    return jobs.order(DIALECT.new_id(accepted.model), accepted)


@pytest.mark.parametrize("name", CREATES)
def test_a_recorded_order_is_accepted(name):
    request = OrderRequest(PAIRS[name]["request"]["body"])
    assert DIALECT.accept(request).prompt
    frames = request.fields.get("frame_images", [])
    assert list(DIALECT.find_pictures(request.fields)) == [frame["image_url"]["url"] for frame in frames]


@pytest.mark.parametrize(
    ("name", "now", "left_out"),
    [
        ("018_poll_pending", 5, set()),
        ("019_poll_in_progress", 50, set()),
        ("020_poll_completed", 100, {"urls", "expires_at"}),
    ],
)
def test_a_status_has_the_recorded_fields(name, now, left_out):
    body = DIALECT.status(make_job(), now, "http://x/assets/y.mp4").body
    recorded = PAIRS[name]["answer"]["body"]
    assert (body.keys(), body["status"]) == (recorded.keys() - left_out, recorded["status"])
    assert body.get("usage") == recorded.get("usage")


def test_a_failure_is_a_text():
    body = DIALECT.status(make_job("words"), 100, "http://x").body
    assert (body["status"], body["error"]) == ("failed", "words")


def test_the_list_of_models_has_the_recorded_fields():
    (recorded,) = PAIRS["039_models"]["answer"]["body"]["data"]
    listed = {model["id"]: model for model in DIALECT.models()}
    assert all(model.keys() == recorded.keys() for model in listed.values())
    ours = listed[recorded["id"]]
    for field in ("supported_durations", "supported_resolutions", "supported_aspect_ratios", "supported_frame_images"):
        assert list(ours[field]) == recorded[field]
    assert ours["pricing_skus"] == recorded["pricing_skus"]
    assert sorted(ours["supported_sizes"]) == sorted(recorded["supported_sizes"])


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("028_poll_404", DIALECT.unknown_video()),
        ("029_poll_401", DIALECT.wrong_key("Bearer x")),
        ("041_create_answer_401", DIALECT.wrong_key("")),
        ("042_create_answer_402", DIALECT.no_money()),
        ("035_content_409", DIALECT.not_ready("processing")),
        ("033_content_400", DIALECT.not_ready("failed")),
        ("049_create_answer_502", DIALECT.server_error()),
    ],
)
def test_an_error_is_as_recorded(name, reply):
    recorded = PAIRS[name]["answer"]
    assert (reply.status, reply.body["error"]) == (recorded["status"], recorded["body"]["error"])


def test_faults_leave_the_list_of_models_alone():
    calls = [DIALECT.find_call("GET", path) for path in ("/v1/videos/models", "/v1/videos/x", "/v1/videos/x/content")]
    assert calls == [None, "status", "content"]
