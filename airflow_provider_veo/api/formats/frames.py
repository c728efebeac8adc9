"""Frames, the pictures that a video starts from or ends in: the check of their files, and their form in requests."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.images import read_picture

MAX_FRAME_BYTES = 10 * 1024 * 1024
"""Largest picture that is read and sent, in bytes. It is also the limit in the documentation of several gateways."""

_EXTENSION = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_SAME_SHAPE = 0.02  # relative difference of two aspect ratios that a viewer does not notice


@dataclass(frozen=True)
class Frame:
    """A picture that is ready to be sent.

    Attributes:
        content: Bytes of the file.
        media_type: `image/jpeg`, `image/png` or `image/webp`.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
    """

    content: bytes = field(repr=False)
    media_type: str
    width: int
    height: int

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Frame:
        """Return a frame from a file, whose size and type are read from its content.

        Args:
            content: Bytes of the whole file.
            name: Name of the file's place, for the error message.

        Raises:
            InvalidInputError: The file is empty, larger than 10 MB, cut off or damaged, or not JPEG, PNG or WebP.
        """
        if not content:
            raise InvalidInputError(f"{name} is empty.")
        if len(content) > MAX_FRAME_BYTES:
            raise InvalidInputError(f"{name} is larger than 10 MB, the largest picture that is sent. Scale it down.")
        try:
            picture = read_picture(content)
        except ValueError as error:
            raise InvalidInputError(f"{name} {error}.") from None
        return cls(content, picture.media_type, picture.width, picture.height)

    def filename(self, position: str) -> str:
        """Return a file name for the upload, which does not disclose the picture's own name.

        Args:
            position: Name of the argument, `first_frame` or `last_frame`.
        """
        return f"{position}.{_EXTENSION[self.media_type]}"

    @property
    def url(self) -> str:
        """The picture as a `data:` URI."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


@dataclass(frozen=True)
class FrameUrl:
    """A picture that the server fetches by itself. Only the chat call takes one.

    Attributes:
        url: http(s) address of the picture.
    """

    url: str


def make_shape_warning(frame: Frame | FrameUrl | None, name: str, model: str, size: str | None) -> str | None:
    """Return a warning if a picture has another shape than the video will have, or else None.

    Args:
        frame: The picture. The shape of a picture at an address is not known.
        name: Name of the argument with the picture.
        model: Name of the model.
        size: Size of the video, as `<width>x<height>` in pixels. None if it is not known.
    """
    width, _, height = (size or "").lower().partition("x")
    if not isinstance(frame, Frame) or not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        return None
    if abs(frame.width / frame.height / (int(width) / int(height)) - 1) <= _SAME_SHAPE:
        return None
    return (
        f"{name} is {frame.width}x{frame.height}, and the video of {model!r} will be {size}: the server may crop, "
        "stretch or refuse the picture."
    )
