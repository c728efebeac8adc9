"""Small videos whose frames show numbers, and an ffmpeg that checks the videos made of them."""

from __future__ import annotations

import math
import re
import subprocess
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
from av.filter import Graph
from PIL import Image, ImageDraw

from airflow_provider_veo.media.clip import Source

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
BITS = 8
Size = tuple[int, int]

BEEP = 0.25
"""Seconds from the start of a clip to its beep, which lasts until 0.35 s. The rest is quiet."""


def source(path: Path) -> Source:
    """Return a file as the functions of `media` take it."""
    return Source(path.name, path)


def numbered(number: int, size: Size = (128, 72)) -> Image.Image:
    """Return a picture of eight bars, white for 1 and black for 0: the bits of a number."""
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    bar = size[0] / BITS
    for bit in range(BITS):
        if number >> bit & 1:
            draw.rectangle((round(bit * bar), 0, round((bit + 1) * bar) - 1, size[1]), fill="white")
    return picture


def parse_number(picture: Image.Image, box: tuple[int, int, int, int] | None = None) -> int:
    """Read the number of a picture. `box` is the place of the bars, if they do not fill the picture."""
    left, top, right, bottom = box or (0, 0, *picture.size)
    bar = (right - left) / BITS
    middle = (top + bottom) // 2
    gray: Any = picture.convert("L").load()
    return sum((gray[int(left + (bit + 0.5) * bar), middle] > 127) << bit for bit in range(BITS))


def make(
    path: Path,
    numbers: Iterable[int] = range(24),
    *,
    rate: int = 24,
    size: Size = (128, 72),
    b_frames: int = 3,
    gop: int = 12,
    sound: str | None = "mono",
    sample_rate: int = 44_100,
    sound_seconds: float | None = None,
    times: Sequence[int] | None = None,
    rotation: int = 0,
    container_format: str = "mp4",
    pictures: Callable[[int, Size], Image.Image] = numbered,
) -> Path:
    """Write a clip: H.264 with B-frames and AAC with a beep.

    Args:
        path: File to write.
        numbers: Numbers that the frames show.
        rate: Frames per second.
        size: Width and height in pixels.
        b_frames: Highest number of B-frames in a row.
        gop: Frames from one key frame to the next.
        sound: `mono`, `stereo` or None.
        sample_rate: Samples of the sound per second.
        sound_seconds: Length of the sound, if it differs from that of the pictures.
        times: Times of the frames in milliseconds, for a variable frame rate.
        rotation: Angle by which a player turns the pictures.
        container_format: Format of the file, as FFmpeg names it.
        pictures: Makes the picture of a number.

    Returns:
        The path.
    """
    numbers = list(numbers)
    with av.open(str(path), "w", format=container_format) as container:
        video = container.add_stream("libx264", rate=rate)
        (video.width, video.height), video.pix_fmt = size, "yuv420p"
        video.options = {
            "bf": str(b_frames),
            "b-adapt": "0",
            "g": str(gop),
            "sc_threshold": "0",
            "threads": "1",
            "crf": "15",
        }
        if times:
            video.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            video.set_display_rotation(rotation)
        audio = container.add_stream("aac", rate=sample_rate, layout=sound) if sound else None
        for position, number in enumerate(numbers):
            frame = av.VideoFrame.from_image(pictures(number, size))
            if times:
                frame.pts, frame.time_base = times[position], Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio and sound:
            seconds = sound_seconds or (times[-1] / 1000 if times else len(numbers) / rate)
            for frame in beep(round(seconds * sample_rate), sample_rate, sound):
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def beep(total: int, rate: int, layout: str) -> Iterator[av.AudioFrame]:
    """Yield the frames of a sound with a beep. `total` is the number of samples, `rate` their number per second."""
    for start in range(0, total, 1024):
        count = min(1024, total - start)
        samples = array("f", (_sample((start + n) / rate) for n in range(count)))
        frame = av.AudioFrame(format="fltp", layout=layout, samples=count)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        for plane in frame.planes:
            plane.update(samples.tobytes().ljust(plane.buffer_size, b"\0"))
        yield frame


def _sample(moment: float) -> float:
    return 0.8 * math.sin(2 * math.pi * 1000 * moment) if BEEP <= moment < BEEP + 0.1 else 0.0


def ffmpeg(*arguments: Any) -> bytes:
    """Run ffmpeg, and return its output. A warning is an error."""
    command = [FFMPEG, "-v", "warning", "-nostdin", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert (result.returncode, result.stderr.decode()) == (0, "")
    return result.stdout


def check(path: Path) -> None:
    """Decode all of a file without a warning."""
    # demux keeps the frames' own times: else ffmpeg rounds those of a variable frame rate, with a warning
    ffmpeg("-i", path, "-enc_time_base:v", "demux", "-f", "null", "-")


def shown_frames(path: Path) -> list[Image.Image]:
    """Return all frames as ffmpeg shows them, turned as the file says."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        size = (frame.width, frame.height) if frame.rotation % 180 == 0 else (frame.height, frame.width)
    raw = ffmpeg("-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    length = size[0] * size[1] * 3
    assert len(raw) % length == 0
    return [Image.frombytes("RGB", size, raw[start : start + length]) for start in range(0, len(raw), length)]


def cornered(number: int, size: Size = (128, 72)) -> Image.Image:
    """Return a picture that looks different in each of its eight orientations."""
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, size[0] // 3, size[1] // 4), fill="white")
    draw.rectangle((0, size[1] // 2, size[0] // 6, size[1]), fill="gray")
    return picture


LAID = {
    f"turned by {angle}{', mirrored' * mirrored}": ["-display_rotation", angle, *["-display_hflip"] * mirrored]
    for angle in (0, 90, 180, 270)
    for mirrored in (False, True)
}


def rewritten(path: Path, source: Path, *, before: Sequence[Any] = (), after: Sequence[Any] = ()) -> Path:
    """Copy the packets of a video with options of ffmpeg that change how a player shows it.

    Args:
        path: File to write.
        source: File to copy.
        before: Options for the input.
        after: Options for the output.

    Returns:
        The path.
    """
    # ffmpeg warns if the shape differs from that of the packets
    ffmpeg("-v", "error", *before, "-i", source, "-c", "copy", *after, "-y", path)
    return path


def on_screen(path: Path, number: int = 0) -> Image.Image:
    """Return a picture as ffmpeg plays it, in square pixels."""
    picture = path.with_suffix(".seen.png")
    shape = f"select=eq(n\\,{number}),scale=ceil(iw*max(1\\,sar)/2)*2:ceil(ih*max(1\\,1/sar)/2)*2,setsar=1"
    ffmpeg("-i", path, "-vf", shape, "-frames:v", "1", "-update", "1", "-y", picture)
    with Image.open(picture) as image:
        shown: Image.Image = image.convert("RGB")
        return shown


def numbers_in(path: Path) -> list[int]:
    """Return the numbers that the frames of a video show."""
    return [parse_number(picture) for picture in shown_frames(path)]


def picture_times(path: Path) -> list[Fraction]:
    """Return the time at which each picture appears on screen, in seconds."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [(frame.pts or 0) * (frame.time_base or Fraction(1)) for frame in frames]


def beeps_in(path: Path, *, by_time_stamps: bool) -> list[float]:
    """Return the times at which beeps begin, in seconds: by the time stamps of the file, or by counting samples."""
    rate = 8000
    arguments = ["-af", "aresample=async=1:min_hard_comp=0.001:first_pts=0"] if by_time_stamps else []
    raw = ffmpeg("-i", path, "-map", "0:a:0", *arguments, "-ac", "1", "-ar", rate, "-f", "s16le", "-")
    samples = array("h", raw)
    found: list[float] = []
    quiet_since = -rate
    for position, sample in enumerate(samples):
        if abs(sample) > 3000:
            if position - quiet_since > rate // 10:
                found.append(position / rate)
            quiet_since = position
    return found


def duration(path: Path) -> float:
    """Return the length that the head of a file names, in seconds."""
    text = subprocess.run([FFMPEG, "-i", str(path)], capture_output=True, text=True, check=False, timeout=60).stderr
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", text)
    assert found, text
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def packets(path: Path, kind: str) -> list[tuple[int | None, int | None, int | None]]:
    """Return pts, dts and duration of the packets of the first stream of a kind: `video` or `audio`."""
    with av.open(str(path)) as container:
        return [(packet.pts, packet.dts, packet.duration) for packet in container.demux(**{kind: 0}) if packet.size]


def coloured(path: Path, matrix: str, full_range: bool, colour: Any) -> Path:
    """Write a video of one colour that names its matrix, `bt709` or `bt601`, and its range. Return the path."""
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        video.options = {"crf": "1"}
        context = video.codec_context
        context.colorspace = 1 if matrix == "bt709" else 6
        context.color_range = 2 if full_range else 1
        graph = Graph()
        last = graph.add_buffer(width=64, height=64, format=av.VideoFormat("rgb24"), time_base=Fraction(1, 24))
        wanted = f"out_color_matrix={matrix}:out_range={'full' if full_range else 'limited'}:flags=accurate_rnd"
        for name, arguments in (("scale", wanted), ("format", "yuv420p"), ("buffersink", "")):
            following = graph.add(name, arguments)
            last.link_to(following)
            last = following
        graph.configure()
        for number in range(3):
            frame = av.VideoFrame.from_image(Image.new("RGB", (64, 64), colour))
            frame.pts, frame.time_base = number, Fraction(1, 24)
            graph.push(frame)
            container.mux(video.encode(graph.pull()))
        container.mux(video.encode(None))
    return path
