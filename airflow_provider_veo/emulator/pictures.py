"""Pictures that come with an order."""

from __future__ import annotations

import base64
import io

from PIL import Image, ImageOps

from airflow_provider_veo.emulator.messages import UploadedPicture


def read_upload(content: bytes) -> UploadedPicture:
    """Read a picture's file.

    Raises:
        ValueError: Pillow cannot read it.
    """
    return UploadedPicture(content, *open_picture(content).size)


def picture_at(address: str) -> UploadedPicture:
    """Read a picture from a data URI; any other address is kept as it is.

    Raises:
        ValueError: a data URI that holds no picture.
    """
    if not address.startswith("data:"):
        return UploadedPicture(address)
    return read_upload(base64.b64decode(address.partition(",")[2], validate=True))


def open_picture(content: bytes) -> Image.Image:
    """Return a picture as RGB, the right way up.

    Raises:
        ValueError: Pillow cannot read it.
    """
    try:
        return ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a picture: {error}") from error
