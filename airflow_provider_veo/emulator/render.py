"""Real videos: H.264 and AAC in an MP4 file that shows the prompt, moves and sounds."""

from __future__ import annotations

import hashlib
import math
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageDraw

from airflow_provider_veo.emulator.text import draw_lines, drawable, wrap

FRAME_RATE = 24
SAMPLE_RATE = 44_100
_SAMPLES = 1024  # of an AAC frame
_VOLUME = 0.3
_MARGIN = 56
_TEXT_SIZE = 44


@dataclass(frozen=True)
class Scene:
    """What a video shows. Equal scenes are equal files.

    Attributes:
        prompt: drawn on the picture.
        label: a line below it.
        width: in pixels.
        height: in pixels.
        seconds: length.
    """

    prompt: str
    label: str
    width: int
    height: int
    seconds: int

    @property
    def key(self) -> str:
        """A name for the file."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]


def render(scene: Scene, path: Path) -> None:
    """Write the video file; it appears at `path` when it is complete."""
    part = path.with_suffix(".part")
    with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FRAME_RATE)
        video.width, video.height, video.pix_fmt = scene.width, scene.height, "yuv420p"
        video.options = {"preset": "ultrafast", "crf": "28"}
        audio = container.add_stream("aac", rate=SAMPLE_RATE)
        audio.layout = "mono"
        for picture in _pictures(scene):
            container.mux(video.encode(av.VideoFrame.from_image(picture)))
        container.mux(video.encode(None))
        for sound in _sounds(scene):
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    os.replace(part, path)  # noqa: PTH105 - says "atomically" more clearly


def _pictures(scene: Scene) -> Iterator[Image.Image]:
    background = _background(scene)
    total = scene.seconds * FRAME_RATE
    radius = scene.width // 14
    for number in range(total):
        share = number / max(1, total - 1)
        picture = background.copy()
        draw = ImageDraw.Draw(picture)
        x = _MARGIN + radius + share * (scene.width - 2 * (_MARGIN + radius))
        y = scene.height * 0.72 - abs(math.sin(share * math.pi * scene.seconds)) * scene.height * 0.12
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 209, 102))
        bar = scene.height - _MARGIN
        draw.rectangle((_MARGIN, bar, scene.width - _MARGIN, bar + 8), fill=(0, 0, 0))
        draw.rectangle((_MARGIN, bar, _MARGIN + share * (scene.width - 2 * _MARGIN), bar + 8), fill=(255, 255, 255))
        yield picture


def _background(scene: Scene) -> Image.Image:
    red, green, blue = hashlib.sha256(scene.prompt.encode(errors="replace")).digest()[:3]
    top, bottom = (red // 3, green // 3, blue // 3), (red // 2 + 40, green // 2 + 40, blue // 2 + 40)
    gradient = Image.new("RGB", (1, 2))
    gradient.putpixel((0, 0), top)
    gradient.putpixel((0, 1), bottom)
    picture = gradient.resize((scene.width, scene.height), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    text, font = drawable(scene.prompt, _TEXT_SIZE)
    lines = wrap(text, font, scene.width - 2 * _MARGIN)
    draw_lines(draw, lines, font, (_MARGIN, _MARGIN, scene.width - _MARGIN, int(scene.height * 0.5)))
    label, small = drawable(scene.label, _TEXT_SIZE // 2)
    label_top = scene.height - 2 * _MARGIN
    draw_lines(draw, [label], small, (_MARGIN, label_top, scene.width - _MARGIN, label_top + _TEXT_SIZE))
    return picture


def _sounds(scene: Scene) -> Iterator[av.AudioFrame]:
    """Yield a tone that swells and fades once a second; its pitch belongs to the prompt."""
    pitch = 220 + hashlib.sha256(scene.prompt.encode(errors="replace")).digest()[3]
    total = scene.seconds * SAMPLE_RATE
    for start in range(0, total, _SAMPLES):
        count = min(_SAMPLES, total - start)
        samples = array("f", (_sample(position / SAMPLE_RATE, pitch) for position in range(start, start + count)))
        frame = av.AudioFrame(format="fltp", layout="mono", samples=count)
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        plane = frame.planes[0]
        plane.update(samples.tobytes().ljust(plane.buffer_size, b"\0"))
        yield frame


def _sample(moment: float, pitch: float) -> float:
    return _VOLUME * math.sin(2 * math.pi * pitch * moment) * math.sin(math.pi * (moment % 1.0))
