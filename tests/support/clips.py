"""Small videos whose frames can be told apart, and an ffmpeg that judges what was made of them."""

from __future__ import annotations

import math
import re
import subprocess
from array import array
from fractions import Fraction

import av
import imageio_ffmpeg
from av.filter import Graph
from PIL import Image, ImageDraw

from airflow_provider_veo.media.clip import Source

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
BITS = 8
BEEP = 0.25
"""Seconds from the start of a clip to its beep, which lasts until 0.35 s; the rest is quiet."""


def source(path):
    return Source(path.name, path)


def numbered(number, size=(128, 72)):
    """Return a picture of bars, white and black, that spell a number of eight bits."""
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    bar = size[0] / BITS
    for bit in range(BITS):
        if number >> bit & 1:
            draw.rectangle((round(bit * bar), 0, round((bit + 1) * bar) - 1, size[1]), fill="white")
    return picture


def number_of(picture, box=None):
    """Read the number of a picture; `box` says where the bars are, if they do not fill it."""
    left, top, right, bottom = box or (0, 0, *picture.size)
    bar = (right - left) / BITS
    middle = (top + bottom) // 2
    gray = picture.convert("L")
    return sum((gray.getpixel((int(left + (bit + 0.5) * bar), middle)) > 127) << bit for bit in range(BITS))


def make(
    path,
    numbers=range(24),
    *,
    rate=24,
    size=(128, 72),
    b_frames=3,
    gop=12,
    sound="mono",
    sample_rate=44_100,
    sound_seconds=None,
    times=None,
    rotation=0,
    container_format="mp4",
    pictures=numbered,
):
    """Write a clip: H.264 with B-frames and AAC with a beep.

    Args:
        path: where.
        numbers: of the frames.
        times: of the frames, in milliseconds, for a variable frame rate.
        sound: `mono`, `stereo` or None.
        sound_seconds: how long it is, if not as long as the pictures.
    """
    numbers = list(numbers)
    with av.open(str(path), "w", format=container_format) as container:
        video = container.add_stream("libx264", rate=rate)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
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
        if audio:
            seconds = sound_seconds or (times[-1] / 1000 if times else len(numbers) / rate)
            for frame in beep(round(seconds * sample_rate), sample_rate, sound):
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def beep(total, rate, layout):
    for start in range(0, total, 1024):
        count = min(1024, total - start)
        samples = array("f", (_sample((start + n) / rate) for n in range(count)))
        frame = av.AudioFrame(format="fltp", layout=layout, samples=count)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        for plane in frame.planes:
            plane.update(samples.tobytes().ljust(plane.buffer_size, b"\0"))
        yield frame


def _sample(moment):
    return 0.8 * math.sin(2 * math.pi * 1000 * moment) if BEEP <= moment < BEEP + 0.1 else 0.0


def ffmpeg(*arguments):
    """Run ffmpeg; return what it writes. A warning is an error."""
    command = [FFMPEG, "-v", "warning", "-nostdin", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert (result.returncode, result.stderr.decode()) == (0, "")
    return result.stdout


def check(path):
    """Decode all of a file without a warning."""
    # the frames' own times: ffmpeg would round those of a variable frame rate, and warn of what it did
    ffmpeg("-i", path, "-enc_time_base:v", "demux", "-f", "null", "-")


def shown_frames(path):
    """Return all frames as ffmpeg shows them, turned as the file says."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        size = (frame.width, frame.height) if frame.rotation % 180 == 0 else (frame.height, frame.width)
    raw = ffmpeg("-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    length = size[0] * size[1] * 3
    assert len(raw) % length == 0
    return [Image.frombytes("RGB", size, raw[start : start + length]) for start in range(0, len(raw), length)]


def cornered(number, size=(128, 72)):
    """Return a picture that looks different in each of the eight ways to lay it."""
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


def rewritten(path, source, *, before=(), after=()):
    """Copy the packets of a film with options of ffmpeg for its input and output: another way to show it."""
    # ffmpeg warns of a shape that differs from that of the packets
    ffmpeg("-v", "error", *before, "-i", source, "-c", "copy", *after, "-y", path)
    return path


def on_screen(path, number=0):
    """Return a picture as ffmpeg plays it, in square pixels."""
    picture = path.with_suffix(".seen.png")
    shape = f"select=eq(n\\,{number}),scale=ceil(iw*max(1\\,sar)/2)*2:ceil(ih*max(1\\,1/sar)/2)*2,setsar=1"
    ffmpeg("-i", path, "-vf", shape, "-frames:v", "1", "-update", "1", "-y", picture)
    with Image.open(picture) as image:
        return image.convert("RGB")


def numbers_in(path):
    return [number_of(picture) for picture in shown_frames(path)]


def picture_times(path):
    """Return when each picture comes on screen, in seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def beeps_in(path, *, by_time_stamps):
    """Return when the beeps begin, in seconds: by the file's time stamps, or by the number of samples alone."""
    rate = 8000
    arguments = ["-af", "aresample=async=1:min_hard_comp=0.001:first_pts=0"] if by_time_stamps else []
    raw = ffmpeg("-i", path, "-map", "0:a:0", *arguments, "-ac", "1", "-ar", rate, "-f", "s16le", "-")
    samples = array("h", raw)
    found, quiet_since = [], -rate
    for position, sample in enumerate(samples):
        if abs(sample) > 3000:
            if position - quiet_since > rate // 10:
                found.append(position / rate)
            quiet_since = position
    return found


def duration(path):
    """Return the length that the file's head announces, in seconds."""
    text = subprocess.run([FFMPEG, "-i", str(path)], capture_output=True, text=True, check=False, timeout=60).stderr
    hours, minutes, seconds = re.search(r"Duration: (\d+):(\d+):([\d.]+)", text).groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def packets(path, kind):
    with av.open(str(path)) as container:
        return [(packet.pts, packet.dts, packet.duration) for packet in container.demux(**{kind: 0}) if packet.size]


def coloured(path, matrix, full_range, colour):
    """Write a film of one colour, with its matrix and range in its head. `matrix` is `bt709` or `bt601`."""
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        video.options = {"crf": "1"}
        context = video.codec_context
        context.colorspace = 1 if matrix == "bt709" else 6
        context.color_range = 2 if full_range else 1
        graph = Graph()
        last = graph.add_buffer(width=64, height=64, format="rgb24", time_base=Fraction(1, 24))
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
