"""Profiles of gateways: the rules of one gateway do not apply to another."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.profiles import (
    GENERIC,
    LAOZHANG,
    PROFILES,
    VEO_GATEWAY,
    find_profile,
    find_profile_of_host,
)
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame, FrameUrl
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from tests.support.pictures import picture

FRAME = Frame.from_bytes(picture("PNG"), "a.png")


def spec(model, *, first=False, last=False):
    return VideoSpec("p", model, first_frame=FRAME if first else None, last_frame=FRAME if last else None)


def test_the_veo_gateway_has_its_documented_models():
    models = VEO_GATEWAY.models
    assert {model.id: (model.price_usd, model.size, model.takes_frames) for model in models.values()} == {
        "veo-3.1": (0.25, "720x1280", False),
        "veo-3.1-fl": (0.25, "720x1280", True),
        "veo-3.1-fast": (0.15, "720x1280", False),
        "veo-3.1-fast-fl": (0.15, "720x1280", True),
        "veo-3.1-landscape": (0.25, "1280x720", False),
        "veo-3.1-landscape-fl": (0.25, "1280x720", True),
        "veo-3.1-landscape-fast": (0.15, "1280x720", False),
        "veo-3.1-landscape-fast-fl": (0.15, "1280x720", True),
    }
    assert {model.seconds for model in models.values()} == {8}
    assert list(models) == [model.id for model in models.values()]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_every_profile_has_the_documented_default_model(profile):
    named = {LAOZHANG.name: "gemini-omni-1.2-flash", VEO_GATEWAY.name: "veo-3.1-fast"}
    assert profile.default_model == named.get(profile.name)


def test_known_models_have_prices_and_sizes():
    assert VEO_GATEWAY.cost_of("veo-3.1") == 0.25
    assert VEO_GATEWAY.cost_of("veo-3.1-fast", 4) == 0.6
    assert VEO_GATEWAY.size_of("veo-3.1-landscape") == "1280x720"
    assert (VEO_GATEWAY.cost_of("sora-9"), VEO_GATEWAY.size_of("sora-9")) == (None, None)


@pytest.mark.parametrize("model", VEO_GATEWAY.models)
def test_a_generic_server_has_no_prices_and_sizes(model):
    assert (GENERIC.cost_of(model), GENERIC.size_of(model)) == (None, None)


@pytest.mark.parametrize(
    ("model", "first", "last", "complaint"),
    [
        ("veo-3.1", True, False, "Use 'veo-3.1-fl', or leave first_frame and last_frame out"),
        ("veo-3.1-landscape-fast", True, True, "Use 'veo-3.1-landscape-fast-fl'"),
        ("veo-3.1-fl", False, False, "needs a first_frame. Use 'veo-3.1' to make a video from the prompt"),
    ],
)
def test_frames_that_the_gateway_does_not_take_are_refused(model, first, last, complaint):
    order = spec(model, first=first, last=last)
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        VEO_GATEWAY.check_frames(order)
    assert caught.value.permanent
    GENERIC.check_frames(order)


@pytest.mark.parametrize(
    ("model", "first", "last"),
    [("veo-3.1", False, False), ("veo-3.1-fl", True, False), ("veo-3.1-fl", True, True), ("sora-9", True, True)],
)
def test_frames_that_the_gateway_takes_are_accepted(model, first, last):
    VEO_GATEWAY.check_frames(spec(model, first=first, last=last))


def test_the_frames_of_a_chat_call_are_checked():
    with pytest.raises(InvalidInputError, match="takes no frames"):
        VEO_GATEWAY.check_frames(ChatSpec("p", "veo-3.1", FrameUrl("https://a")))
    with pytest.raises(InvalidInputError, match="needs a first_frame"):
        VEO_GATEWAY.check_frames(ChatSpec("p", "veo-3.1-fl"))


def test_a_profile_is_found_by_its_name():
    assert (find_profile("veo-gateway"), find_profile("generic")) == (VEO_GATEWAY, GENERIC)


@pytest.mark.parametrize("name", ["other", "", "VEO-GATEWAY", None, 7, ["generic"]])
def test_an_unknown_profile_is_refused_with_the_choices(name):
    with pytest.raises(InvalidInputError) as caught:
        find_profile(name)
    assert f"profile is {name!r}; it must be 'veo-gateway', 'laozhang', 'new-api', " in str(caught.value)
    assert str(caught.value).endswith("'fastvideo' or 'generic'. 'generic' suits every server.")


@pytest.mark.parametrize(
    ("base_url", "profile"),
    [
        *((f"https://{host}", VEO_GATEWAY) for host in sorted(VEO_GATEWAY.hosts)),
        ("https://API.APIYI.COM:443/v1", VEO_GATEWAY),
        ("https://api.laozhang.ai/v1", LAOZHANG),
        ("https://api2.laozhang.ai", LAOZHANG),
        ("https://api.apiyi.com.example.com", GENERIC),
        ("https://api.example.com/api.apiyi.com", GENERIC),
        ("http://127.0.0.1:8123", GENERIC),
        ("http://[broken", GENERIC),
        ("", GENERIC),
    ],
)
def test_the_host_chooses_a_profile(base_url, profile):
    assert find_profile_of_host(base_url) is profile


def test_profiles_can_be_hashed_and_compared():
    assert len({*PROFILES.values()}) == len(PROFILES)


# --- models whose orders choose length, resolution and shape

OMNI = "gemini-omni-1.2-flash"


def omni(**fields):
    return VideoSpec("p", OMNI, **fields)


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ({}, 0.30),
        ({"seconds": 3}, 0.30),
        ({"seconds": "10", "size": "1280x720"}, 0.30),
        ({"size": "9:16"}, 0.30),
        ({"extra_body": {"resolution": None}}, 0.30),
        ({"extra_body": {"resolution": "360p"}}, 0.10),
        ({"extra_body": {"resolution": "720p", "aspect_ratio": "9:16"}}, 0.30),
        ({"extra_body": {"resolution": "1080p"}}, 0.45),
        ({"extra_body": {"resolution": "1080p"}, "size": "1920x1080"}, 0.45),
        ({"extra_body": {"reference_images": ["https://a/b.png"] * 6}}, 0.30),
        ({"first_frame": FRAME}, 0.30),
    ],
)
def test_a_flexible_model_has_a_price_for_each_resolution(fields, price):
    assert LAOZHANG.estimate_cost(omni(**fields)) == price
    assert not list(LAOZHANG.check(omni(**fields)))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"seconds": 2}, f"seconds is 2; model '{OMNI}' makes videos of 3 to 10 whole seconds."),
        ({"seconds": 11}, "seconds is 11; "),
        ({"seconds": 4.5}, "seconds is 4.5; "),
        ({"size": "3840x2160"}, f"size is '3840x2160'; model '{OMNI}' takes 640x360, 360x640, 1280x720, "),
        ({"size": "1:1"}, "size is '1:1'; "),
        ({"extra_body": {"resolution": "4k"}}, f"resolution is '4k'; model '{OMNI}' takes 360p, 720p, 1080p."),
        ({"extra_body": {"resolution": []}}, "resolution is a value of type list; "),
        ({"extra_body": {"aspect_ratio": "1:1"}}, f"aspect_ratio is '1:1'; model '{OMNI}' takes 16:9, 9:16."),
        ({"extra_body": {"reference_images": ["x"] * 7}}, f"has 7 reference_images; model '{OMNI}' takes at most 6."),
    ],
)
def test_an_order_that_a_flexible_model_does_not_take_is_refused(fields, complaint):
    with pytest.raises(InvalidInputError) as caught:
        list(LAOZHANG.check(omni(**fields)))
    assert complaint in str(caught.value)
    assert not list(GENERIC.check(omni(**fields)))


@pytest.mark.parametrize("size", ["1920x1080", "360x640"])
def test_a_size_without_a_resolution_leaves_the_price_open(size):
    assert LAOZHANG.estimate_cost(omni(size=size)) is None
    (warning,) = LAOZHANG.check(omni(size=size))
    assert f"size is '{size}', and the order names no resolution" in warning
    assert f"{{'resolution': '{'1080p' if size == '1920x1080' else '360p'}'}}" in warning


def test_a_last_frame_is_only_warned_of():
    (warning,) = LAOZHANG.check(omni(first_frame=FRAME, last_frame=FRAME))
    assert "last_frame may be ignored" in warning


def test_other_models_of_a_gateway_have_no_price_and_no_rules():
    other = VideoSpec("p", "muse", seconds=60)
    assert (LAOZHANG.estimate_cost(other), list(LAOZHANG.check(other))) == (None, [])


def test_the_rules_and_prices_of_fixed_models_are_those_of_an_order():
    assert VEO_GATEWAY.estimate_cost(spec("veo-3.1")) == 0.25
    assert not list(VEO_GATEWAY.check(spec("veo-3.1")))
    with pytest.raises(InvalidInputError, match="takes no frames"):
        list(VEO_GATEWAY.check(spec("veo-3.1", first=True)))
    assert GENERIC.estimate_cost(spec("veo-3.1")) is None


@pytest.mark.parametrize("name", ["new-api", "litellm", "vllm-omni", "sglang", "fastvideo"])
def test_the_profile_of_a_server_program_has_its_rules_and_no_prices(name):
    profile = find_profile(name)
    order = VideoSpec("p", "m", first_frame=FRAME, last_frame=FRAME, size="1:1", extra_body={"other": 1})
    assert (profile.models, profile.flexible_models, profile.hosts) == ({}, {}, frozenset())
    if name in ("vllm-omni", "sglang", "fastvideo"):
        with pytest.raises(InvalidInputError, match="takes one frame, and of two the last"):
            list(profile.check(order))
    else:
        assert bool(list(profile.check(order))) == (name == "litellm")
