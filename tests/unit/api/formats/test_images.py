"""The type and size of a picture, read from its first bytes, and damaged pictures."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_veo.api.formats.images import Picture, read_picture
from tests.support.pictures import picture

VARIANTS = {
    "png": ("PNG", {}),
    "jpeg": ("JPEG", {}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "jpeg with metadata": ("JPEG", {"exif": Image.Exif(), "comment": b"\xff\xd9 hello"}),
    "webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "extended webp": ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("width", "height"), [(72, 128), (1, 1), (300, 7)])
def test_type_and_size_of_a_picture_are_read(variant, width, height):
    kind, options = VARIANTS[variant]
    content = picture(kind, width, height) if not options else _picture(kind, width, height, options)
    assert read_picture(content) == Picture(f"image/{kind.lower()}", width, height)


def _picture(kind, width, height, options):
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_cut_picture_is_refused(variant):
    kind, options = VARIANTS[variant]
    content = _picture(kind, 16, 16, options)
    for end in range(len(content)):
        with pytest.raises(ValueError, match=r"cut off|damaged|not a JPEG"):
            read_picture(content[:end])


def test_a_png_with_a_wrong_byte_is_damaged():
    content = bytearray(picture("PNG"))
    content[len(content) // 2] ^= 1
    with pytest.raises(ValueError, match="a checksum does not match"):
        read_picture(bytes(content))


def _chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND")


def _head(width, height):
    return _chunk(b"IHDR", struct.pack(">II5B", width, height, 8, 2, 0, 0, 0))


def test_a_png_needs_a_header_image_data_and_a_size():
    data = _chunk(b"IDAT", b"x")
    assert read_picture(_png(_head(7, 5), data)) == Picture("image/png", 7, 5)
    for damaged in (_png(_head(7, 5)), _png(data, _head(7, 5))):
        with pytest.raises(ValueError, match="is a damaged PNG picture: it has no image data"):
            read_picture(damaged)
    for head in (_head(0, 5), _head(7, 0)):
        with pytest.raises(ValueError, match="is a damaged picture: it has no size"):
            read_picture(_png(head, data))


@pytest.mark.parametrize(
    "more",
    [b"\xff", b"\xff\xff\xff", b"\xff\x01", b"\xff\xd0\xff\xd7", b"\xff\xfe\0\2", b"\xff\xfe\0\3x\xff\xff\x01"],
    ids=["a fill byte", "fill bytes", "a marker alone", "two of them", "an empty segment", "all of it"],
)
def test_fill_bytes_and_markers_between_the_segments_of_a_jpeg_are_skipped(more):
    content = picture("JPEG", 72, 128)
    assert read_picture(content[:2] + more + content[2:]) == Picture("image/jpeg", 72, 128)


@pytest.mark.parametrize("more", [b"\xff\xfe\0\1", b"\xff\xfe\0\2x"], ids=["a length below its own", "no marker"])
def test_a_damaged_jpeg_is_refused(more):
    content = picture("JPEG")
    with pytest.raises(ValueError, match="is a damaged JPEG picture"):
        read_picture(content[:2] + more + content[2:])


def test_a_webp_with_an_unknown_first_chunk_is_damaged():
    content = bytearray(picture("WEBP"))
    content[12:16] = b"VP9 "
    with pytest.raises(ValueError, match="is a damaged WebP picture"):
        read_picture(bytes(content))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (picture("GIF"), "a GIF, "),
        (picture("BMP"), "a BMP, "),
        (picture("TIFF"), "a TIFF, "),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG, "),
        (b"\xef\xbb\xbf <!DOCTYPE html><title>Not found</title>", "an HTML page, "),
        (b"<html><title>Not found</title>", "an HTML page, "),
        (b"X<html>", ""),
        (b"RIFF\0\0\0\0AVI LIST", ""),
        (b"\0\0\0\x20ftypavif", "an AVIF or HEIC picture or a video, "),
        (b"%PDF-1.7", "a PDF, "),
        (b"hello", ""),
        (b"", ""),
    ],
)
def test_the_error_names_the_format_of_another_file(content, kind):
    with pytest.raises(ValueError, match=f"^is {kind}not a JPEG, PNG or WebP picture"):
        read_picture(content)


@given(
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBPVP8X", b"RIFF\0\0\0\0WEBPVP8 "]),
    st.binary(max_size=200),
)
def test_garbage_is_refused_with_an_explanation(start, rest):
    try:
        read = read_picture(start + rest)
    except ValueError:
        return
    assert read.width > 0
    assert read.height > 0
