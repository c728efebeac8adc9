"""The result of a task that ordered a video."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_veo.api.backends.profiles import GENERIC, VEO_GATEWAY
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.orders.result import make_video_result

COMPLETED = Outcome(kind="completed", video_id="v", status="completed", url="https://x.example/a.mp4", seconds=4.0)


def test_unknown_values_are_none():
    result = make_video_result(Outcome(kind="completed", video_id="v", status="completed"), "sora-9", VEO_GATEWAY)
    unknown = {"url", "size", "seconds", "created_at", "completed_at", "expires_at"}
    unknown |= {"estimated_cost_usd", "cost_usd"}
    assert {name for name, value in result.items() if value is None} == unknown


def test_the_length_is_that_of_the_profile_unless_the_order_named_one():
    assert make_video_result(COMPLETED, "veo-3.1", VEO_GATEWAY)["seconds"] == 8
    assert make_video_result(COMPLETED, "veo-3.1", VEO_GATEWAY, length_was_asked=True)["seconds"] == 4.0
    assert make_video_result(COMPLETED, "sora-9", VEO_GATEWAY)["seconds"] == 4.0


def test_a_placeholder_for_the_model_and_the_length_beside_it_are_not_returned():
    outcome = replace(COMPLETED, model="sora2_video_generation")
    assert make_video_result(outcome, "veo-3.1", VEO_GATEWAY, length_was_asked=True)["seconds"] == 8
    result = make_video_result(outcome, outcome.model, VEO_GATEWAY)
    assert (result["model"], result["seconds"]) == (None, None)


def test_the_result_of_a_generic_server_has_its_own_values_and_no_price():
    outcome = replace(COMPLETED, size=None, model="sora2_video_generation")
    result = make_video_result(outcome, "veo-3.1", GENERIC)
    assert (result["seconds"], result["size"], result["estimated_cost_usd"]) == (4.0, None, None)
    assert make_video_result(outcome, outcome.model, GENERIC)["model"] == "sora2_video_generation"
