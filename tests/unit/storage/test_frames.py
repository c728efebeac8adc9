"""Frames from files, results, addresses and data URIs."""

from __future__ import annotations

import base64
import traceback
import tracemalloc
from pathlib import Path
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import FrameUrl
from airflow_provider_veo.storage.frames import load_chat_frame, load_frame
from tests.support.pictures import picture

PNG = picture()
DATA_URI = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.mark.parametrize("load", [load_frame, load_chat_frame])
def test_frames_are_read_from_every_kind_of_source(tmp_path, load):
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    result = {"path": str(path), "sha256": "0"}
    for source in (path, str(path), f"file://{path}", ObjectStoragePath(f"file://{path}"), DATA_URI, result):
        assert load(source, "first_frame").content == PNG


@pytest.mark.parametrize("load", [load_frame, load_chat_frame])
@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_source_there_is_no_frame(load, nothing):
    assert load(nothing, "first_frame") is None


def test_the_chat_call_takes_a_url_as_it_is():
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
def test_a_source_that_is_not_a_frame_is_refused(source, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        load_frame(source, "first_frame")


BASE64 = base64.b64encode(PNG).decode()
LINES = base64.encodebytes(PNG).decode()


@pytest.mark.parametrize("load", [load_frame, load_chat_frame])
@pytest.mark.parametrize(
    "uri",
    [
        f"data:image/png;base64,{LINES}",
        f"data:image/png;base64,{LINES}".replace("\n", "\r\n"),
        f"data:image/png;base64,{BASE64}\n",
        f"  data:image/png;base64,{BASE64}  ",
        f"data:image/png;base64, {BASE64}",
        "data:image/png;base64," + BASE64.rstrip("="),
        "data:image/png;base64," + base64.urlsafe_b64encode(PNG).decode(),
        "data:image/png;base64," + base64.urlsafe_b64encode(PNG).decode().rstrip("="),
        "data:image/png;base64," + quote(BASE64, safe=""),
        "data:image/png;base64," + BASE64.replace("\n", "%0A").replace("=", "%3D"),
        f"DATA:image/png;BASE64,{BASE64}",
        f"Data:Image/PNG;Base64,{BASE64}",
        f"data:;base64,{BASE64}",
        f"data:image/png; base64,{BASE64}",
        f"data:image/png;base64 ,{BASE64}",
        f"data:image/png;charset=utf-8;base64,{BASE64}",
        f"data:image/png;base64;charset=utf-8,{BASE64}",
        f"data:image/png;name=cat.png;base64,{BASE64}",
        f"data://image/png;base64,{BASE64}",
        f"data:image/jpeg;base64,{BASE64}",
        f"data:text/plain;base64,{BASE64}",
        f"data:image/png;base64,{BASE64}#top",
        "data:image/png," + quote(PNG, safe=""),
        "data:," + quote(PNG, safe=""),
    ],
)
def test_data_uris_of_every_spelling_are_read(load, uri):
    frame = load(uri, "first_frame")
    assert (frame.content, frame.media_type) == (PNG, "image/png")


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        (f"data:image/png;base64,{BASE64[:-8]}", "cut off|damaged"),
        (f"data:image/png;base64,{BASE64}=====", "cut off"),
        (f"data:image/png;base64,{BASE64.rstrip('=')}==={BASE64}", "'=' is not base64"),
        (f"data:image/png;base64,{BASE64}!", "'!' is not base64"),
        (f"data:image/png;base64,é{BASE64}", "is not base64"),
        (f"data:image/png;base64{BASE64}", "has no comma"),
        (f"data:image/png;base65,{BASE64}", "not a JPEG, PNG or WebP"),
        (f"data:image/png,{BASE64}", "not a JPEG, PNG or WebP"),
        ("data:image/png;base64,", "is empty"),
        ("data:image/png;base64, \n ", "is empty"),
        ("data:image/png;base64," + "A" * 14_000_000, "larger than 10 MB"),
        ("data:image/png;base64," + "A" * 32_000_000, "larger than 10 MB"),
        ("data:," + "A" * 11_000_000, "larger than 10 MB"),
        (BASE64 * 90, "too long to be the URL.*put 'data:image/png;base64,' before it"),
        ("/" + "9j/" * 9_000, "too long to be the URL"),
        ("a" * 300, "cannot be read: OSError: File name too long"),
        ("https://" + "a" * 10_000, "too long to be the URL"),
        ({"path": BASE64 * 90}, "too long to be the URL"),
        ({"path": 7}, "first_frame is 7; it must be the URL"),
        (7, "first_frame is 7; it must be the URL"),
        (b"x" * 9_000, "first_frame is a value of type bytes"),
    ],
)
@pytest.mark.parametrize("load", [load_frame, load_chat_frame])
def test_a_value_that_is_not_a_picture_is_refused_in_a_short_sentence(load, uri, complaint):
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        load(uri, "first_frame")
    assert len("".join(traceback.format_exception(caught.value))) < 9_000
    assert len(str(caught.value)) < 600
    assert caught.value.__cause__ is None


def test_a_picture_as_data_uri_takes_little_memory():
    content = PNG + bytes(9_000_000)  # players and browsers read over it, and so does the check
    uri = "data:image/png;base64," + base64.encodebytes(content).decode()
    tracemalloc.start()
    try:
        load_frame(uri, "first_frame")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(content)
