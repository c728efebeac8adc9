"""Real pictures for tests, and the pictures of a clip."""

from __future__ import annotations

import io
import math
from functools import cache

import av
from PIL import Image, ImageChops, ImageStat


@cache
def picture(kind: str = "PNG", width: int = 72, height: int = 128) -> bytes:
    """Return the file of a picture of a gradient. `kind` is Pillow's name of the format."""
    return picture_of(Image.radial_gradient("L").convert("RGB"), kind, (width, height))


def picture_of(content: str | Image.Image, kind: str = "PNG", size: tuple[int, int] | None = None) -> bytes:
    """Return the file of a picture. `content` is the picture, or the name of a colour that fills it."""
    image = Image.new("RGB", size or (128, 128), content) if isinstance(content, str) else content
    file = io.BytesIO()
    (image.resize(size) if size else image).save(file, kind)
    return file.getvalue()


def ends(clip: bytes) -> tuple[Image.Image, Image.Image]:
    """Return the first and the last picture of a clip."""
    with av.open(io.BytesIO(clip)) as container:
        pictures = list(container.decode(video=0))
    return pictures[0].to_image(), pictures[-1].to_image()


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Return how alike two pictures of one size are, in dB. Above 40 dB they look the same."""
    squares = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).sum2
    error = sum(squares) / (3 * one.width * one.height)
    return 10 * math.log10(255**2 / error) if error else math.inf
