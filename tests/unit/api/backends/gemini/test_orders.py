"""Bodies of orders for Google's Interactions API."""

from __future__ import annotations

import base64

import pytest

from airflow_provider_veo.api.backends.gemini.orders import Delivery, build_body
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec

MODEL = "gemini-omni-1.2-flash"
PNG = Frame(b"first", "image/png", 1280, 720)
JPEG = Frame(b"last", "image/jpeg", 1280, 720)


def build(delivery=Delivery(), **arguments):  # noqa: B008 - a frozen dataclass
    return build_body(VideoSpec("A boat.", MODEL, **arguments), delivery)


@pytest.mark.parametrize(
    ("delivery", "fields"),
    [
        (Delivery(), {"delivery": "uri"}),
        (Delivery(as_file=False), {}),
        (Delivery("gs://b/x/", as_file=False), {"delivery": "uri", "gcs_uri": "gs://b/x/"}),
    ],
)
def test_the_delivery_is_a_part_of_the_body(delivery, fields):
    assert build(delivery)["response_format"] == {"type": "video"} | fields


@pytest.mark.parametrize(
    ("size", "aspect_ratio", "resolution"),
    [
        ("640x360", "16:9", "360p"),
        ("1280x720", "16:9", "720p"),
        ("1920X1080", "16:9", "1080p"),
        (" 3840x2160 ", "16:9", "4k"),
        ("360x640", "9:16", "360p"),
        ("720x1280", "9:16", "720p"),
        ("1080x1920", "9:16", "1080p"),
        ("2160x3840", "9:16", "4k"),
    ],
)
def test_a_size_becomes_an_aspect_ratio_and_a_resolution(size, aspect_ratio, resolution):
    body = build(size=size)["response_format"]
    assert (body["aspect_ratio"], body["resolution"]) == (aspect_ratio, resolution)


@pytest.mark.parametrize("size", ["1024x1024", "720p", "16:9", "", "1280*720"])
def test_another_size_is_refused(size):
    with pytest.raises(
        InvalidInputError, match=f"size is '{size[:3]}.*'{MODEL}' makes 640x360, 1280x720".replace("*", ".*")
    ):
        build(size=size)


def test_a_fraction_of_a_second_is_refused():
    with pytest.raises(InvalidInputError, match=r"seconds is 4\.5: 'gemini-omni-1\.2-flash' makes videos of whole"):
        build(seconds=4.5)


def test_frames_stand_behind_the_prompt_in_their_order():
    content = build(first_frame=PNG, last_frame=JPEG)["input"][0]["content"]
    assert content == [
        {"type": "text", "text": "<FIRST_FRAME> <LAST_FRAME> A boat."},
        {"type": "image", "mime_type": "image/png", "data": base64.b64encode(b"first").decode()},
        {"type": "image", "mime_type": "image/jpeg", "data": base64.b64encode(b"last").decode()},
    ]


@pytest.mark.parametrize(
    "prompt",
    [
        "<FIRST_FRAME> a <LAST_FRAME> b",
        "ends in <LAST_FRAME>",
        "[# Sources <FIRST_FRAME>@Image1 <LAST_FRAME>@Image1] a",
    ],
)
def test_a_prompt_that_names_the_roles_stays_as_it_is(prompt):
    body = build_body(VideoSpec(prompt, MODEL, first_frame=PNG, last_frame=PNG), Delivery())
    assert body["input"][0]["content"][0]["text"] == prompt


def test_one_frame_needs_no_tag():
    body = build(first_frame=PNG)
    assert body["input"][0]["content"][0]["text"] == "A boat."
    assert body["generation_config"] == {"video_config": {"task": "image_to_video"}}


def test_further_fields_are_merged_at_every_level():
    body = build(
        first_frame=PNG,
        seconds=5,
        extra_body={
            "generation_config": {"thinking_level": "low", "video_config": {"more": 1}},
            "response_format": [{"resolution": "4k", "delivery": "inline"}],
            "labels": {"team": "a"},
        },
    )
    assert body["generation_config"] == {
        "thinking_level": "low",
        "video_config": {"more": 1, "task": "image_to_video"},
    }
    assert body["response_format"] == {"type": "video", "duration": "5s", "resolution": "4k", "delivery": "inline"}
    assert body["labels"] == {"team": "a"}


@pytest.mark.parametrize(
    ("extra_body", "arguments", "words"),
    [
        ({"input": "x"}, {}, "may not set input: the argument prompt sets it"),
        ({"response_format": {"duration": "5s"}}, {"seconds": 5}, "response_format.duration: the argument seconds"),
        ({"response_format": [{"resolution": "4k"}]}, {"size": "1280x720"}, "resolution: the argument size"),
        ({"response_format": {"aspect_ratio": "9:16"}}, {"size": "1280x720"}, "aspect_ratio: the argument size"),
        (
            {"generation_config": {"video_config": {"task": "edit"}}},
            {"first_frame": PNG},
            "video_config.task: the argument first_frame",
        ),
        ({"generation_config": {"video_config": 1}}, {"first_frame": PNG}, "sets generation_config.video_config to 1"),
        ({"response_format": "video"}, {}, "sets response_format to 'video'; it must be a dictionary"),
        ({"response_format": [{}, {}]}, {}, "response_format to a value of type list; it must be a dictionary"),
        ({"generation_config": None}, {}, "sets generation_config to None; it must be a dictionary"),
        ({"background": False}, {}, "sets background to False: the job of 'gemini-omni-1.2-flash' could not be found"),
        ({"background": 1}, {}, "sets background to 1"),
        ({"store": False}, {}, "sets store to False"),
        ({"stream": True}, {}, "sets stream to True"),
    ],
)
def test_a_field_that_must_not_be_set_is_refused(extra_body, arguments, words):
    with pytest.raises(InvalidInputError, match=words):
        build(extra_body=extra_body, **arguments)


def test_the_order_itself_stays_as_it_is():
    extra_body = {"response_format": {"resolution": "4k"}}
    build(extra_body=extra_body, seconds=5)
    assert extra_body == {"response_format": {"resolution": "4k"}}
