"""The size in which a player shows a clip."""

from __future__ import annotations

from fractions import Fraction

import pytest

from airflow_provider_veo.media.clip import find_shown_size
from airflow_provider_veo.media.orientation import Orientation
from tests.unit.media.samples import TURNED, UPRIGHT


@pytest.mark.parametrize(
    ("size", "aspect", "orientation", "shown"),
    [
        ((720, 1280), Fraction(1), UPRIGHT, (720, 1280)),
        ((720, 1280), Fraction(1), TURNED, (1280, 720)),
        ((720, 1280), Fraction(1), Orientation(is_mirrored=True, is_flipped=True), (720, 1280)),
        ((720, 576), Fraction(16, 15), UPRIGHT, (768, 576)),
        ((720, 576), Fraction(64, 45), TURNED, (576, 1024)),
        ((721, 1279), Fraction(1), UPRIGHT, (720, 1280)),
        ((1, 1), Fraction(1), UPRIGHT, (2, 2)),
    ],
)
def test_the_size_on_screen_follows_pixel_aspect_and_orientation(size, aspect, orientation, shown):
    assert find_shown_size(*size, aspect, orientation) == shown
