"""The decision whether clips can be copied or must be encoded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from airflow_provider_veo.media.concat import find_reason_to_encode
from tests.unit.media.samples import CLIP, variant


@pytest.mark.parametrize(
    "clip",
    [
        CLIP,
        variant(picture={"unit": Fraction(1, 90_000), "end": Fraction(4)}),
        variant(picture={"start": Fraction(3), "end": Fraction(5)}, rate=Fraction(30)),
        variant(sound={"end": Fraction(5)}),
    ],
)
def test_clips_that_agree_are_copied(clip):
    assert find_reason_to_encode([CLIP, clip]) is None
    assert find_reason_to_encode([clip, CLIP, clip]) is None


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (variant(container="matroska,webm"), "b.mp4 is not an MP4 file"),
        (variant(picture={"codec": "vp9"}), "b.mp4 has a codec that is not usual"),
        (variant(sound={"codec": "opus"}), "b.mp4 has a codec that is not usual"),
        (variant(picture={"whole": False}), "b.mp4 hides some of its pictures"),
        (variant(picture={"form": ("h264", b"other", 720, 1280)}), "b.mp4 has another kind of picture than a.mp4"),
        (variant(sound={"form": ("aac", b"other", 44_100)}), "b.mp4 has another kind of sound than a.mp4"),
        (replace(variant(), sound=None), "b.mp4 has another kind of sound than a.mp4"),
        (variant(picture={"unit": Fraction(1, 1_000_003)}), "no common unit"),
    ],
)
def test_clips_that_differ_are_encoded(clip, reason):
    assert reason in find_reason_to_encode([CLIP, CLIP, clip])
