"""Small files that decode to gigabytes: such videos are refused before or while they are decoded."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import pytest

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.media import limits
from airflow_provider_veo.media.clip import Source, examine
from airflow_provider_veo.media.concat import concat
from airflow_provider_veo.media.still import extract_frame
from tests.support import clips
from tests.support.memory_growth import measure_memory_growth

MOST_MB = 64
PREPARE = """
from pathlib import Path
from airflow_provider_veo.media.clip import Source
from airflow_provider_veo.media.concat import concat
from airflow_provider_veo.media.still import extract_frame

source, out = Source("video", Path({path!r})), Path({path!r} + ".out")
"""
WORK = {
    "extract the last frame": "extract_frame(source, out, kind='png', at=None)",
    "extract the first frame": "extract_frame(source, out, kind='png', at=0.0)",
    "join": "concat([source, source], out)",
}


def png(width, height):
    """Return a black picture; one of 144 million pixels has 140 kB."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def video_of(path, said, *pictures):
    """Write a video of PNG pictures, with a size in its header that may differ from theirs."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("png", rate=24)
        stream.width, stream.height, stream.pix_fmt = *said, "gray"
        for number, picture in enumerate(pictures):
            packet = av.Packet(picture)
            packet.stream, packet.time_base = stream, Fraction(1, 24)
            packet.pts = packet.dts = number
            packet.duration, packet.is_keyframe = 1, True
            output.mux(packet)
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    huge, small = png(12_000, 12_000), png(64, 64)
    return {
        "a large video": video_of(folder / "large.mov", (12_000, 12_000), huge),
        "a video that becomes large": video_of(folder / "grows.mov", (64, 64), small, huge),
        "a video of many samples": of_many_samples(clips.make(folder / "many.mp4", range(4)), 20_000_000),
    }


def of_many_samples(path, count):
    """Change the tables of a video so that they name many samples of one byte."""
    content = bytearray(path.read_bytes())
    for kind, at, number in ((b"stsz", 8, 1), (b"stsz", 12, count), (b"stsc", 16, count)):
        start = content.index(kind) + at
        content[start : start + 4] = struct.pack(">I", number)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("name", ["a large video", "a video that becomes large", "a video of many samples"])
def test_a_video_that_is_too_large_is_refused_in_little_memory(videos, name, work):
    said, growth = measure_memory_growth(PREPARE.format(path=str(videos[name])), WORK[work])
    assert said.startswith("InvalidInputError: video ")
    assert "too large" in said or "has 20,000,0" in said
    assert growth < MOST_MB


@pytest.fixture
def small_limit(monkeypatch):
    """Set the largest picture to 20,000 pixels."""
    monkeypatch.setattr(limits, "MOST_PIXELS", 20_000)
    monkeypatch.setattr(limits, "DECODER_OPTIONS", {"max_pixels": "20000"})


def joined(folder, *paths):
    path = folder / "joined.ts"
    path.write_bytes(b"".join(path.read_bytes() for path in paths))
    return path


def test_a_header_with_too_large_pictures_is_refused(small_limit, tmp_path):
    path = clips.make(tmp_path / "video.mp4", range(4), size=(256, 144))
    for work in (extract, join):
        with pytest.raises(InvalidInputError, match=r"^video\.mp4 has pictures of 256x144 pixels\. At most 20,000"):
            work(path)


def extract(path):
    return extract_frame(clips.source(path), path.with_suffix(".png"), kind="png", at=None)


def join(*paths):
    return concat([clips.source(path) for path in paths], paths[0].with_suffix(".out.mp4"))


def test_a_video_whose_pictures_become_too_large_is_refused(small_limit, tmp_path):
    parts = [
        clips.make(tmp_path / f"{width}.ts", range(24), size=(width, 72), sound=None, container_format="mpegts")
        for width in (128, 512)
    ]
    video = joined(tmp_path, *parts)
    first = extract_frame(clips.source(video), tmp_path / "a.png", kind="png", at=0.0)
    assert (first.width, first.height) == (128, 72)
    for work in (extract, join):
        with pytest.raises(InvalidInputError, match=r"joined\.ts (has pictures of 512x72 pixels|is damaged)"):
            work(video)


def test_wide_pixels_count_for_the_size_of_a_picture(tmp_path):
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 2048, 72, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16)
        output.mux(stream.encode(av.VideoFrame.from_image(clips.numbered(1, (2048, 72)))))
        output.mux(stream.encode(None))
    with pytest.raises(InvalidInputError, match=r"wide\.mp4 has pictures of 32768x72 pixels"):
        examine(clips.source(path))


def test_a_clip_of_weeks_is_refused(tmp_path):
    path = clips.make(
        tmp_path / "video.mkv", [1, 2], times=[0, 10**9, 10**9 + 40], sound=None, container_format="matroska"
    )
    with pytest.raises(InvalidInputError, match=r"video\.mkv is 10\d+ s long by its time stamps"):
        examine(clips.source(path))


def test_the_samples_of_fragments_are_counted(tmp_path):
    path = clips.make(tmp_path / "video.mp4", range(24))
    clips.ffmpeg("-i", path, "-c", "copy", "-movflags", "frag_keyframe+empty_moov", tmp_path / "fragments.mp4")
    content = bytearray((tmp_path / "fragments.mp4").read_bytes())
    assert examine(Source("video", tmp_path / "fragments.mp4")).seconds == 1
    start = content.index(b"trun") + 8
    content[start : start + 4] = struct.pack(">I", 2_000_001)
    (tmp_path / "fragments.mp4").write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"2,000,\d+ pictures and packets of sound"):
        examine(Source("video", tmp_path / "fragments.mp4"))


def test_a_video_at_the_limit_is_accepted(monkeypatch, tmp_path):
    path = clips.make(tmp_path / "video.mp4", range(4))
    monkeypatch.setattr(limits, "MOST_PIXELS", 128 * 72)
    extract(path)
    assert Path(path.with_suffix(".png")).exists()
