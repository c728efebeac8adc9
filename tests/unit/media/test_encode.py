"""The format, length and filters of clips that are encoded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.media.clip import round_to_even
from airflow_provider_veo.media.encode import Format, Span, fit_size, make_picture_steps, make_sound_steps
from tests.unit.media.samples import CLIP, variant


@given(
    st.lists(st.fractions(min_value="1/60", max_value=20), min_size=1, max_size=8), st.sampled_from([24, 30, 44_100])
)
def test_the_spans_of_all_clips_fill_the_video(lengths, rate):
    """Rounding errors do not add up: each joint and the end are right to half a picture."""
    starts = [sum(lengths[:number], Fraction(0)) for number in range(len(lengths) + 1)]
    counts = [Span(start, end).count(rate) for start, end in pairwise(starts)]
    assert all(count >= 0 for count in counts)
    for number, start in enumerate(starts):
        assert abs(sum(counts[:number]) - start * rate) <= Fraction(1, 2)


sizes = st.tuples(st.integers(2, 4000), st.integers(2, 4000))
boxes = st.tuples(st.integers(1, 2000), st.integers(1, 2000)).map(lambda box: (2 * box[0], 2 * box[1]))


@given(sizes, boxes)
def test_a_picture_fits_into_its_box_and_touches_it(size, box):
    width, height = fit_size(size, box)
    assert 2 <= width <= box[0]
    assert 2 <= height <= box[1]
    assert width % 2 == height % 2 == 0
    assert width == box[0] or height == box[1]
    assert abs(width - min(box[0], box[1] * size[0] / size[1])) <= 2


@given(sizes)
def test_a_picture_that_fits_stays_as_it_is(size):
    size = round_to_even(size[0]), round_to_even(size[1])
    assert fit_size(size, size) == size


def test_the_format_of_a_video_is_that_of_its_first_clip():
    silent = replace(variant(size=(640, 360), rate=Fraction(30)), sound=None, sample_rate=0, channels=0)
    assert Format.of([CLIP, silent]) == Format((720, 1280), Fraction(24), 44_100, "mono")
    assert Format.of([silent, CLIP]) == Format((640, 360), Fraction(30), 44_100, "mono")
    assert Format.of([silent]).sample_rate == 0
    assert Format.of([variant(channels=6)]).layout == "stereo"
    assert Format.of([variant(sample_rate=37_800)]).sample_rate == 48_000


def test_the_filters_make_the_right_number_of_frames_and_samples():
    look = Format((640, 360), Fraction(24), 48_000, "stereo")
    steps = dict(make_picture_steps(CLIP, look, Span(Fraction(8), Fraction(16))))
    assert steps["scale"].startswith("202:360:")
    assert steps["trim"] == f"end_frame={8 * 24}"
    late = variant(picture={"start": Fraction(7, 5)})
    steps = dict(make_sound_steps(late, look, Span(Fraction(8), Fraction(16))))
    assert (steps["asetpts"], steps["atrim"]) == ("PTS-(7/5)/TB", f"end_sample={8 * 48_000}")
