"""Clips for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from airflow_provider_veo.media.clip import Clip, Source, Track
from airflow_provider_veo.media.orientation import Orientation

UPRIGHT, TURNED = Orientation(), Orientation(is_turned=True)
PICTURE = Track(Fraction(1, 12_288), Fraction(0), Fraction(8), "h264", ("h264", b"extradata", 720, 1280), whole=True)
SOUND = Track(Fraction(1, 44_100), Fraction(0), Fraction(8), "aac", ("aac", b"extradata", 44_100), whole=False)
CLIP = Clip(
    Source("a.mp4", Path("a.mp4")),
    "mov,mp4,m4a",
    PICTURE,
    SOUND,
    (720, 1280),
    UPRIGHT,
    Fraction(24),
    44_100,
    channels=1,
)


def variant(picture=None, sound=None, **changes):
    clip = replace(CLIP, source=Source("b.mp4", Path("b.mp4")), **changes)
    return replace(clip, picture=replace(PICTURE, **(picture or {})), sound=replace(SOUND, **(sound or {})))
