from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import picture
from PIL import Image

from airflow_provider_veo.api.pictures import Picture, read_picture

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
def test_type_and_size(variant, width, height):
    kind, options = VARIANTS[variant]
    content = picture(kind, width, height) if not options else _picture(kind, width, height, options)
    assert read_picture(content) == Picture(f"image/{kind.lower()}", width, height)


def _picture(kind, width, height, options):
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_beginning_of_a_picture_is_a_picture(variant):
    kind, options = VARIANTS[variant]
    content = _picture(kind, 16, 16, options)
    for end in range(len(content)):
        with pytest.raises(ValueError, match=r"cut off|damaged|not a JPEG"):
            read_picture(content[:end])


def test_a_png_with_a_wrong_byte():
    content = bytearray(picture("PNG"))
    content[len(content) // 2] ^= 1
    with pytest.raises(ValueError, match="a checksum does not match"):
        read_picture(bytes(content))


def test_a_webp_with_an_unknown_first_chunk():
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
        (b"\0\0\0\x20ftypavif", "an AVIF or HEIC picture or a video, "),
        (b"%PDF-1.7", "a PDF, "),
        (b"hello", ""),
        (b"", ""),
    ],
)
def test_other_files_are_named(content, kind):
    with pytest.raises(ValueError, match=f"^is {kind}not a JPEG, PNG or WebP picture"):
        read_picture(content)


@given(
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBPVP8X", b"RIFF\0\0\0\0WEBPVP8 "]),
    st.binary(max_size=200),
)
def test_garbage_is_refused_with_words(start, rest):
    try:
        read = read_picture(start + rest)
    except ValueError:
        return
    assert read.width > 0
    assert read.height > 0
