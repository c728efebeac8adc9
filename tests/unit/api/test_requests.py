from __future__ import annotations

import pytest

from airflow_provider_veo.api import requests
from airflow_provider_veo.api.answers import Answer
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.frames import MAX_FRAME_BYTES, Frame
from airflow_provider_veo.api.requests import VideoSpec

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"0" * 20
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "


def test_the_seed_pages_order():
    request = requests.create_video(VideoSpec("画小猫", "veo-3.1"))
    assert (request.method, request.path) == ("POST", "/v1/videos")
    assert request.json == {"prompt": "画小猫", "model": "veo-3.1"}
    assert request.parts == ()


def test_further_fields():
    spec = VideoSpec("p", "m", seconds=8, size="720x1280", extra_body={"metadata": {"seed": 7}})
    assert requests.create_video(spec).json == {
        "prompt": "p",
        "model": "m",
        "seconds": "8",
        "size": "720x1280",
        "metadata": {"seed": 7},
    }


def test_frames_go_as_multipart_first_then_last():
    spec = VideoSpec("p", "veo-3.1-fl", first_frame=Frame.from_bytes(PNG, "a"), last_frame=Frame.from_bytes(JPEG, "b"))
    request = requests.create_video(spec)
    assert request.json is None
    assert request.parts == (
        ("prompt", (None, b"p")),
        ("model", (None, b"veo-3.1-fl")),
        ("input_reference", ("first_frame.png", PNG, "image/png")),
        ("input_reference", ("last_frame.jpg", JPEG, "image/jpeg")),
    )


def test_multipart_on_demand_with_values_as_text():
    spec = VideoSpec("画", "m", extra_body={"metadata": {"a": "中"}, "watermark": False, "seed": 3})
    parts = dict(requests.create_video(spec, "multipart").parts)
    assert parts["prompt"] == (None, "画".encode())
    assert parts["metadata"] == (None, '{"a": "中"}'.encode())
    assert parts["watermark"] == (None, b"false")
    assert parts["seed"] == (None, b"3")


NOT_READ = Answer(422, '{"detail":[{"type":"missing","loc":["body","prompt"],"msg":"Field required","input":null}]}')


@pytest.mark.parametrize("answer", [NOT_READ, Answer(415, "Unsupported Media Type")])
def test_a_json_order_that_was_not_read_goes_as_a_form(answer):
    spec = VideoSpec("p", "m", seconds=4)
    again = requests.create_video_as_form(spec, "auto", "key-1", answer)
    assert again == requests.create_video(spec, "multipart", "key-1")
    assert again.headers == {"Idempotency-Key": "key-1"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, '{"id":"v","status":"queued"}'),
        Answer(200, NOT_READ.text),
        Answer(500, NOT_READ.text),
        Answer(502, "<html>415 Unsupported Media Type</html>"),
        Answer(400, '{"error":{"message":"prompt is required"}}'),
        Answer(422, '{"detail":[{"loc":["body","size"],"msg":"Field required"}]}'),
        Answer(422, '{"detail":"moderation"}'),
        Answer(429, "slow down"),
    ],
)
def test_any_other_answer_ends_the_order(answer):
    assert requests.create_video_as_form(VideoSpec("p", "m"), "auto", None, answer) is None


@pytest.mark.parametrize("request_format", ["json", "multipart"])
def test_a_format_that_was_set_is_kept(request_format):
    assert requests.create_video_as_form(VideoSpec("p", "m"), request_format, None, NOT_READ) is None


def test_a_form_is_not_sent_again_as_a_form():
    spec = VideoSpec("p", "m", Frame.from_bytes(PNG, "a"))
    assert requests.create_video_as_form(spec, "auto", None, NOT_READ) is None


def test_json_cannot_carry_frames():
    spec = VideoSpec("p", "veo-3.1-fl", first_frame=Frame.from_bytes(PNG, "a"))
    with pytest.raises(InvalidInputError, match='Set it to "auto"'):
        requests.create_video(spec, "json")


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
        ({"extra_body": ["x"]}, "extra_body must be a dictionary"),
        ({"extra_body": {"prompt": "x"}}, "extra_body may not set prompt"),
        ({"extra_body": {"input_reference": "x"}}, "first_frame"),
        ({"extra_body": {"x": object()}}, "cannot be written as JSON"),
        ({"extra_body": {"x": float("nan")}}, "cannot be written as JSON"),
    ],
)
def test_a_wrong_order_is_refused(arguments, complaint):
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        VideoSpec(**{"prompt": "p", "model": "m", **arguments})
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("video_id", "path"),
    [
        ("video_1", "/v1/videos/video_1"),
        ("video_bGl0ZWxsbTo=", "/v1/videos/video_bGl0ZWxsbTo%3D"),
        ("a/../b?c#d e", "/v1/videos/a%2F..%2Fb%3Fc%23d%20e"),
    ],
)
def test_ids_are_quoted(video_id, path):
    assert requests.get_video(video_id).path == path
    assert requests.get_content(video_id).path == path + "/content"


@pytest.mark.parametrize("video_id", ["", " ", None, 7, ".", ".."])
def test_no_id_no_request(video_id):
    with pytest.raises(InvalidInputError, match="video_id must be"):
        requests.get_video(video_id)


@pytest.mark.parametrize(("content", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")])
def test_pictures_are_known_by_their_content(content, media_type):
    assert Frame.from_bytes(content, "x.txt").media_type == media_type


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"GIF89a" + b"0" * 20, "not a JPEG, PNG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG, PNG or WebP"),
        (b"plain text", "not a JPEG, PNG or WebP"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "not a JPEG, PNG or WebP"),
        (PNG + b"0" * MAX_FRAME_BYTES, "at most 10 MB"),
    ],
)
def test_what_is_no_frame(content, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        Frame.from_bytes(content, "cat.png")


def test_a_frame_of_exactly_ten_megabytes_is_taken():
    assert Frame.from_bytes(PNG.ljust(MAX_FRAME_BYTES, b"0"), "x").media_type == "image/png"
