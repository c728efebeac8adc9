"""Real pictures for tests."""

from __future__ import annotations

import io
from functools import cache

from PIL import Image


@cache
def picture(kind: str = "PNG", width: int = 72, height: int = 128, **options: object) -> bytes:
    """Return the file of a colour gradient; `kind` is Pillow's name of the format."""
    image = Image.radial_gradient("L").resize((width, height)).convert("RGB")
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
