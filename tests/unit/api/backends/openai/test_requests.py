"""The requests of OpenAI's Videos API, as plain data."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai import requests
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame, FrameUrl
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from tests.support.pictures import picture

PNG, JPEG = picture("PNG"), picture("JPEG")


def test_an_order_has_the_documented_form():
    request = requests.create_video(VideoSpec("画小猫", "veo-3.1"))
    assert (request.method, request.path) == ("POST", "/v1/videos")
    assert request.json == {"prompt": "画小猫", "model": "veo-3.1"}
    assert request.parts == ()


def test_a_header_asks_a_proxy_to_send_the_order_once():
    spec = VideoSpec("p", "m")
    assert requests.create_video(spec).headers == {"x-litellm-num-retries": "0"}
    headers = requests.create_video(spec, "multipart", "key").headers
    assert headers == {"x-litellm-num-retries": "0", "Idempotency-Key": "key"}


def test_further_fields_are_sent():
    spec = VideoSpec("p", "m", seconds=8, size="720x1280", extra_body={"metadata": {"seed": 7}})
    assert requests.create_video(spec).json == {
        "prompt": "p",
        "model": "m",
        "seconds": "8",
        "size": "720x1280",
        "metadata": {"seed": 7},
    }


@pytest.mark.parametrize("request_format", ["auto", "json"])
def test_an_order_without_frames_is_json(request_format):
    request = requests.create_video(VideoSpec("p", "m"), request_format)
    assert (request.json, request.parts) == ({"prompt": "p", "model": "m"}, ())


def test_frames_are_sent_as_multipart_with_the_first_frame_first():
    spec = VideoSpec("p", "veo-3.1-fl", first_frame=Frame.from_bytes(PNG, "a"), last_frame=Frame.from_bytes(JPEG, "b"))
    request = requests.create_video(spec)
    assert (request.method, request.path) == ("POST", "/v1/videos")
    assert request.json is None
    assert request.parts == (
        ("prompt", (None, b"p")),
        ("model", (None, b"veo-3.1-fl")),
        ("input_reference", ("first_frame.png", PNG, "image/png")),
        ("input_reference", ("last_frame.jpg", JPEG, "image/jpeg")),
    )


def test_multipart_has_values_as_text():
    spec = VideoSpec("画", "m", extra_body={"metadata": {"a": "中"}, "watermark": False, "seed": 3})
    parts = dict(requests.create_video(spec, "multipart").parts)
    assert parts["prompt"] == (None, "画".encode())
    assert parts["metadata"] == (None, '{"a": "中"}'.encode())
    assert parts["watermark"] == (None, b"false")
    assert parts["seed"] == (None, b"3")


def test_a_form_also_has_each_field_of_metadata_separately():
    """new-api takes each field of a form that it does not know as one of `metadata`."""
    metadata = {
        "resolution": "1080p",
        "durationSeconds": 8,
        "audio": False,
        "prompt": "x",
        "size": "y",
        "seed": 1,
        7: 7,
    }
    spec = VideoSpec("p", "m", size="1280x720", extra_body={"metadata": metadata, "seed": 2})
    parts = requests.create_video(spec, "multipart").parts
    assert [(name, value) for name, (_, value) in parts] == [
        ("prompt", b"p"),
        ("model", b"m"),
        ("size", b"1280x720"),
        ("metadata", json.dumps(metadata).encode()),
        ("seed", b"2"),
        ("resolution", b"1080p"),
        ("durationSeconds", b"8"),
        ("audio", b"false"),
    ]
    assert requests.create_video(spec, "json").json == spec.fields()
    assert "resolution" not in spec.fields()


@pytest.mark.parametrize("metadata", ["a text", ["a"], None, {}])
def test_metadata_without_fields_is_sent_as_it_is(metadata):
    parts = requests.create_video(VideoSpec("p", "m", extra_body={"metadata": metadata}), "multipart").parts
    assert [name for name, _ in parts] == ["prompt", "model", "metadata"]


@pytest.mark.parametrize(
    ("seconds", "sent"),
    [
        (8, "8"),
        (8.0, "8"),
        ("8", "8"),
        ("8.0", "8"),
        (" 8 ", "8"),
        ("8.", "8"),
        ("08", "8"),
        (Decimal("8.00"), "8"),
        (Fraction(8), "8"),
        ("8e0", "8"),
        (4.5, "4.5"),
        ("4.50", "4.5"),
        (3_600, "3600"),
    ],
)
@pytest.mark.parametrize("request_format", ["json", "multipart"])
def test_a_whole_number_of_seconds_is_sent_without_a_fraction(seconds, sent, request_format):
    request = requests.create_video(VideoSpec("p", "m", seconds=seconds), request_format)
    if request.json:
        assert request.json["seconds"] == sent
    else:
        assert dict(request.parts)["seconds"] == (None, sent.encode())


NOT_READ = Answer(422, '{"detail":[{"type":"missing","loc":["body","prompt"],"msg":"Field required","input":null}]}')


@pytest.mark.parametrize("answer", [NOT_READ, Answer(415, "Unsupported Media Type")])
def test_a_json_order_that_the_server_has_not_read_is_sent_as_a_form(answer):
    spec = VideoSpec("p", "m", seconds=4)
    again = requests.create_video_as_form(spec, "auto", "key-1", answer)
    assert again == requests.create_video(spec, "multipart", "key-1")
    assert again.headers["Idempotency-Key"] == "key-1"


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
def test_an_order_is_not_sent_as_a_form_after_any_other_answer(answer):
    assert requests.create_video_as_form(VideoSpec("p", "m"), "auto", None, answer) is None


@pytest.mark.parametrize("request_format", ["json", "multipart"])
def test_a_format_of_the_connection_is_kept(request_format):
    assert requests.create_video_as_form(VideoSpec("p", "m"), request_format, None, NOT_READ) is None


def test_a_form_is_not_sent_again_as_a_form():
    spec = VideoSpec("p", "m", Frame.from_bytes(PNG, "a"))
    assert requests.create_video_as_form(spec, "auto", None, NOT_READ) is None


def test_json_cannot_carry_frames():
    spec = VideoSpec("p", "veo-3.1-fl", first_frame=Frame.from_bytes(PNG, "a"))
    with pytest.raises(InvalidInputError, match='Set it to "auto"'):
        requests.create_video(spec, "json")


@pytest.mark.parametrize(
    ("video_id", "path"),
    [
        ("video_1", "/v1/videos/video_1"),
        ("video_bGl0ZWxsbTo=", "/v1/videos/video_bGl0ZWxsbTo%3D"),
        ("a/../b?c#d e", "/v1/videos/a%2F..%2Fb%3Fc%23d%20e"),
    ],
)
def test_ids_are_quoted(video_id, path):
    assert requests.get_video(video_id) == ApiRequest("GET", path)
    assert requests.cancel_video(video_id) == ApiRequest("DELETE", path)
    assert requests.get_content(video_id) == ApiRequest("GET", f"{path}/content")


def test_models_are_listed():
    assert requests.list_models() == ApiRequest("GET", "/v1/models")


@pytest.mark.parametrize("video_id", ["", " ", None, 7, ".", "..", "a\ud83d", "a\x00b", "a\nb", "v" * 1_025])
def test_an_unusable_id_is_refused(video_id):
    with pytest.raises(InvalidInputError, match="video_id must be"):
        requests.get_video(video_id)


def test_chat_calls_have_the_documented_form():
    request = requests.create_chat_completion(ChatSpec("画只猪在天上飞", "veo_3_1", n=2))
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.json == {
        "messages": [{"role": "user", "content": "画只猪在天上飞"}],
        "model": "veo_3_1",
        "stream": True,
        "n": 2,
    }
    url = "https://cdn.example/a.png"
    spec = ChatSpec("过渡", "veo-3.1-landscape-fast-fl", FrameUrl(url), Frame.from_bytes(PNG, "b"))
    content = requests.create_chat_completion(spec).json["messages"][0]["content"]
    assert content[:2] == [
        {"type": "text", "text": "过渡"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    assert content[2]["image_url"]["url"].startswith("data:image/png;base64,")


def test_a_chat_call_asks_for_an_uncompressed_stream_and_for_one_order():
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "x-litellm-num-retries": "0"}
    assert requests.create_chat_completion(ChatSpec("p", "m")).headers == headers
    assert requests.create_chat_completion(ChatSpec("p", "m"), "key").headers == headers | {"Idempotency-Key": "key"}


def test_a_chat_call_can_order_four_videos():
    assert requests.create_chat_completion(ChatSpec("p", "m", n=4)).json["n"] == 4
