from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.profiles import CARD, check_frames
from airflow_provider_veo.api.errors import InvalidInputError


def test_the_card_is_the_documented_one():
    assert {model.id: (model.price_usd, model.size, model.takes_frames) for model in CARD.values()} == {
        "veo-3.1": (0.25, "720x1280", False),
        "veo-3.1-fl": (0.25, "720x1280", True),
        "veo-3.1-fast": (0.15, "720x1280", False),
        "veo-3.1-fast-fl": (0.15, "720x1280", True),
        "veo-3.1-landscape": (0.25, "1280x720", False),
        "veo-3.1-landscape-fl": (0.25, "1280x720", True),
        "veo-3.1-landscape-fast": (0.15, "1280x720", False),
        "veo-3.1-landscape-fast-fl": (0.15, "1280x720", True),
    }
    assert {model.seconds for model in CARD.values()} == {8}


@pytest.mark.parametrize(
    ("model", "first", "last", "complaint"),
    [
        ("veo-3.1", True, False, "Use 'veo-3.1-fl'"),
        ("veo-3.1-landscape-fast", True, True, "Use 'veo-3.1-landscape-fast-fl'"),
        ("veo-3.1-fl", False, False, "needs a first_frame. Use 'veo-3.1' to make a video from the prompt"),
        ("veo-3.1-fl", False, True, "last_frame needs a first_frame"),
        ("anything-else", False, True, "last_frame needs a first_frame"),
    ],
)
def test_frames_that_do_not_fit_the_model_are_refused(model, first, last, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        check_frames(model, first=first, last=last)


@pytest.mark.parametrize(
    ("model", "first", "last"),
    [("veo-3.1", False, False), ("veo-3.1-fl", True, False), ("veo-3.1-fl", True, True), ("sora-9", True, True)],
)
def test_frames_that_fit_pass(model, first, last):
    check_frames(model, first=first, last=last)
