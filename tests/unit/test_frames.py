from __future__ import annotations

import base64
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from pictures import picture

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.frames import FrameUrl
from airflow_provider_veo.frames import load_chat_frame, load_frame

PNG = picture()
DATA_URI = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.mark.parametrize("load", [load_frame, load_chat_frame])
def test_frames_from_everywhere(tmp_path, load):
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    result = {"path": str(path), "sha256": "0"}
    for source in (path, str(path), f"file://{path}", ObjectStoragePath(f"file://{path}"), DATA_URI, result):
        assert load(source, "first_frame").content == PNG


@pytest.mark.parametrize("load", [load_frame, load_chat_frame])
@pytest.mark.parametrize("nothing", [None, ""])
def test_no_frame(load, nothing):
    assert load(nothing, "first_frame") is None


def test_the_chat_call_gets_an_address_as_it_is():
    url = "https://cdn.example/a.png?sig=1"
    assert load_chat_frame(url, "first_frame") == FrameUrl(url)
    with pytest.raises(InvalidInputError, match="not a usable http"):
        load_chat_frame("https://", "first_frame")


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("data:image/png;base64,%%%", "first_frame is not a valid data URI"),
        ("data:image/png;base64", "it has no comma"),
        ("data:image/png,hello", "first_frame is not a JPEG, PNG or WebP"),
        ("data:,", "first_frame is empty"),
        ("nosuch://bucket/a.png", "first_frame 'nosuch://bucket/a.png' cannot be read"),
        (str(Path.cwd()), "cannot be read: IsADirectoryError"),
        ("a\0b", "cannot be read: ValueError"),
        ({"id": "video_1"}, "first_frame is the result of a task that has stored no picture"),
    ],
)
def test_sources_that_are_no_frames(source, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        load_frame(source, "first_frame")
