"""Profiles of gateways: the rules of one gateway do not apply to another."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.profiles import (
    GENERIC,
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
    assert profile.default_model == "veo-3.1-fast"


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
    assert f"profile is {name!r}; it must be 'veo-gateway' or 'generic'" in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "profile"),
    [
        *((f"https://{host}", VEO_GATEWAY) for host in sorted(VEO_GATEWAY.hosts)),
        ("https://API.APIYI.COM:443/v1", VEO_GATEWAY),
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
