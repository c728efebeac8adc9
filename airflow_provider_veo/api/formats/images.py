"""Read type, size and completeness of a picture from its bytes. The name of a file proves nothing.

Only the structure of each format is read (chunks, segments, lengths, checksums). Nothing is decoded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """The properties of a picture.

    Attributes:
        media_type: `image/jpeg`, `image/png` or `image/webp`.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
    """

    media_type: str
    width: int
    height: int


def find_media_type(head: bytes) -> str | None:
    """Return the media type of a picture by its first 12 bytes; None if it is not a JPEG, PNG or WebP picture."""
    if head.startswith(_JPEG):
        return "image/jpeg"
    if head.startswith(_PNG):
        return "image/png"
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def read_picture(content: bytes) -> Picture:
    """Read a JPEG, PNG or WebP file.

    Raises:
        ValueError: The content has another format, is damaged or is cut off. The message completes "the file ...".
    """
    try:
        match find_media_type(content):
            case "image/jpeg" as media_type:
                size = _read_jpeg_size(content)
            case "image/png" as media_type:
                size = _read_png_size(content)
            case "image/webp" as media_type:
                size = _read_webp_size(content)
            case _:
                raise ValueError(
                    f"is {_name_other_format(content)}not a JPEG, PNG or WebP picture. Convert it to one of these"
                )
    except IndexError:
        raise ValueError("is cut off: a part of the picture is missing") from None
    if not all(size):
        raise ValueError("is a damaged picture: it has no size")
    return Picture(media_type, *size)


def _read_png_size(content: bytes) -> tuple[int, int]:
    """Read all chunks (PNG specification, section 5), and return the size."""
    is_headed = content[len(_PNG) + 4 : len(_PNG) + 8] == b"IHDR"
    has_data = sum(name == b"IDAT" for name in _read_png_chunks(content))  # reads every chunk and keeps none
    if not is_headed or not has_data:
        raise ValueError("is a damaged PNG picture: it has no image data")
    return _read_big_endian(content, 16, 4), _read_big_endian(content, 20, 4)


def _read_png_chunks(content: bytes) -> Iterator[bytes]:
    position = len(_PNG)
    name = b""
    while name != b"IEND":
        length = _read_big_endian(content, position, 4)
        end = position + 12 + length
        name = content[position + 4 : position + 8]
        checksum = _read_big_endian(content, end - 4, 4)
        if zlib.crc32(memoryview(content)[position + 4 : end - 4]) != checksum:
            raise ValueError("is a damaged PNG picture: a checksum does not match")
        yield name
        position = end


_JPEG_ALONE = (0x01, *range(0xD0, 0xD8))  # markers that have no segment
_JPEG_START_OF_FRAME = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_JPEG_START_OF_SCAN = 0xDA
_JPEG_END = b"\xff\xd9"


def _read_jpeg_size(content: bytes) -> tuple[int, int]:
    """Read the segments up to the first scan, then find the end of the image (ITU-T T.81, annex B)."""
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
        length = _read_big_endian(content, position + 2, 2)
        if length < 2:
            raise ValueError("is a damaged JPEG picture")
        if marker in _JPEG_START_OF_FRAME:
            size = _read_big_endian(content, position + 7, 2), _read_big_endian(content, position + 5, 2)
        position += 2 + length
        if marker == _JPEG_START_OF_SCAN:
            # in the data of a scan, 0xFF is always followed by 0x00 or a restart marker
            if content.find(_JPEG_END, position) < 0:
                raise IndexError
            return size


def _read_webp_size(content: bytes) -> tuple[int, int]:
    """Read the first chunk (RFC 9649), and return the size."""
    if len(content) < 8 + _read_little_endian(content, 4, 4):
        raise IndexError
    kind = content[12:16]
    if kind == b"VP8X":
        return _read_little_endian(content, 24, 3) + 1, _read_little_endian(content, 27, 3) + 1
    if kind == b"VP8L":
        bits = _read_little_endian(content, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _read_little_endian(content, 26, 2) & 0x3FFF, _read_little_endian(content, 28, 2) & 0x3FFF
    raise ValueError("is a damaged WebP picture")


_OTHER_FORMATS = (
    (b"GIF8", "a GIF, "),
    (b"BM", "a BMP, "),
    (b"%PDF", "a PDF, "),
    (b"II*\0", "a TIFF, "),
    (b"MM\0*", "a TIFF, "),
)


def _name_other_format(content: bytes) -> str:
    """Return the name of another format, for the message; an empty string if the format is unknown."""
    for start, kind in _OTHER_FORMATS:
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


def _read_big_endian(content: bytes, position: int, count: int) -> int:
    return int.from_bytes(_slice(content, position, count), "big")


def _read_little_endian(content: bytes, position: int, count: int) -> int:
    return int.from_bytes(_slice(content, position, count), "little")


def _slice(content: bytes, position: int, count: int) -> bytes:
    part = content[position : position + count]
    if len(part) < count:
        raise IndexError
    return part
