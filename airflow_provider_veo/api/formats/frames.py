"""Still pictures that a video starts from or ends in: what counts as one, and how it travels."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from airflow_provider_veo.api.backends.profiles import CARD
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.images import read_picture

MAX_FRAME_BYTES = 10 * 1024 * 1024
"""Largest picture the seed gateway takes (its documentation: 10 MB each)."""

_EXTENSION = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_SAME_SHAPE = 0.02  # difference of aspect ratios that nobody sees


@dataclass(frozen=True)
class Frame:
    """A picture that is ready to be sent.

    Attributes:
        content: the file's bytes.
        media_type: `image/jpeg`, `image/png` or `image/webp`.
        width: in pixels.
        height: in pixels.
    """

    content: bytes = field(repr=False)
    media_type: str
    width: int
    height: int

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Frame:
        """Check a picture's size and type by its content; names and headers lie.

        Args:
            content: the whole file.
            name: where it came from, for the error message.

        Raises:
            InvalidInputError: empty, larger than 10 MB, cut off, damaged, or not JPEG, PNG or WebP.
        """
        if not content:
            raise InvalidInputError(f"{name} is empty.")
        if len(content) > MAX_FRAME_BYTES:
            raise InvalidInputError(f"{name} is larger than 10 MB, the most that the API takes. Scale it down.")
        try:
            picture = read_picture(content)
        except ValueError as error:
            raise InvalidInputError(f"{name} {error}.") from None
        return cls(content, picture.media_type, picture.width, picture.height)

    def filename(self, position: str) -> str:
        """Return a file name for the upload; the picture's own name is nobody's business."""
        return f"{position}.{_EXTENSION[self.media_type]}"

    @property
    def url(self) -> str:
        """The picture as a `data:` URI."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


@dataclass(frozen=True)
class FrameUrl:
    """A picture that the server fetches by itself. Only the chat call takes one.

    Attributes:
        url: an http(s) address.
    """

    url: str


def shape_warning(frame: Frame | FrameUrl | None, name: str, model: str, size: str | None) -> str | None:
    """Say that a picture has another shape than the video will have, or None.

    Args:
        frame: the picture; of an address nothing is known.
        name: of the argument.
        model: that is ordered; those of the price card have a known size.
        size: `<width>x<height>` that is ordered, or None.
    """
    wanted = size or (CARD[model].size if model in CARD else "")
    width, _, height = wanted.lower().partition("x")
    if not isinstance(frame, Frame) or not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        return None
    if abs(frame.width / frame.height / (int(width) / int(height)) - 1) <= _SAME_SHAPE:
        return None
    return (
        f"{name} is {frame.width}x{frame.height}, and the video of {model!r} will be {wanted}: the server may crop, "
        "stretch or refuse the picture."
    )
