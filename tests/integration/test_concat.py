"""Videos that are joined from real clips, checked with ffmpeg."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise, product

import av
import pytest

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.emulator.render import Scene, render
from airflow_provider_veo.media.clip import examine
from airflow_provider_veo.media.concat import concat
from tests.support import clips
from tests.support.pictures import psnr

DRIFT = 0.03
"""Seconds by which sound and picture may differ at most."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def plain(folder):
    """Return two clips with the same settings, of 24 and 31 frames; neither fills a whole number of sound packets."""
    return [
        clips.make(folder / "one.mp4", range(1, 25)),
        clips.make(folder / "two.mp4", range(101, 132)),
    ]


@pytest.fixture
def join(tmp_path):
    def _join(*paths):
        video = tmp_path / "video.mp4"
        joined = concat([clips.source(path) for path in paths], video)
        clips.check(video)
        assert joined.clips == len(paths)
        for kind in ("video", "audio"):
            if kind == "video" or has_sound(video):
                assert all(a < b for a, b in pairwise(dts for _, dts, _ in clips.packets(video, kind)))
        return joined, video

    return _join


def has_sound(path):
    with av.open(str(path)) as container:
        return bool(container.streams.audio)


def is_fast_start(path):
    content = path.read_bytes()
    return content.index(b"moov") < content.index(b"mdat")


def test_four_clips_of_the_emulator_are_copied(folder, join):
    """Mapped create tasks store such clips: eight seconds each, with sound. They are copied without loss."""
    paths = [folder / f"scene{number}.mp4" for number in range(4)]
    for number, path in enumerate(paths):
        render(Scene(f"scene {number}", "label", 320, 180, 8), path)
    joined, video = join(*paths)
    assert (joined.seconds, joined.clips, joined.reencoded) == (32.0, 4, None)
    assert clips.duration(video) == 32.0
    assert clips.picture_times(video) == [Fraction(number, 24) for number in range(4 * 8 * 24)]
    assert is_fast_start(video)
    expected = [picture.tobytes() for path in paths for picture in clips.shown_frames(path)[::48]]
    assert [picture.tobytes() for picture in clips.shown_frames(video)[::48]] == expected


def test_copied_clips_are_shown_one_after_the_other(plain, join):
    order = [*plain, plain[0], plain[0], plain[1]]
    joined, video = join(*order)
    assert joined.reencoded is None
    assert clips.numbers_in(video) == [number for path in order for number in clips.numbers_in(path)]
    assert clips.picture_times(video) == [Fraction(number, 24) for number in range(24 * 3 + 31 * 2)]
    assert joined.seconds == round((24 * 3 + 31 * 2) / 24, 6)


@pytest.mark.parametrize("by_time_stamps", [True, False])
def test_sound_stays_with_its_picture_over_many_copied_clips(plain, join, by_time_stamps):
    """The difference does not add up over the clips, even in players that count samples."""
    joined, video = join(*plain * 10)
    assert joined.reencoded is None
    assert_beeps(video, [24, 31] * 10, by_time_stamps=by_time_stamps)


def assert_beeps(video, frames, *, by_time_stamps=True):
    begins = [sum(frames[:number]) / 24 for number in range(len(frames))]
    found = clips.beeps_in(video, by_time_stamps=by_time_stamps)
    assert len(found) == len(frames)
    apart = [abs(beep - begin - clips.BEEP) for beep, begin in zip(found, begins, strict=True)]
    assert max(apart) < DRIFT, apart


def test_a_single_clip_stays_unchanged(plain, join):
    joined, video = join(plain[1])
    assert (joined.seconds, joined.reencoded) == (round(31 / 24, 6), None)
    assert clips.numbers_in(video) == list(range(101, 132))
    assert_beeps(video, [31])


def test_joined_videos_can_be_joined_again(plain, join, tmp_path):
    _, video = join(*plain)
    again = video.rename(tmp_path / "again.mp4")
    joined, video = join(again, again)
    assert joined.reencoded is None
    assert clips.numbers_in(video) == clips.numbers_in(again) * 2
    assert_beeps(video, [24, 31] * 2)


def test_clips_with_other_time_units_are_copied(plain, join, folder):
    """One clip has units of 1/12288 s; its copy has units of 1/90000 s."""
    other = folder / "units.mp4"
    clips.ffmpeg("-i", plain[0], "-c", "copy", "-video_track_timescale", "90000", "-y", other)
    assert examine(clips.source(other)).picture.unit == Fraction(1, 90_000)
    joined, video = join(plain[0], other, plain[1])
    assert joined.reencoded is None
    assert clips.picture_times(video) == [Fraction(number, 24) for number in range(24 + 24 + 31)]


def test_decoding_times_never_decrease(plain, join, folder):
    """The second clip has more time between decoding and display than the first, as other writers produce it."""
    early = folder / "early.mp4"
    earlier = ("-bsf:v", "setts=pts=PTS:dts=DTS-2048", "-use_editlist", "0")
    clips.ffmpeg("-i", plain[1], "-c", "copy", *earlier, "-y", early)
    pts, dts, duration = clips.packets(early, "video")[0]
    assert pts - dts > 3 * duration
    joined, video = join(plain[0], early, plain[0], early)
    assert joined.reencoded is None
    assert clips.picture_times(video) == [Fraction(number, 24) for number in range(2 * (24 + 31))]
    assert clips.numbers_in(video) == [*range(1, 25), *range(101, 132)] * 2


def test_variable_frame_rate_is_kept(join, folder):
    times = [0, 40, 80, 500, 510, 1200, 1240]
    path = clips.make(folder / "vfr.mp4", range(7), times=times, b_frames=0, sound=None)
    joined, video = join(path, path)
    length = examine(clips.source(path)).seconds
    assert length > Fraction(times[-1], 1000)
    assert joined.reencoded is None
    assert clips.picture_times(video) == [begin + Fraction(time, 1000) for begin in (0, length) for time in times]


def test_clips_that_begin_late_are_copied(plain, join, folder):
    """The first time stamp of a clip that was cut out of a longer one is not zero."""
    late = folder / "late.mp4"
    clips.ffmpeg("-i", plain[0], "-c", "copy", "-output_ts_offset", "3", "-y", late)
    joined, video = join(late, late)
    assert joined.seconds == 2.0
    assert clips.picture_times(video) == [Fraction(number, 24) for number in range(48)]
    assert_beeps(video, [24, 24])


def test_clips_that_begin_late_are_encoded_in_step(plain, join, folder):
    late, later_sound = folder / "late2.mp4", folder / "later_sound.mkv"
    clips.ffmpeg("-i", plain[0], "-c", "copy", "-output_ts_offset", "3", "-y", late)
    clips.ffmpeg(
        *("-i", plain[0], "-itsoffset", "0.3", "-i", plain[0], "-map", "0:v", "-map", "1:a", "-c", "copy", "-t", "1"),
        *("-y", later_sound),
    )
    joined, video = join(late, later_sound, late)
    assert joined.reencoded
    assert clips.picture_times(video) == [Fraction(number, 24) for number in range(72)]
    expected = [clips.BEEP, 1.3 + clips.BEEP, 2 + clips.BEEP]
    assert clips.beeps_in(video, by_time_stamps=False) == pytest.approx(expected, abs=DRIFT)


def test_sound_of_another_length_does_not_shift_the_next_clip(join, folder):
    paths = [
        clips.make(folder / f"sound{number}.mp4", range(24), sound_seconds=seconds)
        for number, seconds in enumerate((1.4, 0.5, 1.0))
    ]
    order = [*paths, *paths]
    joined, video = join(*order)
    assert joined.reencoded is None
    assert joined.seconds == 6.0
    assert_beeps(video, [24] * 6)
    assert clips.duration(video) == pytest.approx(6.0, abs=DRIFT)


@pytest.fixture(scope="module")
def differing(folder):
    """Return clips of one second each, which differ from the first in one property each."""
    make = clips.make
    numbers = range(48, 72)
    return {
        "first": make(folder / "first.mp4", range(24)),
        "size": make(folder / "size.mp4", numbers, size=(256, 144)),
        "b_frames": make(folder / "b_frames.mp4", numbers, b_frames=0),
        "stereo": make(folder / "stereo.mp4", numbers, sound="stereo"),
        "sample_rate": make(folder / "sample_rate.mp4", numbers, sample_rate=48_000),
        "silent": make(folder / "silent.mp4", numbers, sound=None),
        "matroska": make(folder / "matroska.mkv", numbers, container_format="matroska"),
        "turned": make(folder / "turned.mp4", numbers, rotation=180),
    }


DIFFERENCES = ["size", "b_frames", "stereo", "sample_rate", "silent", "matroska", "turned"]


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_clips_that_differ_are_reencoded(differing, join, difference):
    joined, video = join(differing["first"], differing[difference], differing["first"])
    assert differing[difference].name in joined.reencoded
    assert joined.seconds == 3.0
    assert clips.picture_times(video) == [Fraction(number, 24) for number in range(72)]
    pictures = clips.shown_frames(video)
    assert {picture.size for picture in pictures} == {(128, 72)}
    numbers = [clips.parse_number(picture) for picture in pictures]
    assert numbers[:24] == numbers[48:] == list(range(24))
    if difference != "turned":  # its bars are upside down, which reverses the bits of a number
        assert numbers[24:48] == list(range(48, 72))
    else:
        assert numbers[24:48] == [int(f"{number:08b}"[::-1], 2) for number in range(48, 72)]
    assert clips.duration(video) == 3.0
    assert is_fast_start(video)
    found = clips.beeps_in(video, by_time_stamps=True)
    expected = [clips.BEEP + second for second in ((0, 2) if difference == "silent" else (0, 1, 2))]
    assert found == pytest.approx(expected, abs=DRIFT)


def test_a_video_may_begin_without_sound(differing, join):
    joined, video = join(differing["silent"], differing["first"])
    assert joined.seconds == 2.0
    assert clips.beeps_in(video, by_time_stamps=False) == pytest.approx([1 + clips.BEEP], abs=DRIFT)


def test_clips_without_sound_make_a_video_without_sound(differing, join, folder):
    other = clips.make(folder / "mute.mp4", range(24), size=(256, 144), sound=None)
    assert not has_sound(join(differing["silent"], differing["silent"])[1])
    joined, video = join(differing["silent"], other)
    assert joined.reencoded
    assert not has_sound(video)


@pytest.mark.parametrize("rate", [12, 25, 30, Fraction(30_000, 1001), 60])
def test_another_frame_rate_is_converted_to_that_of_the_first_clip(differing, join, folder, rate):
    """A picture is shown at most half a frame early or late."""
    count = round(2 * rate)
    path = clips.make(folder / "rate.mp4", range(100, 100 + count), rate=rate)
    joined, video = join(differing["first"], path, differing["first"])
    numbers = clips.numbers_in(video)
    assert clips.picture_times(video) == [Fraction(number, 24) for number in range(len(numbers))]
    length = Fraction(count) / rate
    assert joined.seconds == pytest.approx(float(2 + length), abs=0.5 / 24)
    assert numbers[:24] == numbers[-24:] == list(range(24))
    for slot, number in enumerate(numbers[24:-24]):
        begin, time = (number - 100) / rate, Fraction(slot, 24)
        assert begin - Fraction(1, 48) <= time <= begin + 1 / Fraction(rate) + Fraction(1, 48)
    expected = [clips.BEEP, 1 + clips.BEEP, 1 + float(length) + clips.BEEP]
    assert clips.beeps_in(video, by_time_stamps=False) == pytest.approx(expected, abs=DRIFT)


def test_a_variable_frame_rate_is_converted_to_that_of_the_first_clip(differing, join, folder):
    times = [0, 100, 500, 540, 1900]
    path = clips.make(folder / "vfr2.mp4", range(1, 6), times=times)
    joined, video = join(differing["first"], path)
    numbers = clips.numbers_in(video)[24:]
    for slot, number in enumerate(numbers):
        shown_since, shown_until = ([*times, 9999][number - 1 + step] / 1000 for step in (0, 1))
        assert shown_since - 1 / 48 <= slot / 24 <= shown_until + 1 / 48
    assert joined.seconds == pytest.approx((24 + len(numbers)) / 24, abs=1e-6)


@pytest.mark.parametrize("size", [(128, 128), (72, 128), (256, 72)])
def test_a_clip_of_another_shape_gets_black_bars(differing, join, folder, size):
    path = clips.make(folder / "shape.mp4", [255] * 4, size=size, pictures=clips.numbered)
    _, video = join(differing["first"], path)
    picture = clips.shown_frames(video)[-1].convert("L")
    box = picture.point(lambda value: 255 * (value > 127)).getbbox()
    scale = min(128 / size[0], 72 / size[1])
    width, height = size[0] * scale, size[1] * scale
    expected = ((128 - width) / 2, (72 - height) / 2, (128 + width) / 2, (72 + height) / 2)
    assert box == pytest.approx(expected, abs=2)


@pytest.fixture(scope="module")
def corner(folder):
    return clips.make(folder / "corner.mp4", range(6), pictures=clips.cornered, sound=None)


ON_SCREEN = clips.LAID | {"wide": [], "turned by 90, wide": ["-display_rotation", 90]}


@pytest.fixture(scope="module", params=ON_SCREEN)
def laid(request, folder, corner):
    """Return a video that players turn, mirror or stretch."""
    wide = ("-aspect", "3:1") if "wide" in request.param else ()
    return clips.rewritten(folder / f"{request.param}.mp4", corner, before=ON_SCREEN[request.param], after=wide)


def test_copied_clips_keep_their_rotation_and_stretch(laid, join):
    joined, video = join(laid, laid)
    assert joined.reencoded is None
    for number in (0, 11):
        assert clips.on_screen(video, number).tobytes() == clips.on_screen(laid, number % 6).tobytes()


def test_a_video_has_the_shape_of_its_first_clip_on_screen(laid, corner, join, folder):
    """The video is upright and has square pixels, as a player shows the first clip."""
    other = clips.rewritten(folder / "other.mp4", corner, before=["-display_rotation", 180], after=["-aspect", "2:1"])
    joined, video = join(laid, other)
    assert joined.reencoded
    seen, expected = clips.on_screen(video), clips.on_screen(laid)
    assert seen.size == expected.size == examine(clips.source(video)).size
    assert psnr(seen, expected) > 25
    with av.open(str(video)) as container:
        picture = container.streams.video[0]
        assert (picture.width, picture.height) == seen.size
        assert picture.sample_aspect_ratio == 1


def test_a_later_clip_is_shown_as_a_player_shows_it(laid, folder, join):
    """A later clip is fitted into the shape of the first one."""
    first = clips.make(folder / "square.mp4", range(6), size=(240, 240), sound=None)
    joined, video = join(first, laid)
    assert joined.reencoded
    expected = clips.on_screen(laid)
    scale = min(240 / expected.width, 240 / expected.height)
    size = (2 * round(expected.width * scale / 2), 2 * round(expected.height * scale / 2))
    left, top = (240 - size[0]) // 2, (240 - size[1]) // 2
    seen = clips.on_screen(video, 11).crop((left, top, left + size[0], top + size[1]))
    assert psnr(seen, expected.resize(size)) > 22


def test_clips_that_players_show_differently_are_reencoded(corner, folder, join):
    for options in (["-display_vflip"], ["-display_hflip"], ["-display_rotation", 45]):
        other = clips.rewritten(folder / "other.mp4", corner, before=options)
        assert join(corner, other)[0].reencoded == "other.mp4 has another kind of picture than corner.mp4"
    other = clips.rewritten(folder / "other.mp4", corner, after=["-aspect", "2:1"])
    assert join(corner, other)[0].reencoded == "other.mp4 has another kind of picture than corner.mp4"
    square = clips.rewritten(folder / "square.mp4", corner, after=["-aspect", "16:9"])
    assert join(corner, square)[0].reencoded is None


def test_colours_survive_encoding(join, folder):
    """Clips with other matrices and ranges: players show the same colour before and after."""
    colour = (200, 30, 40)
    paths = [
        clips.coloured(folder / f"{matrix}{full}.mp4", matrix, full, colour)
        for matrix, full in product(("bt601", "bt709"), (False, True))
    ]
    joined, video = join(*paths)
    assert joined.reencoded
    with av.open(str(video)) as container:
        assert container.streams.video[0].codec_context.colorspace == 1
    for picture in clips.shown_frames(video):
        assert max(abs(a - b) for a, b in zip(picture.getpixel((32, 32)), colour, strict=True)) <= 6


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("fast_start", [True, False])
def test_a_cut_clip_is_refused(plain, tmp_path, keep, fast_start):
    whole = tmp_path / "whole.mp4"
    clips.ffmpeg("-i", plain[1], "-c", "copy", *(("-movflags", "+faststart") if fast_start else ()), whole)
    cut = tmp_path / "cut.mp4"
    content = whole.read_bytes()
    cut.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(InvalidInputError, match=r"cut\.mp4 .*(damaged|cut short)"):
        concat([clips.source(plain[0]), clips.source(cut)], tmp_path / "video.mp4")
    assert not (tmp_path / "video.mp4").exists()


def test_a_file_without_its_last_packets_is_refused(plain, tmp_path):
    """A file that was cut exactly behind a packet has no damaged packet."""
    whole = tmp_path / "whole.mp4"
    clips.ffmpeg("-i", plain[0], "-an", "-c", "copy", "-movflags", "+faststart", whole)
    content = whole.read_bytes()
    with av.open(str(whole)) as container:
        begins = [packet.pos for packet in container.demux(video=0) if packet.size]
    for begin in begins[1:]:
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(content[:begin])
        with pytest.raises(InvalidInputError, match=r"cut\.mp4 is damaged or cut short"):
            examine(clips.source(cut))
    assert examine(clips.source(whole)).seconds == 1


def test_joining_no_clips_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="no clips"):
        concat([], tmp_path / "video.mp4")


PEAK = """
import json, re, sys
from pathlib import Path
from airflow_provider_veo.media.clip import Source
from airflow_provider_veo.media.concat import concat

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

clips = [Source(name, Path(name)) for name in sys.argv[2:]]
video = Path(sys.argv[1])
joined = concat((clips * 2)[:4], video)
before = peak()
joined = concat(clips * (40 // len(clips)), video)
print(json.dumps([peak() - before, video.stat().st_size, joined.clips, joined.seconds, joined.reencoded]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")
@pytest.mark.parametrize("way", ["copied", "encoded"])
def test_memory_does_not_grow_with_the_video(tmp_path, way):
    """Join forty clips in a separate process, and compare its memory with the memory for four clips.

    Packets that are kept would take 60 MB, frames 160 MB. Two things may grow: FFmpeg's index of the video, by a few
    dozen bytes for each packet, and the encoder's look-ahead of some 40 frames, which four clips do not fill.
    """
    size = (640, 360)
    path = tmp_path / "clip.mp4"
    noise = "nullsrc=s=640x360:r=24:d=0.5,geq=random(1)*255:128:128"
    clips.ffmpeg("-f", "lavfi", "-i", noise, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-g", "6", path)
    sources = [path]
    if way == "encoded":
        sources = [clips.make(tmp_path / f"{rate}.mp4", range(12), rate=rate, size=size) for rate in (24, 25)]
    result = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "video.mp4"), *map(str, sources)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    growth, bytes_written, count, seconds, reencoded = json.loads(result.stdout)
    assert (count, bool(reencoded)) == (40, way == "encoded")
    kept = bytes_written if way == "copied" else seconds * 24 * size[0] * size[1] * 1.5
    assert kept > 60_000_000
    assert growth < 20_000_000
