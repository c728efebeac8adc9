"""LiteLLM's proxy in front of Google's Veo: recorded requests and answers, and the warnings before an order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai.backend import OpenAiBackend
from airflow_provider_veo.api.backends.profiles import PROFILES
from airflow_provider_veo.api.content.locate import Asked, find_next_hop
from airflow_provider_veo.api.errors import ApiError, InvalidInputError, Reason, VeoError, VideoFailedError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.verdict import Verdict
from airflow_provider_veo.api.video import VideoStatus
from tests.support.pictures import picture

PAIRS = {pair["name"]: pair for pair in json.loads((Path(__file__).parents[4] / "wire/litellm.json").read_text())}
ORDERS = [name for name, pair in PAIRS.items() if pair["request"]["path"] == "/v1/videos"]
FRAME = Frame.from_bytes(picture("PNG"), "a.png")
BACKEND = OpenAiBackend()
PROFILE = PROFILES["litellm"]

NOT_EXPRESSIBLE = {
    "03_create_seconds_int": "an order of ours has its length as a text, which all servers of this protocol read",
}
ALLOWED_DIFFERENCES = {
    "x-litellm-num-retries": "prevents that the proxy repeats a paid order",
    "file names and sizes": "the recording has only the length of the picture, which is another picture",
}


def answer_of(name):
    pair = PAIRS[name]
    body, request = pair["answer"]["body"], pair["request"]
    text = body if isinstance(body, str) else json.dumps(body)
    url = f"https://proxy.example.com{request['path']}"
    return Answer(pair["answer"]["status"], text, pair["answer"]["headers"], url, method=request["method"])


def job_of(name):
    return PAIRS[name]["request"]["path"].split("/")[3]


def fields_of(name):
    body = PAIRS[name]["request"]["body"]
    return body["form"] if set(body) == {"form", "files"} else body


def make_spec(name):
    """Return our order for the fields of a recorded one."""
    fields, frames = dict(fields_of(name)), PAIRS[name]["request"]["body"].get("files", [])
    if isinstance(fields.get("parameters"), str):
        fields["parameters"] = json.loads(fields["parameters"])
    arguments = {field: fields.pop(field) for field in ("prompt", "model", "seconds", "size") if field in fields}
    arguments |= dict(zip(("first_frame", "last_frame"), [FRAME] * len(frames), strict=False))
    return VideoSpec(**arguments, extra_body=fields)


@pytest.mark.parametrize("name", [name for name in ORDERS if name not in NOT_EXPRESSIBLE])
def test_an_order_equals_the_recorded_one(name):
    recorded = PAIRS[name]["request"]
    is_form = recorded["headers"]["content-type"].startswith("multipart")
    backend = OpenAiBackend("multipart") if is_form else BACKEND
    ours = backend.create_video(make_spec(name), None)
    assert (ours.method, ours.path) == (recorded["method"], recorded["path"])
    assert set(ours.headers) <= set(ALLOWED_DIFFERENCES)
    if not is_form:
        assert ours.json == recorded["body"]
        return
    texts = {field: part[1].decode() for field, part in ours.parts if part[0] is None}
    files = [(field, part[2]) for field, part in ours.parts if part[0] is not None]
    assert texts == recorded["body"]["form"]
    assert files == [(file["name"], file["content_type"]) for file in recorded["body"]["files"]]


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in ORDERS])
def test_another_call_equals_the_recorded_one(name):
    recorded = PAIRS[name]["request"]
    video_id = job_of(name)
    calls = {"DELETE": BACKEND.cancel_video, "GET": BACKEND.get_video}
    ask = BACKEND.get_content if recorded["path"].endswith("/content") else calls[recorded["method"]]
    ours = ask(video_id)
    assert (ours.method, ours.path, ours.json) == (recorded["method"], recorded["path"].replace("=", "%3D"), None)


# --- warnings before an order; the recorded request of the proxy to Google shows the loss

WARNINGS = {
    "06": "LiteLLM's proxy makes it 16:9 silently",
    "11": "extra_body sets seed: with a model of vertex_ai/, LiteLLM's proxy drops that silently",
    "12": "extra_body sets duration: ",
    "13": "extra_body sets generate_audio: ",
    "14": "extra_body sets negative_prompt: ",
    "15": "extra_body sets metadata: ",
    "16": "extra_body sets instances: ",
    "17": "extra_body sets instances: ",
    "19": "passes on only the last of two frames, as the first one",
    "21": "drops that silently from an order with frames",
}
REFUSED = {"09": "extra_body sets parameters.storageUri (model 'veo')"}


@pytest.mark.parametrize("name", ORDERS)
def test_each_loss_in_the_proxy_is_said_before_the_order(name):
    spec = make_spec(name)
    number = name[:2]
    if number in REFUSED:
        with pytest.raises(InvalidInputError) as caught:
            list(PROFILE.check(spec))
        assert str(caught.value).startswith(REFUSED[number])
        return
    warnings = list(PROFILE.check(spec))
    assert len(warnings) == (number in WARNINGS)
    assert WARNINGS.get(number, "") in "".join(warnings)


@pytest.mark.parametrize("name", [name for name in ORDERS if name[:2] in WARNINGS])
def test_the_warnings_are_about_real_losses(name):
    (upstream,) = PAIRS[name]["upstream"]
    instance, parameters = upstream["instances"][0], upstream.get("parameters", {})
    assert not {"lastFrame", "referenceImages", "negativePrompt"} & set(instance)
    assert not set(parameters) - {"aspectRatio"}


# --- answers


@pytest.mark.parametrize("name", [name for name in ORDERS if PAIRS[name]["answer"]["status"] == 200])
def test_an_answer_to_an_order_names_the_job(name):
    video = BACKEND.read_created(answer_of(name))
    assert (video.id, video.status) == (PAIRS[name]["answer"]["body"]["id"], VideoStatus.RUNNING)
    assert video.cost_usd is None  # the proxy's header is an estimate


@pytest.mark.parametrize(
    ("name", "reason", "verdict"),
    [
        ("25_create_unknown_model", Reason.BAD_REQUEST, Verdict.REFUSED),
        ("27_create_upstream_401_first", Reason.AUTHENTICATION, Verdict.REFUSED),
        ("30_create_upstream_400", Reason.BAD_REQUEST, Verdict.REFUSED),
        ("31_create_upstream_401", Reason.AUTHENTICATION, Verdict.REFUSED),
        ("32_create_upstream_403", Reason.FORBIDDEN, Verdict.REFUSED),
        ("33_create_upstream_404", Reason.NO_ROUTE, Verdict.REFUSED),
        ("34_create_upstream_429", Reason.RATE_LIMITED, Verdict.REFUSED_FOR_NOW),
        ("35_create_upstream_500", Reason.SERVER, Verdict.UNKNOWN),
        ("36_create_upstream_503", Reason.SERVER, Verdict.UNKNOWN),
    ],
)
def test_an_error_of_an_order_is_judged(name, reason, verdict):
    with pytest.raises(ApiError) as caught:
        BACKEND.read_created(answer_of(name))
    assert (caught.value.reason, BACKEND.judge(caught.value)) == (reason, verdict)


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("37_status_running", VideoStatus.RUNNING, None),
        ("38_status_inline", VideoStatus.COMPLETED, None),
        ("39_status_two", VideoStatus.COMPLETED, None),
        ("40_status_gcs", VideoStatus.COMPLETED, None),
        ("41_status_filtered", VideoStatus.COMPLETED, None),  # only the content shows it
        ("42_status_error", VideoStatus.FAILED, Reason.BAD_REQUEST),
    ],
)
def test_a_status_has_its_meaning(name, status, reason):
    video = BACKEND.read_video(answer_of(name), job_of(name))
    assert (video.id, video.status, video.reason, video.url) == (job_of(name), status, reason, None)


def test_a_cooldown_of_the_proxy_is_waiting():
    with pytest.raises(ApiError) as caught:
        BACKEND.read_video(answer_of("28_status_during_cooldown"), "v")
    error = caught.value
    assert (error.reason, error.permanent, error.retry_after) == (Reason.RATE_LIMITED, False, 5.0)


@pytest.mark.parametrize(
    ("name", "permanent"), [("43_status_404", True), ("44_status_503", False), ("53_status_unknown_id", False)]
)
def test_an_error_of_a_status_call_is_final_only_if_the_job_is_unknown(name, permanent):
    with pytest.raises(ApiError) as caught:
        BACKEND.read_video(answer_of(name), "v")
    assert caught.value.permanent is permanent


def test_a_completed_job_whose_content_has_no_video_was_filtered():
    with pytest.raises(VideoFailedError) as caught:
        find_next_hop(answer_of("49_content_filtered"), Asked("Downloading", "v"))
    assert (caught.value.reason, caught.value.permanent) == (Reason.MODERATION, True)
    assert "No video data found in completed operation" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("29_content_during_cooldown", Reason.RATE_LIMITED),
        ("45_content_running", Reason.SERVER),
        ("48_content_gcs", Reason.SERVER),
        ("52_content_503", Reason.SERVER),
    ],
)
def test_content_that_may_still_come_is_asked_for_again(name, reason):
    with pytest.raises(VeoError) as caught:
        find_next_hop(answer_of(name), Asked("Downloading", "v"))
    assert (caught.value.reason, caught.value.permanent) == (reason, False)
