"""Orders as plain data: wrong ones are refused on construction, before anything is paid for."""

from __future__ import annotations

import hashlib

import pytest

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame, FrameUrl
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec, check_last_frame, find_ignored_values
from tests.support.pictures import picture

PNG, JPEG = picture("PNG"), picture("JPEG")
CHAT_FIELDS = ("prompt", "messages", "model", "stream", "n")


@pytest.mark.parametrize("seconds", [8, 8.0, "8.0", "4.50"])
def test_an_order_record_of_an_earlier_version_is_recognised(seconds):
    assert VideoSpec("p", "m", seconds=seconds).identity()[0]["seconds"] == str(seconds)


@pytest.mark.parametrize(
    ("arguments", "warnings"),
    [
        ({}, []),
        ({"seconds": 8.0, "size": "1280x720"}, []),
        ({"seconds": 4.5}, ["seconds is 4.5: most servers take whole seconds only"]),
        *(({"size": size}, [f"size is '{size}', and not"]) for size in ("1280*720", "720p", "16:9", "1280X720", "0x9")),
        ({"seconds": "0.5", "size": "auto"}, ["seconds is 0.5", "size is 'auto'"]),
    ],
)
def test_a_warning_names_values_that_some_servers_ignore(arguments, warnings):
    found = list(find_ignored_values(VideoSpec("p", "m", **arguments)))
    assert len(found) == len(warnings)
    assert all(text.startswith(start) for text, start in zip(found, warnings, strict=True))


def test_a_warning_of_an_ignored_value_names_the_cost():
    about_seconds, about_size = find_ignored_values(VideoSpec("p", "m", seconds=4.5, size="720p"))
    assert about_seconds.endswith("some ignore them and make, and charge, a video of their usual length.")
    assert about_size.endswith("some ignore it and make, and charge, a video of their usual size.")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"prompt": ""}, "prompt must be a text"),
        ({"prompt": "  \n"}, "prompt must be a text"),
        ({"prompt": None}, "prompt must be a text"),
        ({"prompt": 5}, "prompt must be a text"),
        ({"prompt": "half a character \ud800"}, "cannot be written as JSON"),
        ({"model": ""}, "model must be the name"),
        ({"model": None}, "model must be the name"),
        ({"last_frame": Frame.from_bytes(PNG, "a")}, "last_frame needs a first_frame"),
        *(
            ({"seconds": seconds}, "seconds is .*; it must be the length of the video in seconds")
            for seconds in ("eight", "8s", "", 0, -1, "0", float("nan"), float("inf"), "inf", True, [8], 10**400, 3_601)
        ),
        ({"size": (1280, 720)}, "size is a value of type tuple; it must be a text like '1280x720'"),
        ({"extra_body": {7: "x"}}, "extra_body has the field 7"),
        (
            {"extra_body": '{"seed": 7}'},
            "not str. A template gives one where the Dag has render_template_as_native_obj",
        ),
        ({"extra_body": ["x"]}, "extra_body must be a dictionary, not list"),
        ({"extra_body": {"prompt": "x"}}, "extra_body may not set prompt"),
        ({"extra_body": {"size": "x", "model": "x"}}, "extra_body may not set model, size: use"),
        ({"extra_body": {"seconds": "x"}}, "extra_body may not set seconds"),
        ({"extra_body": {"input_reference": "x"}}, "first_frame"),
        ({"extra_body": {"x": object()}}, "cannot be written as JSON"),
        ({"extra_body": {"x": float("nan")}}, "cannot be written as JSON"),
    ],
)
def test_a_wrong_order_is_refused(arguments, complaint):
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        VideoSpec(**{"prompt": "p", "model": "m", **arguments})
    assert caught.value.permanent


LONG_NAME = type("X" * 300, (), {})
LENGTHS = "a number like 8, above 0 and at most 3600."
TEMPLATE = "A template gives one where the Dag has render_template_as_native_obj=True."
NOT_JSON = "Use texts, finite numbers, True, False, None, lists and dictionaries."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": 5}, "prompt must be a text that is not empty, not 5. Check the task that delivers it."),
        ({"model": 7}, "model must be the name of a model, not 7."),
        ({"seconds": "eight"}, f"seconds is 'eight'; it must be the length of the video in seconds: {LENGTHS}"),
        ({"extra_body": "{}"}, f"extra_body must be a dictionary, not str. {TEMPLATE}"),
        ({"extra_body": ["x"]}, "extra_body must be a dictionary, not list."),
        (
            {"extra_body": {"x": object()}},
            f"The request cannot be written as JSON: Object of type object is not JSON serializable. {NOT_JSON}",
        ),
        (
            {"extra_body": {"x": LONG_NAME()}},
            f"The request cannot be written as JSON: {f'Object of type {LONG_NAME.__name__}'[:200]}…. {NOT_JSON}",
        ),
    ],
)
def test_the_error_of_a_wrong_order_shows_the_value_and_the_remedy(arguments, message):
    with pytest.raises(InvalidInputError) as caught:
        VideoSpec(**{"prompt": "p", "model": "m", **arguments})
    assert str(caught.value) == message


def test_the_same_chat_order_has_the_same_identity():
    same = ChatSpec("p", "m", extra_body={"a": 1, "b": 2})
    assert same.identity() == ChatSpec("p", "m", extra_body={"b": 2, "a": 1}).identity()
    assert same.identity() != ChatSpec("q", "m", extra_body={"a": 1, "b": 2}).identity()


def test_frames_are_identified_by_their_hashes():
    spec = VideoSpec("p", "veo-3.1-fl", Frame.from_bytes(PNG, "a"), Frame.from_bytes(JPEG, "b"))
    assert spec.hash_frames() == {
        "first_frame": hashlib.sha256(PNG).hexdigest(),
        "last_frame": hashlib.sha256(JPEG).hexdigest(),
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"n": 0}, "n is 0; it must be a number from 1 to 4"),
        ({"n": 5}, "n is 5"),
        ({"n": True}, "n is True"),
        ({"n": "2"}, "n is '2'"),
        ({"prompt": " "}, "prompt must be a text"),
        ({"last_frame": FrameUrl("https://a")}, "last_frame needs a first_frame"),
        *(({"extra_body": {name: 2}}, f"extra_body may not set {name}") for name in CHAT_FIELDS),
    ],
)
def test_a_wrong_chat_order_is_refused(arguments, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        ChatSpec(**{"prompt": "p", "model": "veo-3.1"} | arguments)


@pytest.mark.parametrize("model", ["veo-3.1", "veo-3.1-fl", "sora-9"])
@pytest.mark.parametrize("frame", [None, Frame.from_bytes(PNG, "a")])
def test_every_model_can_be_ordered_with_and_without_a_frame(model, frame):
    assert VideoSpec("p", model, first_frame=frame).model == model
    assert ChatSpec("p", model, first_frame=frame).model == model


def test_a_last_frame_needs_a_first_frame():
    for has_first, has_last in ((False, False), (True, False), (True, True)):
        check_last_frame(has_first=has_first, has_last=has_last)
    with pytest.raises(InvalidInputError, match="last_frame needs a first_frame"):
        check_last_frame(has_first=False, has_last=True)
