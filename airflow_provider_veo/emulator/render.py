"""Render real videos, H.264 and AAC in MP4 files, with the prompt, a moving ball and a tone."""

from __future__ import annotations

import hashlib
import math
import os
import uuid
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageOps

from airflow_provider_veo.emulator.messages import FrameData
from airflow_provider_veo.emulator.pictures import open_picture
from airflow_provider_veo.emulator.text import draw_lines, select_drawable, wrap

FRAME_RATE = 24
SAMPLE_RATE = 44_100
_SAMPLES = 1024  # of an AAC frame
_VOLUME = 0.3
_SHORT_SIDE = 720  # pixels of the picture that margin and text sizes are meant for
_MARGIN = 56
_TEXT_SIZE = 44
_FADE = 8  # pictures between a frame of the order and the scene
_FRAME_QUALITY = 12  # quantizer of frames of the order: 46 dB (measured); other pictures have about 28


@dataclass(frozen=True)
class Scene:
    """The content of a video. Equal scenes make equal files.

    Attributes:
        prompt: Text on the picture.
        label: Line at the bottom.
        take: Number of the take, from 0. Each take has its own colour.
        width: Width in pixels, an even number.
        height: Height in pixels, an even number.
        seconds: Length of the video in seconds.
        first_frame: Picture at the beginning.
        last_frame: Picture at the end.
    """

    prompt: str
    label: str
    width: int
    height: int
    seconds: int
    first_frame: FrameData | None = field(default=None, repr=False)
    last_frame: FrameData | None = field(default=None, repr=False)
    take: int = 0

    @property
    def key(self) -> str:
        """Name of the file."""
        frames = [hashlib.sha256(repr(frame).encode()).hexdigest() for frame in (self.first_frame, self.last_frame)]
        return hashlib.sha256(f"{self!r} {frames}".encode()).hexdigest()[:32]

    @property
    def pictures(self) -> int:
        """Number of pictures in the video."""
        return self.seconds * FRAME_RATE

    @property
    def scale(self) -> float:
        """Scale of margins and letters; 1 for a video of 720 pixels."""
        return min(self.width, self.height) / _SHORT_SIDE


def render(scene: Scene, path: Path) -> None:
    """Write a video file, which appears at `path` when it is complete."""
    part = path.with_suffix(f".{uuid.uuid4()}.part")
    with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FRAME_RATE)
        video.width, video.height, video.pix_fmt = scene.width, scene.height, "yuv420p"
        video.options = {"preset": "ultrafast", "crf": "28"} | _zones(scene)
        audio = container.add_stream("aac", rate=SAMPLE_RATE)
        audio.layout = "mono"
        for picture in _between_frames(scene, _pictures(scene)):
            container.mux(video.encode(av.VideoFrame.from_image(picture)))
        container.mux(video.encode(None))
        for sound in _sounds(scene):
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    os.replace(part, path)  # noqa: PTH105 - the known way to replace a file atomically


def _zones(scene: Scene) -> dict[str, str]:
    """Return the options that give the frames of the order a higher quality."""
    numbers = [0] * (scene.first_frame is not None) + [scene.pictures - 1] * (scene.last_frame is not None)
    zones = "/".join(f"{number},{number},q={_FRAME_QUALITY}" for number in numbers)
    return {"x264-params": f"zones={zones}"} if zones else {}


def _between_frames(scene: Scene, pictures: Iterator[Image.Image]) -> Iterator[Image.Image]:
    """Fade from the first frame into a scene, and from there into the last frame."""
    first, last = (frame and _still(frame, scene) for frame in (scene.first_frame, scene.last_frame))
    for number, picture in enumerate(pictures):
        left = scene.pictures - 1 - number
        if first and number < _FADE:
            picture = Image.blend(first, picture, number / _FADE)  # noqa: PLW2901
        if last and left < _FADE:
            picture = Image.blend(last, picture, left / _FADE)  # noqa: PLW2901
        yield picture


def _still(frame: FrameData, scene: Scene) -> Image.Image:
    """Return a frame as a picture of the video's size. For a frame at an address, the address is drawn."""
    if isinstance(frame, str):
        return _background(replace(scene, prompt=frame))
    return ImageOps.fit(open_picture(frame), (scene.width, scene.height))


def _pictures(scene: Scene) -> Iterator[Image.Image]:
    background = _background(scene)
    total = scene.pictures
    radius = scene.width // 14
    margin, thickness = _MARGIN * scene.scale, 8 * scene.scale
    for number in range(total):
        share = number / max(1, total - 1)
        picture = background.copy()
        draw = ImageDraw.Draw(picture)
        x = margin + radius + share * (scene.width - 2 * (margin + radius))
        y = scene.height * 0.72 - abs(math.sin(share * math.pi * scene.seconds)) * scene.height * 0.12
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 209, 102))
        bar = scene.height - margin
        draw.rectangle((margin, bar, scene.width - margin, bar + thickness), fill=(0, 0, 0))
        draw.rectangle((margin, bar, margin + share * (scene.width - 2 * margin), bar + thickness), fill="white")
        yield picture


def _background(scene: Scene) -> Image.Image:
    red, green, blue = hashlib.sha256(scene.prompt.encode(errors="replace")).digest()[3 * scene.take :][:3]
    top, bottom = (red // 3, green // 3, blue // 3), (red // 2 + 40, green // 2 + 40, blue // 2 + 40)
    gradient = Image.new("RGB", (1, 2))
    gradient.putpixel((0, 0), top)
    gradient.putpixel((0, 1), bottom)
    picture = gradient.resize((scene.width, scene.height), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    margin, size = int(_MARGIN * scene.scale), max(6, int(_TEXT_SIZE * scene.scale))
    text, font = select_drawable(scene.prompt, size)
    lines = wrap(text, font, scene.width - 2 * margin)
    draw_lines(draw, lines, font, (margin, margin, scene.width - margin, int(scene.height * 0.5)))
    label, small = select_drawable(scene.label, size // 2)
    label_top = scene.height - 2 * margin
    draw_lines(draw, [label], small, (margin, label_top, scene.width - margin, label_top + size))
    return picture


def _sounds(scene: Scene) -> Iterator[av.AudioFrame]:
    """Yield a tone that rises and falls once a second. The prompt decides its pitch."""
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
