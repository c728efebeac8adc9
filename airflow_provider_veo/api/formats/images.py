"""What a picture file is: its type, its size, and whether all of it is there. Read from its bytes; names lie.

Only the frame of each format is looked at (chunks, segments, lengths, checksums); nothing is decoded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """What the bytes say.

    Attributes:
        media_type: `image/jpeg`, `image/png` or `image/webp`.
        width: in pixels.
        height: in pixels.
    """

    media_type: str
    width: int
    height: int


def media_type_of(head: bytes) -> str | None:
    """Return the media type of a picture by its first 12 bytes; None if it is not a JPEG, PNG or WebP picture."""
    if head.startswith(_JPEG):
        return "image/jpeg"
    if head.startswith(_PNG):
        return "image/png"
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def read_picture(content: bytes) -> Picture:
    """Read a JPEG, PNG or WebP file.

    Raises:
        ValueError: it is something else, or damaged or cut off; the message completes the sentence "the file ...".
    """
    try:
        match media_type_of(content):
            case "image/jpeg" as media_type:
                size = _jpeg_size(content)
            case "image/png" as media_type:
                size = _png_size(content)
            case "image/webp" as media_type:
                size = _webp_size(content)
            case _:
                raise ValueError(
                    f"is {_other_kind(content)}not a JPEG, PNG or WebP picture. Convert it to one of these"
                )
    except IndexError:
        raise ValueError("is cut off: a part of the picture is missing") from None
    if not all(size):
        raise ValueError("is a damaged picture: it has no size")
    return Picture(media_type, *size)


def _png_size(content: bytes) -> tuple[int, int]:
    """Walk the chunks to the last one (PNG specification, section 5)."""
    is_headed = content[len(_PNG) + 4 : len(_PNG) + 8] == b"IHDR"
    has_data = sum(name == b"IDAT" for name in _png_chunks(content))  # each chunk is looked at, and none is kept
    if not is_headed or not has_data:
        raise ValueError("is a damaged PNG picture: it has no image data")
    return _big(content, 16, 4), _big(content, 20, 4)


def _png_chunks(content: bytes) -> Iterator[bytes]:
    position = len(_PNG)
    name = b""
    while name != b"IEND":
        length = _big(content, position, 4)
        end = position + 12 + length
        name = content[position + 4 : position + 8]
        checksum = _big(content, end - 4, 4)
        if zlib.crc32(memoryview(content)[position + 4 : end - 4]) != checksum:
            raise ValueError("is a damaged PNG picture: a checksum does not match")
        yield name
        position = end


_JPEG_ALONE = (0x01, *range(0xD0, 0xD8))  # markers without a segment
_JPEG_START_OF_FRAME = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_JPEG_START_OF_SCAN = 0xDA
_JPEG_END = b"\xff\xd9"


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Walk the segments to the first scan, then look for the end of the image (ITU-T T.81, annex B)."""
    position, size = 2, (0, 0)
    while True:
        marker = content[position + 1]
        if content[position] != 0xFF:
            raise ValueError("is a damaged JPEG picture")
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker in _JPEG_ALONE:
            position += 2
            continue
        length = _big(content, position + 2, 2)
        if length < 2:
            raise ValueError("is a damaged JPEG picture")
        if marker in _JPEG_START_OF_FRAME:
            size = _big(content, position + 7, 2), _big(content, position + 5, 2)
        position += 2 + length
        if marker == _JPEG_START_OF_SCAN:
            # in the scan's own data 0xFF is always followed by 0x00 or a restart marker
            if content.find(_JPEG_END, position) < 0:
                raise IndexError
            return size


def _webp_size(content: bytes) -> tuple[int, int]:
    """Read the first chunk (RFC 9649)."""
    if len(content) < 8 + _little(content, 4, 4):
        raise IndexError
    kind = content[12:16]
    if kind == b"VP8X":
        return _little(content, 24, 3) + 1, _little(content, 27, 3) + 1
    if kind == b"VP8L":
        bits = _little(content, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _little(content, 26, 2) & 0x3FFF, _little(content, 28, 2) & 0x3FFF
    raise ValueError("is a damaged WebP picture")


_OTHER_KINDS = (
    (b"GIF8", "a GIF, "),
    (b"BM", "a BMP, "),
    (b"%PDF", "a PDF, "),
    (b"II*\0", "a TIFF, "),
    (b"MM\0*", "a TIFF, "),
)


def _other_kind(content: bytes) -> str:
    """Name what is there instead, for the message; nothing where that is unknown."""
    for start, kind in _OTHER_KINDS:
        if content.startswith(start):
            return kind
    if content[4:8] == b"ftyp":
        return "an AVIF or HEIC picture or a video, "
    text = content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text:
        return "an SVG, "
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page, "
    return ""


def _big(content: bytes, position: int, count: int) -> int:
    return int.from_bytes(_part(content, position, count), "big")


def _little(content: bytes, position: int, count: int) -> int:
    return int.from_bytes(_part(content, position, count), "little")


def _part(content: bytes, position: int, count: int) -> bytes:
    part = content[position : position + count]
    if len(part) < count:
        raise IndexError
    return part
