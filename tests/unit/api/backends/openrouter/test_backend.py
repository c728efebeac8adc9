"""OpenRouter's protocol: our requests are those of the official client, and its recorded answers have a meaning."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openrouter import OpenRouterBackend, offers, requests
from airflow_provider_veo.api.content.locate import Asked, find_next_hop
from airflow_provider_veo.api.errors import (
    ApiError,
    ContentGoneError,
    ContentNotReadyError,
    InvalidInputError,
    Reason,
)
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.verdict import Verdict
from airflow_provider_veo.api.video import VideoStatus
from tests.support.pictures import picture

PAIRS = {pair["name"]: pair for pair in json.loads((Path(__file__).parents[4] / "wire/openrouter.json").read_text())}
BASE = "https://openrouter.ai/api"
JOB = "gen-vid-1795773600-AbCdEfGhIjKlMnOpQrSt"
KEY = "sk-or-v1-0123456789abcdef"
FRAME = Frame.from_bytes(picture("PNG"), "a.png")
BACKEND = OpenRouterBackend()
SPEC = VideoSpec("A boat", "google/veo-3.1")

NOT_EXPRESSIBLE = {
    "016_create_upscale": "an order of ours always has a prompt",
    "017_create_unknown_option_refused": "the client itself refuses it; there is no request",
    "031_content_index_1": "a job of ours makes one video",
}
ALLOWED_DIFFERENCES = {
    "accept": "ours is that of every request; a content route may answer with another media type (032)",
    "http-referer": "optional; extra headers of a connection can set it",
    "x-openrouter-title": "optional; extra headers of a connection can set it",
    "base64": "the recording has only the length of the picture, which is another picture",
}
NOT_IN_THE_BODY = ("http_referer", "x_open_router_title")


def make_spec(given):
    """Return our order for the arguments of the official client."""
    extra = {name: value for name, value in given.items() if name not in NOT_IN_THE_BODY}
    arguments = {"prompt": extra.pop("prompt"), "model": extra.pop("model")}
    arguments |= {
        ours: extra.pop(theirs) for ours, theirs in (("seconds", "duration"), ("size", "size")) if theirs in extra
    }
    frames = extra.get("frame_images", [])
    if frames and all(frame["image_url"]["url"].startswith("data:") for frame in frames):
        arguments |= {frame["frame_type"]: FRAME for frame in extra.pop("frame_images")}
    return VideoSpec(**arguments, extra_body=extra)


def shorten(body):
    return json.loads(re.sub(r"base64,[^\"]*", "base64,", json.dumps(body)))


def send(name):
    """Return our request for what a recorded request asks for."""
    pair, path = PAIRS[name], PAIRS[name]["request"]["path"]
    if pair["request"]["method"] == "POST":
        return BACKEND.create_video(make_spec(pair["input"]), "key")
    if path.endswith("/models"):
        return requests.list_models()
    return BACKEND.get_content(JOB) if path.endswith("/content") else BACKEND.get_video(JOB)


def answer_of(name, own=SPEC.own_words):
    pair = PAIRS[name]
    body = pair["answer"]["body"]
    text = (body if isinstance(body, str) else json.dumps(body)).encode()
    url = f"https://openrouter.ai{pair['request']['path']}"
    headers = pair["answer"]["headers"].items()
    method = pair["request"]["method"]
    return Answer.of(pair["answer"]["status"], text, headers, url, secrets=(KEY,), method=method, own=own)


def polled(body):
    text = json.dumps(body).encode()
    return BACKEND.read_video(Answer.of(200, text, (), f"{BASE}/v1/videos/{JOB}", secrets=(KEY,)), JOB)


# --- requests


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in NOT_EXPRESSIBLE])
def test_a_request_equals_the_one_of_the_official_client(name):
    recorded, ours = PAIRS[name]["request"], send(name)
    path, _, query = ours.path.partition("?")
    assert (ours.method, f"/api{path}") == (recorded["method"], recorded["path"])
    assert query == "&".join(f"{key}={value}" for key, value in recorded["query"].items())
    assert shorten(ours.json) == shorten(recorded["body"])
    assert not ours.parts
    assert set(recorded["headers"]) - set(ALLOWED_DIFFERENCES) <= {"content-type"}
    assert not ours.headers


def test_the_pairs_that_no_order_of_ours_can_express_are_still_recorded():
    assert set(NOT_EXPRESSIBLE) <= set(PAIRS)


def test_frames_are_data_uris_in_the_order_of_the_video():
    body = BACKEND.create_video(VideoSpec("p", "m", first_frame=FRAME, last_frame=FRAME), None).json
    assert [frame["frame_type"] for frame in body["frame_images"]] == ["first_frame", "last_frame"]
    assert {frame["image_url"]["url"] for frame in body["frame_images"]} == {FRAME.url}


@pytest.mark.parametrize(("seconds", "duration"), [(8, 8), ("8", 8), (8.0, 8)])
def test_a_length_is_a_whole_number(seconds, duration):
    assert BACKEND.create_video(VideoSpec("p", "m", seconds=seconds), None).json["duration"] == duration


@pytest.mark.parametrize(
    ("arguments", "extra_body", "complaint"),
    [
        ({"seconds": 4.5}, {}, "seconds is 4.5; OpenRouter takes whole seconds only (model 'google/veo-3.1')"),
        ({}, {"duration": 8}, "extra_body may not set duration: use the argument seconds alone"),
        ({"size": "1280x720"}, {"resolution": "720p"}, "may not set resolution: use the argument size alone"),
        ({"size": "1280x720"}, {"aspect_ratio": "16:9"}, "may not set aspect_ratio: use the argument size alone"),
        ({"first_frame": FRAME}, {"frame_images": []}, "may not set frame_images: use the argument first_frame alone"),
        ({}, {"resolution": "4k"}, "extra_body sets resolution to '4k'; OpenRouter writes it '4K'"),
    ],
)
def test_an_order_that_the_protocol_cannot_say_is_refused(arguments, extra_body, complaint):
    spec = VideoSpec("p", "google/veo-3.1", **arguments, extra_body=extra_body)
    for refuse in (lambda: list(BACKEND.check(spec)), lambda: BACKEND.create_video(spec, None)):
        with pytest.raises(InvalidInputError, match=re.escape(complaint)):
            refuse()


@pytest.mark.parametrize(
    "extra_body", [{}, {"resolution": "4K", "aspect_ratio": "16:9"}, {"resolution": None}, {"frame_images": []}]
)
def test_an_order_without_fault_has_no_warning(extra_body):
    assert not list(BACKEND.check(VideoSpec("p", "google/veo-3.1", extra_body=extra_body)))


def test_a_field_that_openrouter_does_not_have_is_warned_of():
    pair = PAIRS["017_create_unknown_option_refused"]["input"]
    (warning,) = BACKEND.check(make_spec(pair))
    assert "extra_body sets 'negative_prompt', and OpenRouter is not known to read that" in warning
    assert "provider.options" in warning


# --- answers to orders

CREATED = [name for name in PAIRS if PAIRS[name]["answer"]["status"] < 300 and name not in NOT_EXPRESSIBLE]
CREATED = [name for name in CREATED if PAIRS[name]["request"]["method"] == "POST"]


@pytest.mark.parametrize("name", CREATED)
def test_an_answer_to_an_order_names_the_job(name):
    video = BACKEND.read_created(answer_of(name))
    assert (video.id, video.status, video.url, video.cost_usd) == (JOB, VideoStatus.QUEUED, None, None)


def test_an_answer_of_200_to_an_order_is_an_answer():
    assert "051_create_answer_200_instead_of_202" in CREATED  # the official client loses this job


@pytest.mark.parametrize(
    ("name", "reason", "verdict"),
    [
        ("041_create_answer_401", Reason.AUTHENTICATION, Verdict.REFUSED),
        ("042_create_answer_402", Reason.QUOTA, Verdict.REFUSED),
        ("043_create_answer_403", Reason.MODERATION, Verdict.REFUSED),
        ("044_create_answer_404", Reason.MODEL_UNAVAILABLE, Verdict.REFUSED),
        ("045_create_answer_413", Reason.BAD_REQUEST, Verdict.REFUSED),
        ("047_create_answer_499", Reason.BAD_REQUEST, Verdict.UNKNOWN),
        ("049_create_answer_502", Reason.SERVER, Verdict.UNKNOWN),
        ("050_create_answer_503", Reason.SERVER, Verdict.UNKNOWN),
        ("052_create_answer_html_502", Reason.SERVER, Verdict.UNKNOWN),
    ],
)
def test_an_error_of_an_order_is_judged(name, reason, verdict):
    with pytest.raises(ApiError) as caught:
        BACKEND.read_created(answer_of(name))
    assert (caught.value.reason, BACKEND.judge(caught.value)) == (reason, verdict)


@pytest.mark.parametrize(
    ("status", "error", "verdict"),
    [
        (400, {"code": 400, "message": "Invalid request parameters"}, Verdict.REFUSED),
        (429, {"code": 429, "message": "Rate limit exceeded"}, Verdict.REFUSED_FOR_NOW),
        (
            429,
            {"code": 429, "message": "Provider returned error", "metadata": {"raw": "busy"}},
            Verdict.REFUSED_FOR_NOW,
        ),
        (408, {"code": 408, "message": "Request timed out"}, Verdict.UNKNOWN),
        (500, {"code": 500, "message": "Internal Server Error"}, Verdict.UNKNOWN),
        # an upstream may have taken the order
        (400, {"code": 400, "message": "x", "metadata": {"raw": '{"error":{"code":504}}'}}, Verdict.UNKNOWN),
    ],
)
def test_only_sure_refusals_are_refusals(status, error, verdict):
    answer = Answer(status, json.dumps({"error": error}), {}, f"{BASE}/v1/videos", method="POST")
    with pytest.raises(ApiError) as caught:
        BACKEND.read_created(answer)
    assert BACKEND.judge(caught.value) is verdict


def test_an_order_that_is_accepted_without_a_job_is_not_a_refusal():
    with pytest.raises(ApiError) as caught:
        BACKEND.read_created(Answer(202, '{"status":"pending"}', {}, BASE, method="POST"))
    assert BACKEND.judge(caught.value) is Verdict.UNKNOWN


# --- answers to status calls

CONTENT = f"{BASE}/v1/videos/{JOB}/content?index=0"


@pytest.mark.parametrize(
    ("name", "status", "url", "cost", "reason"),
    [
        ("018_poll_pending", VideoStatus.QUEUED, None, None, None),
        ("019_poll_in_progress", VideoStatus.RUNNING, None, None, None),
        ("020_poll_completed", VideoStatus.COMPLETED, CONTENT, 3.2, None),
        ("021_poll_completed_without_stored_copy", VideoStatus.COMPLETED, CONTENT, None, None),
        ("022_poll_completed_two", VideoStatus.COMPLETED, CONTENT, 6.4, None),
        ("023_poll_completed_without_urls", VideoStatus.COMPLETED, None, None, None),
        ("024_poll_failed", VideoStatus.FAILED, None, None, Reason.MODERATION),
        ("025_poll_cancelled", VideoStatus.CANCELLED, None, None, Reason.UNKNOWN),
        ("026_poll_expired", VideoStatus.EXPIRED, None, None, Reason.UNKNOWN),
        ("027_poll_unknown_status", VideoStatus.UNKNOWN, None, None, None),
    ],
)
def test_a_status_has_its_meaning(name, status, url, cost, reason):
    video = BACKEND.read_video(answer_of(name), JOB)
    assert (video.id, video.status, video.url, video.cost_usd, video.reason) == (JOB, status, url, cost, reason)
    assert video.message == PAIRS[name]["answer"]["body"].get("error", "")
    assert video.expires_at is None  # the end of signed addresses, which are not kept


@pytest.mark.parametrize(
    ("name", "reason"), [("028_poll_404", Reason.NOT_FOUND), ("029_poll_401", Reason.AUTHENTICATION)]
)
def test_an_error_of_a_status_call_has_its_reason(name, reason):
    with pytest.raises(ApiError) as caught:
        BACKEND.read_video(answer_of(name), JOB)
    assert (caught.value.reason, caught.value.permanent) == (reason, True)


def test_a_signed_address_is_kept_nowhere():
    answer = answer_of("020_poll_completed")
    assert "X-Goog-Signature" in answer.text
    assert "X-Goog-Signature" not in repr(BACKEND.read_video(answer, JOB))


def test_a_relative_address_is_one_of_the_server():
    video = polled({"status": "completed", "unsigned_urls": [f" /api/v1/videos/{JOB}/content?index=0"]})
    assert video.url == CONTENT


@pytest.mark.parametrize("urls", [None, [], {}, "https://a/b", [7], [""], ["ftp://a/b"], ["https://[/"]])
def test_a_strange_address_loses_no_job(urls):
    video = polled({"status": "completed", "unsigned_urls": urls, "urls": ["https://cdn.example.com/x?sig=1"]})
    assert (video.status, video.url) == (VideoStatus.COMPLETED, None)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost": 3}, 3.0),
        ({"cost": 0}, 0.0),
        ({"cost": 3.2, "is_byok": False}, 3.2),
        ({"cost": 0.1, "is_byok": True}, None),  # a fee; the provider sends another bill
        *(({"cost": cost}, None) for cost in (None, True, "3.2", -1, float("inf"), [], 1e400)),
        *((usage, None) for usage in (None, 7, "free", [])),
    ],
)
def test_the_price_is_the_one_that_the_server_reports(usage, cost):
    assert polled({"status": "completed", "usage": usage}).cost_usd == cost


def test_a_failed_job_has_a_reason_and_no_address():
    video = polled({"status": "failed", "error": "Insufficient credits", "unsigned_urls": ["https://a/b"]})
    assert (video.status, video.reason, video.url) == (VideoStatus.FAILED, Reason.QUOTA, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["cost", "is_byok", "x"]), inner),
    max_leaves=5,
)


@given(JSON, JSON)
def test_no_optional_field_loses_a_job(urls, usage):
    video = polled({"status": "completed", "unsigned_urls": urls, "usage": usage})
    assert video.status is VideoStatus.COMPLETED


# --- content


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("033_content_400", ContentNotReadyError, Reason.CONTENT),
        ("034_content_404", ContentNotReadyError, Reason.CONTENT),
        ("035_content_409", ContentNotReadyError, Reason.CONTENT),
        ("036_content_410", ContentGoneError, Reason.CONTENT),
        ("037_content_500", ApiError, Reason.SERVER),
        ("038_content_502", ApiError, Reason.SERVER),
    ],
)
def test_an_answer_without_content_has_its_meaning(name, error, reason):
    with pytest.raises(error) as caught:
        find_next_hop(answer_of(name), Asked("Downloading", JOB))
    assert caught.value.reason is reason


def test_the_protocol_cannot_cancel():
    assert BACKEND.cancel_video(JOB) is None


@pytest.mark.parametrize("video_id", ["", "..", "a\nb"])
def test_an_id_that_is_none_is_refused(video_id):
    for ask in (BACKEND.get_video, BACKEND.get_content):
        with pytest.raises(InvalidInputError):
            ask(video_id)


# --- the list of models


def test_the_list_of_models_decides_before_the_order():
    backend = OpenRouterBackend(offers.read_models(answer_of("039_models")))
    with pytest.raises(InvalidInputError, match=r"Model 'google/veo-3\.1' at OpenRouter takes no seconds of 5"):
        list(backend.check(VideoSpec("p", "google/veo-3.1", seconds=5)))
    spec = VideoSpec("p", "google/veo-3.1", seconds=8, size="3840x2160")
    assert (list(backend.check(spec)), backend.estimate_cost(spec)) == ([], 4.8)
    other = VideoSpec("p", "google/veo-9", seconds=5)
    (warning,) = backend.check(other)
    assert "does not list the video model 'google/veo-9'" in warning
    assert backend.estimate_cost(other) is None
    assert BACKEND.estimate_cost(spec) is None
    assert hash(backend) == hash(BACKEND)


@pytest.mark.parametrize(
    ("models", "job", "is_good", "sentence"),
    [
        ("039_models", "028_poll_404", True, f"{BASE} answers and accepts the key. Video models in its list: 1."),
        ("039_models", "029_poll_401", False, "(HTTP 401): User not found. [401]. Check the API key"),
        ("039_models", "052_create_answer_html_502", False, "(HTTP 502): 502 Bad Gateway"),
        ("029_poll_401", "028_poll_404", False, "Listing the video models failed (HTTP 401): User not found."),
        ("028_poll_404", "028_poll_404", False, "Listing the video models failed (HTTP 404): Job not found"),
    ],
)
def test_the_test_button_asks_for_models_and_for_a_job(models, job, is_good, sentence):
    answers = {"/v1/videos/models": answer_of(models), "/v1/videos/veo-connection-test": answer_of(job)}
    found, said = BACKEND.check_api(lambda request: answers[request.path], BASE, sends_key=True)
    assert (found, sentence in said) == (is_good, True), said


def test_without_a_key_the_test_button_says_nothing_about_keys():
    answers = {
        "/v1/videos/models": answer_of("039_models"),
        "/v1/videos/veo-connection-test": answer_of("028_poll_404"),
    }
    assert BACKEND.check_api(lambda request: answers[request.path], BASE, sends_key=False) == (
        True,
        f"{BASE} answers. Video models in its list: 1.",
    )
