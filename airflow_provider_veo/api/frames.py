"""Still pictures that a video starts from or ends in: what counts as one, and how it travels."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_veo.api.errors import InvalidInputError

MAX_FRAME_BYTES = 10 * 1024 * 1024
"""Largest picture the seed gateway takes (its documentation: 10 MB each)."""

_EXTENSION = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


@dataclass(frozen=True)
class Frame:
    """A picture that is ready to be sent.

    Attributes:
        content: the file's bytes.
        media_type: `image/jpeg`, `image/png` or `image/webp`.
    """

    content: bytes = field(repr=False)
    media_type: str

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Frame:
        """Check a picture's size and type by its content; names and headers lie.

        Args:
            content: the whole file.
            name: where it came from, for the error message.

        Raises:
            InvalidInputError: empty, larger than 10 MB, or not JPEG, PNG or WebP.
        """
        if not content:
            raise InvalidInputError(f"Frame {name} is empty.")
        if len(content) > MAX_FRAME_BYTES:
            raise InvalidInputError(
                f"Frame {name} has {len(content) / 2**20:.1f} MB; the API takes at most 10 MB. Scale it down."
            )
        media_type = _sniff(content)
        if media_type is None:
            raise InvalidInputError(f"Frame {name} is not a JPEG, PNG or WebP picture. Convert it to one of these.")
        return cls(content, media_type)

    def filename(self, position: str) -> str:
        """Return a file name for the upload; the picture's own name is nobody's business."""
        return f"{position}.{_EXTENSION[self.media_type]}"


def _sniff(content: bytes) -> str | None:
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None
