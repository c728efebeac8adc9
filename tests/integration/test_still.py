"""Frames of real files, compared with those of ffmpeg."""

from __future__ import annotations

from itertools import accumulate

import pytest
from PIL import Image

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.emulator.render import Scene, render
from airflow_provider_veo.media.clip import examine
from airflow_provider_veo.media.still import Still, extract_frame
from tests.support import clips
from tests.support.pictures import psnr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stills")


@pytest.fixture(scope="module")
def video(folder):
    """Return a video with B-frames and six key frames, whose last frame is not the last one in the file."""
    path = clips.make(folder / "video.mp4", range(71))
    stamps = [pts for pts, _, _ in clips.packets(path, "video")]
    assert stamps[-1] != max(stamps)
    return path


@pytest.fixture
def extract(tmp_path):
    def _extract(path, at, kind="png"):
        picture = tmp_path / f"picture.{kind}"
        still = extract_frame(clips.source(path), picture, kind=kind, at=at)
        with Image.open(picture) as image:
            image.load()
        assert image.size == (still.width, still.height)
        return still, image

    return _extract


def test_the_last_frame_is_the_last_that_is_shown(video, extract):
    still, picture = extract(video, None)
    everything = clips.shown_frames(video)
    assert clips.parse_number(picture) == clips.parse_number(everything[-1]) == 70
    assert psnr(picture, everything[-1]) > 40
    assert still == Still(128, 72, round(70 / 24, 6))


@pytest.mark.parametrize("number", range(0, 71, 5))
def test_each_frame_is_found_by_its_own_time(video, extract, number):
    """The time of a frame as a float is often a little less than the exact time."""
    still, picture = extract(video, number / 24)
    assert (clips.parse_number(picture), still.seconds) == (number, round(number / 24, 6))
    assert extract(video, still.seconds)[0] == still


@pytest.mark.parametrize("number", [0, 11, 12, 13, 24, 69, 70])
def test_a_time_between_two_frames_finds_the_earlier_one(video, extract, number):
    assert clips.parse_number(extract(video, (number + 0.9) / 24)[1]) == number


def test_frames_are_found_in_a_variable_frame_rate(folder, extract):
    steps = [40, 40, 500, 10, 10, 1500, 33, 34, 33, 700, 40]
    times = [0, *accumulate(steps)]
    path = clips.make(folder / "vfr.mp4", range(12), times=times, gop=6)
    for number, time in enumerate(times[:-1]):
        for moment in (time, time + steps[number] - 1):
            still, picture = extract(path, moment / 1000)
            assert (clips.parse_number(picture), still.seconds) == (number, time / 1000)
    assert clips.parse_number(extract(path, None)[1]) == 11


@pytest.mark.parametrize("container_format", ["matroska", "mpegts"])
def test_frames_are_found_in_other_containers(folder, extract, container_format):
    path = clips.make(folder / f"video.{container_format}", range(30), container_format=container_format)
    assert clips.parse_number(extract(path, None)[1]) == 29
    assert clips.parse_number(extract(path, 0.0)[1]) == 0
    assert clips.parse_number(extract(path, 0.52)[1]) == 12


def test_a_wrong_index_does_not_lead_to_another_frame(video, folder, extract):
    """The index calls the last frame a key frame. A decoder that begins there shows another picture, or none."""
    content = bytearray(video.read_bytes())
    table = content.index(b"stss")
    count = int.from_bytes(content[table + 8 : table + 12], "big")
    assert count == 6
    for entry, sample in enumerate((1, 67, 68, 69, 70, 71)):
        content[table + 12 + 4 * entry : table + 16 + 4 * entry] = sample.to_bytes(4, "big")
    path = folder / "astray.mp4"
    path.write_bytes(content)
    assert clips.parse_number(extract(path, None)[1]) == 70
    assert clips.parse_number(extract(path, 2.5)[1]) == 60


def test_few_packets_are_read(video, extract, monkeypatch):
    from airflow_provider_veo.media import still

    read = []
    original = still.Measure.add
    monkeypatch.setattr(still.Measure, "add", lambda self, packet: read.append(packet.size) or original(self, packet))
    extract(video, None)
    assert 0 < len([size for size in read if size]) <= 12
    read.clear()
    extract(video, 2.0)
    assert 0 < len(read) < 48


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_video_gives_the_frame_as_players_show_it(folder, extract, rotation):
    path = clips.make(folder / f"turned{rotation}.mp4", [0b1101], rotation=rotation)
    shown = clips.shown_frames(path)[-1]
    still, picture = extract(path, None)
    assert (still.width, still.height) == shown.size
    assert psnr(picture, shown) > 40


@pytest.fixture(scope="module")
def corner(folder):
    return clips.make(folder / "corner.mp4", range(3), pictures=clips.cornered, sound=None)


@pytest.mark.parametrize("laid", clips.LAID)
def test_a_turned_or_mirrored_video_gives_the_frame_as_players_show_it(corner, folder, extract, laid):
    path = clips.rewritten(folder / "laid.mp4", corner, before=clips.LAID[laid])
    shown = clips.on_screen(path)
    still, picture = extract(path, None)
    assert (still.width, still.height) == shown.size
    assert psnr(picture, shown) > 35


@pytest.mark.parametrize("angle", ["89.5", "-3", "182"])
def test_another_angle_counts_as_the_nearest_right_angle(corner, folder, extract, angle):
    path = clips.rewritten(folder / "angle.mp4", corner, before=["-display_rotation", angle])
    right = clips.rewritten(folder / "right.mp4", corner, before=["-display_rotation", round(float(angle) / 90) * 90])
    assert extract(path, None)[1].tobytes() == extract(right, None)[1].tobytes()


SHAPES = {
    "wide, according to the pictures": ("-c:v", "libx264", "-vf", "scale=96:72,setsar=64/45"),
    "narrow, according to the pictures": ("-c:v", "libx264", "-vf", "setsar=8/9"),
    "wide, according to the file": ("-aspect", "2:1"),
    "narrow, according to the file": ("-aspect", "4:3"),
    "as wide as high, according to the file": ("-aspect", "16:9"),
}


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_frame_has_square_pixels(corner, folder, extract, shape, kind):
    path = clips.rewritten(folder / "shape.mp4", corner, after=SHAPES[shape])
    shown = clips.on_screen(path)
    still, picture = extract(path, None, kind)
    assert (still.width, still.height) == examine(clips.source(path)).size
    assert still.width / still.height == pytest.approx(shown.width / shown.height, rel=0.02)
    assert psnr(picture.resize(shown.size), shown) > 25


def test_the_pixel_shape_of_a_file_overrides_that_of_its_pictures(corner, folder, extract):
    wide = clips.rewritten(folder / "wide.mp4", corner, after=SHAPES["wide, according to the pictures"])
    path = clips.rewritten(folder / "both.mp4", wide, after=("-aspect", "3:1"))
    still, picture = extract(path, None)
    shown = clips.on_screen(path)
    assert (still.width, still.height) == shown.size == (216, 72)
    assert psnr(picture, shown) > 25


@pytest.mark.parametrize("laid", clips.LAID)
def test_a_turned_video_with_wide_pixels_gives_the_frame_as_players_show_it(corner, folder, extract, laid):
    path = clips.rewritten(folder / "both.mp4", corner, before=clips.LAID[laid], after=("-aspect", "3:1"))
    shown = clips.on_screen(path)
    still, picture = extract(path, None)
    assert (still.width, still.height) == shown.size == ((72, 216) if "90" in laid or "270" in laid else (216, 72))
    assert psnr(picture, shown) > 25


def test_an_odd_size_is_kept(folder, extract):
    path = folder / "odd.mp4"
    clips.ffmpeg("-f", "lavfi", "-i", "testsrc=s=65x37:d=0.1", "-pix_fmt", "yuv444p", "-y", path)
    still, _ = extract(path, None)
    assert (still.width, still.height) == (65, 37)


def test_absurdly_wide_pixels_are_refused(corner, folder, extract):
    path = clips.rewritten(folder / "absurd.mp4", corner, after=("-aspect", "500"))
    with pytest.raises(InvalidInputError, match=r"absurd\.mp4 has pictures of \d{5}x72 pixels"):
        extract(path, None)


COLOURS = [(200, 30, 40), (30, 180, 60), (40, 50, 220), (250, 250, 250), (5, 5, 5)]


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_colours_are_kept(folder, extract, matrix, full_range, kind):
    """A wrong matrix or range changes these colours by 10 and more."""
    for colour in COLOURS:
        path = clips.coloured(folder / "colour.mp4", matrix, full_range, colour)
        _, picture = extract(path, None, kind)
        seen = picture.getpixel((32, 32))
        assert max(abs(a - b) for a, b in zip(seen, colour, strict=True)) <= 4, (seen, colour)


def test_extracted_frames_are_accepted_by_the_api(folder, extract, tmp_path):
    path = folder / "scene.mp4"
    render(Scene("a cat", "label", 360, 640, 1), path)
    shown = clips.shown_frames(path)[-1]
    for kind, media_type, likeness in (("png", "image/png", 42), ("jpeg", "image/jpeg", 38)):
        _, picture = extract(path, None, kind)
        assert psnr(picture, shown) > likeness
        assert Frame.from_bytes((tmp_path / f"picture.{kind}").read_bytes(), "p").media_type == media_type


@pytest.mark.parametrize("at", [71 / 24, 3.5, 1e9])
def test_a_time_after_the_end_is_refused(video, extract, at):
    with pytest.raises(InvalidInputError, match=r"video\.mp4 is 2\.958 s long"):
        extract(video, at)


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_a_cut_file_has_no_last_frame(video, folder, extract, keep):
    whole = clips.ffmpeg(
        "-i", video, "-an", "-c", "copy", "-f", "mp4", "-movflags", "+faststart", "-y", folder / "fast.mp4"
    )
    assert whole == b""
    content = (folder / "fast.mp4").read_bytes()
    path = folder / "cut.mp4"
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(InvalidInputError, match=r"cut\.mp4 .*(damaged|cut short)"):
        extract(path, None)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.mp4", b"hello"),
        ("empty.mp4", b""),
        ("playlist.mp4", b"#EXTM3U\n#EXTINF:3,\nvideo.mp4\n#EXT-X-ENDLIST\n"),
        ("list.mp4", b"ffconcat version 1.0\nfile video.mp4\n"),
    ],
)
def test_a_file_that_is_not_a_video_is_refused(video, folder, extract, name, content):
    path = folder / name
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=f"{name} is not a video"):
        extract(path, None)


def test_a_file_with_only_sound_is_refused(folder, extract):
    path = folder / "sound.mp4"
    clips.ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", "-y", path)
    with pytest.raises(InvalidInputError, match="has no picture"):
        extract(path, None)
