"""The list of models: the values that a model takes, and its prices."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openrouter.offers import Offer, check_order, estimate_cost, read_models
from airflow_provider_veo.api.errors import ApiError, InvalidInputError, Reason

VEO = Offer(
    durations=(4, 6, 8),
    resolutions=("720p", "1080p", "4K"),
    aspect_ratios=("16:9", "9:16"),
    sizes=("1280x720", "720x1280"),
    frames=("first_frame",),
    has_sound=False,
    has_start=False,
    options=("negativePrompt",),
)


def read(*models, status=200):
    return read_models(Answer(status, json.dumps({"data": list(models)}), {}, "https://openrouter.ai/api"))


def order(**fields):
    return {"model": "m", "prompt": "p"} | fields


def frames(*kinds):
    return {"frame_images": [{"frame_type": kind} for kind in kinds]}


def options(**values):
    return {"provider": {"options": {"google-vertex": values}}}


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"duration": 5}, "takes no seconds of 5; it takes 4, 6, 8."),
        ({"size": "1920x1080"}, "takes no size of '1920x1080'; it takes 1280x720, 720x1280."),
        ({"resolution": "360p"}, "takes no resolution of '360p'; it takes 720p, 1080p, 4K."),
        ({"aspect_ratio": "1:1"}, "takes no aspect_ratio of '1:1'; it takes 16:9, 9:16."),
        (frames("first_frame", "last_frame"), "takes no last_frame; it takes first_frame."),
        ({"generate_audio": True}, "makes no sound: leave generate_audio out."),
        ({"seed": 0}, "takes no number for its random choices: leave `seed` out."),
        (
            options(negative="x"),
            "does not get the option 'negative' of provider.options: OpenRouter drops it",
        ),
    ],
)
def test_an_order_that_the_model_does_not_take_is_refused(fields, complaint):
    with pytest.raises(InvalidInputError) as caught:
        check_order(order(**fields), VEO)
    assert str(caught.value).startswith(f"Model 'm' at OpenRouter {complaint}")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"duration": 8, "size": "720x1280", "generate_audio": False, "user": None},
        {"resolution": "4K", "aspect_ratio": "9:16"},
        frames("first_frame"),
        options(negativePrompt="rain"),
        {"provider": 7, "frame_images": 7},
        {"provider": {"options": 7}, "frame_images": [7, {"frame_type": 7}]},
        {"provider": {"options": {"google-vertex": 7}}},
        {"resolution": 7, "aspect_ratio": None},
    ],
)
def test_an_order_that_the_model_takes_is_accepted(fields):
    check_order(order(**fields), VEO)


@pytest.mark.parametrize("fields", [{"duration": 5, "size": "7x7"}, frames("any"), options(x=1) | {"seed": 7}])
def test_a_list_that_does_not_say_refuses_nothing(fields):
    check_order(order(**fields), Offer())


@pytest.mark.parametrize(
    ("size", "complaint"),
    [
        ("1280x720", None),
        ("2160x3840", None),
        ("720x720", "aspect_ratio of '1:1'"),
        ("640x360", "resolution of '360p'"),
        ("wide", None),
    ],
)
def test_a_size_is_a_resolution_and_a_shape_where_no_sizes_are_listed(size, complaint):
    offer = Offer(resolutions=("720p", "1080p", "4K"), aspect_ratios=("16:9", "9:16"))
    if complaint is None:
        check_order(order(size=size), offer)
        return
    with pytest.raises(InvalidInputError, match=complaint):
        check_order(order(size=size), offer)


# Rows of models in public code, 2026: the prices of Veo 3.1, Veo 3.1 Fast and Wan 2.6
PRICES = {"duration_seconds_with_audio": "0.40", "duration_seconds_without_audio": "0.20"}
WITH_4K = PRICES | {"duration_seconds_with_audio_4k": "0.60", "duration_seconds_without_audio_4k": "0.40"}
FAST = {
    "duration_seconds_with_audio": "0.12",
    "duration_seconds_without_audio": "0.10",
    "duration_seconds_with_audio_720p": "0.10",
    "duration_seconds_without_audio_720p": "0.08",
}
WAN = {"duration_seconds_480p": "0.05", "duration_seconds_720p": "0.10"}
EIGHT = {"duration": 8}


@pytest.mark.parametrize(
    ("skus", "has_sound", "fields", "cost"),
    [
        (PRICES, True, EIGHT, 3.2),
        (PRICES, True, EIGHT | {"generate_audio": False}, 1.6),
        (PRICES, False, EIGHT, 1.6),
        (PRICES, None, EIGHT, None),
        (PRICES, True, {}, None),  # the length is not known
        (WITH_4K, True, EIGHT, None),  # nor is the resolution
        (WITH_4K, True, EIGHT | {"resolution": "1080p"}, 3.2),
        (WITH_4K, True, EIGHT | {"resolution": "4K"}, 4.8),
        (WITH_4K, True, EIGHT | {"size": "2160x3840"}, 4.8),
        (WITH_4K, True, EIGHT | {"resolution": "4K", "generate_audio": False}, 3.2),
        (FAST, True, {"duration": 4, "resolution": "720p"}, 0.4),
        (FAST, True, {"duration": 4, "resolution": "720p", "generate_audio": False}, 0.32),
        (FAST, True, {"duration": 4, "resolution": "1080p"}, 0.48),
        (WAN, None, {"duration": 5, "resolution": "480p"}, 0.25),
        (WAN, None, {"duration": 5, "resolution": "1080p"}, None),
        ({"duration_seconds": 0.13}, None, {"duration": 5}, 0.65),
        # unknown kinds of prices
        ({"duration_seconds": "0.13", "reference_images": "0.04"}, None, {"duration": 5}, None),
        ({"cents_per_second_output": "17"}, None, {"duration": 5}, None),
        *(({"duration_seconds": price}, None, {"duration": 5}, None) for price in ("x", None, True, "-1", "inf", [])),
        (None, True, EIGHT, None),
    ],
)
def test_a_price_is_that_of_length_resolution_and_sound(skus, has_sound, fields, cost):
    offer = read({"id": "m", "pricing_skus": skus, "generate_audio": has_sound})["m"]
    assert estimate_cost(order(**fields), offer) == cost


def test_strange_models_and_fields_are_left_out():
    models = read(
        7, {"id": ""}, {"id": 8}, {"id": "m", "supported_durations": [4, "6", True], "supported_sizes": "all"}
    )
    assert models == {"m": Offer(durations=(4,))}


def test_a_refused_or_unreadable_list_is_an_error():
    with pytest.raises(ApiError) as caught:
        read(status=401)
    assert caught.value.reason is Reason.AUTHENTICATION
    with pytest.raises(ApiError, match="not a list of models"):
        read_models(Answer(200, "<html>", {}))


@given(
    st.dictionaries(st.sampled_from(["supported_sizes", "pricing_skus", "generate_audio"]), st.text() | st.integers())
)
def test_no_field_of_a_model_raises(fields):
    assert set(read({"id": "m", **fields})) == {"m"}
