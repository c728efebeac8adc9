from __future__ import annotations

import struct
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.media.clip import Clip, Source, Track, find_shown_size, round_to_even
from airflow_provider_veo.media.concat import find_reason_to_encode
from airflow_provider_veo.media.encode import Format, Span, fit_size, make_picture_steps, make_sound_steps
from airflow_provider_veo.media.orientation import Orientation
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator

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


@given(
    st.lists(st.fractions(min_value="1/60", max_value=20), min_size=1, max_size=8), st.sampled_from([24, 30, 44_100])
)
def test_the_spans_of_all_clips_fill_the_video(lengths, rate):
    """No rounding adds up: the sum is right to half a picture, and so is each joint."""
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


ONE = 2**16


@pytest.mark.parametrize(
    ("matrix", "steps"),
    [
        ((ONE, 0, 0, ONE), []),
        ((-ONE, 0, 0, ONE), ["hflip"]),
        ((ONE, 0, 0, -ONE), ["vflip"]),
        ((-ONE, 0, 0, -ONE), ["hflip", "vflip"]),
        ((0, ONE, ONE, 0), ["transpose"]),
        ((0, ONE, -ONE, 0), ["transpose", "hflip"]),
        ((0, -ONE, ONE, 0), ["transpose", "vflip"]),
        ((0, -ONE, -ONE, 0), ["transpose", "hflip", "vflip"]),
        ((2 * ONE, 0, 0, -ONE // 2), ["vflip"]),
        ((ONE, 900, -900, ONE), []),
        ((0, 0, 0, 0), []),
    ],
)
def test_a_display_matrix_gives_the_orientation(matrix, steps):
    a, b, c, d = matrix
    orientation = Orientation.of(struct.pack("=9i", a, b, 0, c, d, 0, 99, 99, 2**30))
    assert [name for name, _ in orientation.steps] == steps


@pytest.mark.parametrize("matrix", [b"", bytes(8), bytes(40)])
def test_an_invalid_display_matrix_changes_nothing(matrix):
    assert Orientation.of(matrix) == UPRIGHT


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


@pytest.mark.parametrize("at", ["last", "first", 0, 1.5, "1.5", "0"])
def test_a_valid_time_is_accepted(at):
    assert extract(at=at).at == at


@pytest.mark.parametrize("at", [-1, -0.001, "middle", "", None, True, "nan", float("inf"), [1]])
def test_an_invalid_time_is_refused(at):
    with pytest.raises(InvalidInputError, match=r"at is .*'first', 'last', or seconds"):
        extract(at=at)


def extract(**changes):
    arguments = {"source": "/nosuch/video.mp4", "destination": "/nosuch/frame.png"}
    return VeoExtractFrameOperator(task_id="extract", **(arguments | changes))


def concat(**changes):
    arguments = {"sources": ["/nosuch/a.mp4"], "destination": "/nosuch/video.mp4"}
    return VeoConcatOperator(task_id="concat", **(arguments | changes))


@pytest.mark.parametrize(
    ("operator", "complaint"),
    [
        (extract(), "source '/nosuch/video.mp4' does not exist"),
        (extract(destination="nosuch://bucket/frame.png"), "cannot be used"),
        (extract(source={"id": "video_1"}), "source names no file"),
        (concat(sources=[Path(__file__), {"path": None}]), r"sources\[1\] names no file"),
        (concat(), r"sources\[0\] '/nosuch/a.mp4' does not exist"),
        (concat(sources=[__file__]), "test_media.py is not a video"),
    ],
)
def test_bad_input_fails_without_a_retry_and_leaves_nothing(operator, complaint, tmp_path):
    if "nosuch://" not in operator.destination:
        operator.destination = operator.destination.replace("/nosuch", str(tmp_path / "out"))
    with pytest.raises(VeoFailException, match=complaint):
        operator.execute({})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("make", "arguments", "complaint"),
    [
        (extract, {"at": "soon"}, "at is 'soon'"),
        (extract, {"source": None}, "source is None; it must be a path"),
        (extract, {"destination": "/nosuch/frame.gif"}, "ends in .png or .jpg or .jpeg"),
        (extract, {"destination": "/nosuch/folder/"}, "ends in .png"),
        (extract, {"destination": ""}, "destination is ''"),
        (concat, {"sources": []}, "it must be a list of clips"),
        (concat, {"sources": iter([])}, "it must be a list of clips"),
        (concat, {"sources": None}, "it must be a list of clips"),
        (concat, {"sources": [None]}, "it must be a list of clips"),
        (concat, {"sources": "/nosuch/a.mp4"}, "sources is '/nosuch/a.mp4'; it must be a list of clips"),
        (concat, {"sources": {"path": "/nosuch/a.mp4"}}, "sources is a dictionary of path; it must be a list of clips"),
        (concat, {"destination": "/nosuch/video.avi"}, "ends in .mp4"),
        (concat, {"destination": "/nosuch/"}, "ends in .mp4"),
    ],
)
def test_wrong_arguments_are_refused_when_the_dag_is_parsed(make, arguments, complaint):
    with pytest.raises(InvalidInputError, match=f"Task '{make.__name__}': .*{complaint}"):
        make(**arguments)


@pytest.mark.parametrize("operator", [extract(), concat()])
def test_without_pyav_the_error_says_what_to_install(operator, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("airflow_provider_veo.media.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(VeoFailException, match=r"pip install 'airflow-provider-veo\[media\]'"):
        operator.execute({})
