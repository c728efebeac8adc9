"""Prices of videos of Gemini Omni, before the order and from the usage in an answer."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.gemini.backend import GeminiBackend
from airflow_provider_veo.api.backends.gemini.prices import compute_cost
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec

NEW, OLD = "gemini-omni-1.2-flash", "gemini-omni-1.1-flash"
PNG = Frame(b"picture", "image/png", 1280, 720)


def estimate(model=NEW, **arguments):
    return GeminiBackend().estimate_cost(VideoSpec("A boat.", model, **arguments))


# list prices of a second: price map of litellm 1.110.2, inference.sh
@pytest.mark.parametrize(
    ("model", "resolution", "price"),
    [
        (NEW, "360p", 0.0232),
        (NEW, "720p", 0.0695),
        (NEW, "1080p", 0.1043),
        (NEW, "4k", 0.2085),
        (OLD, "360p", 0.0338),
        (OLD, "720p", 0.1014),
        (OLD, "1080p", 0.152),
        (OLD, "4k", 0.304),
    ],
)
def test_the_estimate_is_the_list_price_of_a_second(model, resolution, price):
    found = estimate(model, seconds=10, extra_body={"response_format": {"resolution": resolution}})
    assert found / 10 == pytest.approx(price, abs=0.0001)


@pytest.mark.parametrize(
    ("arguments", "price"),
    [
        ({"seconds": 8}, 0.556),
        ({"seconds": 8, "size": "1920x1080"}, 0.834),
        ({"seconds": 8, "first_frame": PNG}, 0.556),
        ({"extra_body": {"response_format": {"duration": "8s"}}}, 0.556),
        ({"seconds": 8, "extra_body": {"service_tier": "standard"}}, 0.556),
        ({"seconds": 8, "extra_body": {"generation_config": {"video_config": {"task": "text_to_video"}}}}, 0.556),
        # not known before the order
        ({}, None),
        ({"seconds": 8, "model": "another"}, None),
        ({"seconds": 8.5}, None),
        ({"extra_body": {"response_format": {"duration": "long"}}}, None),
        ({"extra_body": {"response_format": {"duration": None}}}, None),
        ({"seconds": 8, "extra_body": {"response_format": {"resolution": "8k"}}}, None),
        ({"seconds": 8, "extra_body": {"service_tier": "flex"}}, None),
        ({"seconds": 8, "extra_body": {"generation_config": {"video_config": {"task": "extend"}}}}, None),
        ({"seconds": 8, "extra_body": {"generation_config": {"video_config": 7}}}, 0.556),
    ],
)
def test_the_estimate_follows_from_the_order(arguments, price):
    assert estimate(**arguments) == price


USAGE = {
    "total_input_tokens": 18,
    "output_tokens_by_modality": [{"modality": "video", "tokens": 5793}],
    "total_output_tokens": 6166,
    "total_thought_tokens": 281,
}


def cost(usage=USAGE, model=OLD, **fields):
    return compute_cost({"model": model, "usage": usage} | fields)


def test_the_price_follows_from_the_usage():
    # a capture of one second at 720p, 2026-08-28
    assert cost() == pytest.approx(18 * 1.5e-6 + 5793 * 17.5e-6 + (373 + 281) * 9e-6, abs=1e-6)
    assert cost(model=NEW) == pytest.approx(18 * 1.5e-6 + 5793 * 12e-6 + (373 + 281) * 9e-6, abs=1e-6)
    assert cost(USAGE | {"total_cached_tokens": 0, "total_tool_use_tokens": 0}) == cost()
    assert cost(service_tier="standard") == cost()


def test_thoughts_may_be_missing():
    usage = {name: value for name, value in USAGE.items() if name != "total_thought_tokens"}
    assert cost(usage) == pytest.approx(cost() - 281 * 9e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("usage", "fields"),
    [
        (USAGE, {"model": "another"}),
        (USAGE, {"model": None}),
        (USAGE, {"service_tier": "flex"}),
        (None, {}),
        (USAGE | {"total_cached_tokens": 1}, {}),
        (USAGE | {"total_tool_use_tokens": 1}, {}),
        (USAGE | {"total_input_tokens": -1}, {}),
        (USAGE | {"total_input_tokens": 1.5}, {}),
        (USAGE | {"total_output_tokens": 5792}, {}),
        (USAGE | {"total_thought_tokens": True}, {}),
        (USAGE | {"output_tokens_by_modality": []}, {}),
        (USAGE | {"output_tokens_by_modality": [{"modality": "text", "tokens": 7}]}, {}),
    ],
)
def test_no_price_is_better_than_a_wrong_one(usage, fields):
    assert compute_cost({"model": OLD, "usage": usage} | fields) is None
