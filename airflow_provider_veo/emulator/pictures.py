"""Pictures in orders."""

from __future__ import annotations

import base64
import io

from PIL import Image, ImageOps

from airflow_provider_veo.emulator.messages import UploadedPicture


def read_upload(content: bytes) -> UploadedPicture:
    """Read the file of a picture.

    Args:
        content: Bytes of the file.

    Raises:
        ValueError: Pillow cannot read it.
    """
    return UploadedPicture(content, *open_picture(content).size)


def read_address(address: str) -> UploadedPicture:
    """Read a picture from a `data:` URI. Any other address is kept as it is.

    Args:
        address: Address in a chat call.

    Raises:
        ValueError: The `data:` URI does not contain a picture.
    """
    if not address.startswith("data:"):
        return UploadedPicture(address)
    return read_upload(base64.b64decode(address.partition(",")[2], validate=True))


def open_picture(content: bytes) -> Image.Image:
    """Return a picture as RGB, with its orientation applied.

    Args:
        content: Bytes of the file.

    Raises:
        ValueError: Pillow cannot read it.
    """
    try:
        return ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a picture: {error}") from error
