"""Frames: their type, their size, and their shape beside that of the video."""

from __future__ import annotations

import base64

import pytest

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import MAX_FRAME_BYTES, Frame, make_shape_warning
from tests.support.pictures import picture


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_frame_has_the_type_and_size_of_its_content(kind):
    frame = Frame.from_bytes(picture(kind, 72, 128), "x.txt")
    assert (frame.media_type, frame.width, frame.height) == (f"image/{kind.lower()}", 72, 128)
    header, data = frame.url.split(",")
    assert header == f"data:image/{kind.lower()};base64"
    assert base64.b64decode(data) == picture(kind, 72, 128)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "cat.png is empty"),
        (picture("GIF"), "cat.png is a GIF, not a JPEG, PNG or WebP picture. Convert it"),
        (picture("JPEG")[:-100], "cat.png is cut off"),
        (picture("PNG").ljust(MAX_FRAME_BYTES + 1), "cat.png is larger than 10 MB"),
    ],
)
def test_a_file_that_cannot_be_a_frame_is_refused(content, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        Frame.from_bytes(content, "cat.png")


def test_a_frame_of_exactly_ten_megabytes_is_taken():
    assert Frame.from_bytes(picture("PNG").ljust(MAX_FRAME_BYTES), "x").media_type == "image/png"


def test_a_frame_is_not_printed():
    assert len(repr(Frame.from_bytes(picture(), "x"))) < 100


@pytest.mark.parametrize(
    ("width", "height", "size", "warned"),
    [
        (720, 1280, "720x1280", False),
        (1080, 1920, "720x1280", False),
        (725, 1280, "720x1280", False),
        (1280, 720, "720x1280", True),
        (720, 720, "720x1280", True),
        (1280, 720, "1280X720", False),
        (720, 720, "1280x720", True),
        (720, 720, None, False),
        (720, 720, "1080p", False),
        (720, 720, "0x0", False),
    ],
)
def test_a_frame_of_another_shape_than_the_video_causes_a_warning(width, height, size, warned):
    frame = Frame.from_bytes(picture("PNG", width, height), "x")
    warning = make_shape_warning(frame, "first_frame", "m", size)
    assert (warning is not None) == warned
    if warned:
        assert f"first_frame is {width}x{height}, and the video of 'm' will be {size}" in warning
    assert make_shape_warning(None, "last_frame", "m", size) is None
