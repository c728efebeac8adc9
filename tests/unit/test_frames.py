from __future__ import annotations

import base64

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.frames import MAX_FRAME_BYTES
from airflow_provider_veo.frames import load_frame

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def test_frames_from_everywhere(tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    data_uri = "data:image/png;base64," + base64.b64encode(PNG).decode()
    for source in (path, str(path), f"file://{path}", ObjectStoragePath(f"file://{path}"), data_uri):
        assert load_frame(source, "first_frame").content == PNG


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_frame(nothing):
    assert load_frame(nothing, "first_frame") is None


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("missing.png", None, "cannot be read: FileNotFoundError"),
        ("empty.png", b"", "is empty"),
        ("text.png", b"hello", "not a JPEG, PNG or WebP"),
        ("big.png", PNG.ljust(MAX_FRAME_BYTES + 1, b"0"), "at most 10 MB"),
    ],
)
def test_files_that_are_no_frames(tmp_path, name, content, complaint):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        load_frame(str(path), "last_frame")
    assert "last_frame" in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("data:image/png;base64,%%%", "not a valid data URI"),
        ("data:image/png;base64", "it has no comma"),
        ("data:image/png,hello", "not a JPEG, PNG or WebP"),
        ("nosuch://bucket/a.png", "cannot be read"),
        ("/tmp", "cannot be read: IsADirectoryError"),
    ],
)
def test_sources_that_are_no_frames(source, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        load_frame(source, "first_frame")
