"""Requests equal those of the official client (google-genai), and recorded answers have their meaning."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.backend import Cancellation, Verdict
from airflow_provider_veo.api.backends.vertex.backend import VertexBackend
from airflow_provider_veo.api.errors import (
    ApiError,
    ContentNotReadyError,
    InvalidInputError,
    Reason,
    VideoFailedError,
)
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.video import VideoStatus
from tests.support.wire import make_answer, read_pairs, shorten

PAIRS = read_pairs("vertex")
MODEL = "veo-3.1-generate-001"
PATH = f"projects/my-project/locations/us-central1/publishers/google/models/{MODEL}"
NAME = f"{PATH}/operations/7a3f2c9e-1d4b-4c8e-9f6a-0b1c2d3e4f50"
BACKEND = VertexBackend("my-project", "us-central1")

# Recorded requests that no argument can express, and the reasons
NOT_EXPRESSIBLE = {
    "015_create_image_bytes_without_prompt": "a task needs a prompt",
    "031_create_webhook_config_refused": "the client refuses it and sends no request",
    "032_create_prompt_and_source_refused": "the client refuses it and sends no request",
    **{
        name: "Veo with an API key, which Google has shut down in October 2026: another protocol"
        for name in PAIRS
        if "_legacy_key_" in name
    },
}
CREATES = [name for name in PAIRS if "_create_" in name and "_answer_" not in name and name not in NOT_EXPRESSIBLE]
FETCHES = [name for name in PAIRS if "_fetch_" in name]

# Differences from the official client, and the reasons
#   version v1 instead of v1beta1: Google's pages use v1, and so does LiteLLM
#   headers: the session adds them
PATHS = {
    "029_create_model_id_models_slash": (
        "/locations/us-central1/models/",
        "/locations/us-central1/publishers/google/models/",
        "the client builds an address from models/X that Google does not have",
    ),
}

OPTIONS = {
    "number_of_videos": "sampleCount",
    "fps": "fps",
    "seed": "seed",
    "aspect_ratio": "aspectRatio",
    "resolution": "resolution",
    "person_generation": "personGeneration",
    "pubsub_topic": "pubsubTopic",
    "negative_prompt": "negativePrompt",
    "enhance_prompt": "enhancePrompt",
    "generate_audio": "generateAudio",
    "compression_quality": "compressionQuality",
    "resize_mode": "resizeMode",
}
ENUMERATIONS = ("compression_quality", "resize_mode")
SIZES = {("16:9", "720p"): "1280x720", ("9:16", "1080p"): "1080x1920", ("16:9", "4k"): "3840x2160"}


def as_media(given):
    """Return a file of the official client's input as the API has it."""
    names = {"image_bytes": "bytesBase64Encoded", "video_bytes": "bytesBase64Encoded", "gcs_uri": "gcsUri"}
    names |= {"uri": "gcsUri", "mime_type": "mimeType"}
    return {names[name]: value for name, value in given.items()}


def take_frame(given):
    """Return the frame that an input holds as bytes, or None."""
    if not given or "image_bytes" not in given:
        return None
    letters = int(given["image_bytes"].split()[1])
    return Frame(b"\x01" * (letters // 4 * 3), given["mime_type"], 1280, 720)


def make_order(pair):
    """Return the order, and the connection, that express an input of the official client."""
    given, config = pair["input"], dict(pair["input"].get("config", {}))
    source, last = given["source"], config.pop("last_frame", None)
    first_frame, last_frame = take_frame(source.get("image")), take_frame(last)
    shape = SIZES.get((config.get("aspect_ratio"), config.get("resolution")))
    if shape:
        del config["aspect_ratio"], config["resolution"]
    instance = {}
    if "image" in source and first_frame is None:
        instance["image"] = as_media(source["image"])
    if last and last_frame is None:
        instance["lastFrame"] = as_media(last)
    if "video" in source:
        instance["video"] = as_media(source["video"])
    if references := config.pop("reference_images", None):
        instance["referenceImages"] = [
            {"image": as_media(item["image"]), "referenceType": item["reference_type"]} for item in references
        ]
    if mask := config.pop("mask", None):
        instance["mask"] = as_media(mask["image"]) | {"maskMode": mask["mask_mode"]}
    seconds, output_uri = config.pop("duration_seconds", None), config.pop("output_gcs_uri", None)
    labels = config.pop("labels", None)
    extra = {"instances": [instance]} if instance else {}
    extra |= {"labels": labels} if labels else {}
    if config:
        # the client writes words of its enumerations in upper case
        words = {name: value.upper() for name, value in config.items() if name in ENUMERATIONS}
        extra["parameters"] = {OPTIONS[name]: value for name, value in (config | words).items()}
    spec = VideoSpec(source["prompt"], given["model"], first_frame, last_frame, seconds, shape, extra)
    location = "global" if "location=global" in pair["client"] else "us-central1"
    return spec, VertexBackend("my-project", location, output_uri)


@pytest.mark.parametrize("name", CREATES)
def test_an_order_is_the_request_of_the_official_client(name):
    pair = PAIRS[name]
    spec, backend = make_order(pair)
    request, recorded = backend.create_video(spec, None), pair["request"]
    path = recorded["path"].replace("/v1beta1/", "/v1/")
    if name in PATHS:
        theirs, ours, _reason = PATHS[name]
        path = path.replace(theirs, ours)
    assert (request.method, request.path) == (recorded["method"], path)
    assert shorten(request.json) == recorded["body"]
    assert not request.parts
    assert not request.headers


@pytest.mark.parametrize("name", FETCHES)
def test_a_status_call_is_the_request_of_the_official_client(name):
    recorded = PAIRS[name]["request"]
    request = BACKEND.get_video(NAME)
    assert (request.method, request.path) == (recorded["method"], recorded["path"].replace("/v1beta1/", "/v1/"))
    assert request.json == recorded["body"]
    assert BACKEND.get_content(NAME) == request


def test_each_recorded_pair_is_tried_or_named():
    answers = [name for name in PAIRS if "_answer_create_" in name]
    assert sorted([*CREATES, *FETCHES, *answers, *NOT_EXPRESSIBLE]) == sorted(PAIRS)
    assert set(CREATE_ANSWERS) == set(answers)
    assert set(MEANINGS) | set(STATUS_ERRORS) == set(FETCHES)


@pytest.mark.parametrize("name", CREATES)
def test_a_recorded_order_makes_a_job(name):
    video = BACKEND.read_created(make_answer(PAIRS[name]))
    assert (video.id, video.status, video.model) == (NAME, VideoStatus.RUNNING, MODEL)


DONE, FAILED, RUNNING = VideoStatus.COMPLETED, VideoStatus.FAILED, VideoStatus.RUNNING

# status, address of the video, reason, whether the reason is for good, part of the message
MEANINGS = {
    "038_fetch_running_name_only": (RUNNING, None, None, ""),
    "039_fetch_running_with_metadata": (RUNNING, None, None, ""),
    "040_answer_fetch_running_bare": (RUNNING, None, None, ""),
    "041_answer_fetch_running_done_false": (RUNNING, None, None, ""),
    "044_answer_fetch_done_inline": (DONE, None, None, ""),
    "046_answer_fetch_done_filtered_image": (FAILED, None, Reason.MODERATION, "Support codes: 15236754"),
    "047_answer_fetch_done_filtered_prompt": (FAILED, None, Reason.MODERATION, "Support codes: 58061214"),
    "048_answer_fetch_done_filtered_audio": (FAILED, None, Reason.UNKNOWN, "issue with the audio"),
    "049_answer_fetch_done_filtered_no_reason": (FAILED, None, Reason.MODERATION, "content filter"),
    "050_answer_fetch_done_empty_response": (FAILED, None, Reason.UNKNOWN, "neither a video nor a reason"),
    "051_answer_fetch_done_no_response": (FAILED, None, Reason.UNKNOWN, "neither a video nor a reason"),
    "052_answer_fetch_done_old_generated_samples": (DONE, "gs://b/x.mp4", None, ""),
    "054_answer_fetch_error_duration": (FAILED, None, Reason.BAD_REQUEST, "duration 5 seconds"),
    "055_answer_fetch_error_image_and_references": (FAILED, None, Reason.BAD_REQUEST, "cannot be both set"),
    "056_answer_fetch_done_filtered_capture": (FAILED, None, Reason.MODERATION, "Support codes: 42237218"),
    "057_answer_fetch_error_use_case": (FAILED, None, Reason.BAD_REQUEST, "use case"),
    "058_answer_fetch_error_internal": (FAILED, None, Reason.SERVER, "Internal error"),
    "059_answer_fetch_error_unavailable": (FAILED, None, Reason.SERVER, "unavailable"),
    "060_answer_fetch_error_resource_exhausted": (FAILED, None, Reason.RATE_LIMITED, "heavy load"),
    "061_answer_fetch_error_permission_bucket": (FAILED, None, Reason.FORBIDDEN, "storage.objects.create"),
    "062_answer_fetch_error_deadline": (FAILED, None, Reason.SERVER, "Deadline expired"),
    "063_answer_fetch_error_cancelled": (VideoStatus.CANCELLED, None, Reason.UNKNOWN, "cancelled"),
}
FOR_GOOD = {Reason.MODERATION, Reason.BAD_REQUEST, Reason.FORBIDDEN}


@pytest.mark.parametrize("name", MEANINGS)
def test_a_recorded_status_has_its_meaning(name):
    status, url, reason, message = MEANINGS[name]
    video = BACKEND.read_video(make_answer(PAIRS[name]), NAME)
    assert (video.id, video.status, video.url, video.reason) == (NAME, status, url, reason)
    assert message in video.message
    assert bool(video.message) == bool(message)
    assert not video.in_doubt
    if reason:
        assert reason.permanent == (reason in FOR_GOOD)


@pytest.mark.parametrize("name", MEANINGS)
def test_the_content_of_a_recorded_status_is_found(name):
    status, url, reason, message = MEANINGS[name]
    answer = make_answer(PAIRS[name])
    if status is RUNNING:
        with pytest.raises(ContentNotReadyError):
            BACKEND.find_content(answer)
    elif status is DONE:
        assert BACKEND.find_content(answer) == url
    else:
        with pytest.raises(VideoFailedError, match=message) as caught:
            BACKEND.find_content(answer)
        assert (caught.value.video_id, caught.value.reason) == (NAME, reason)


STATUS_ERRORS = {
    "064_answer_fetch_404_unknown_operation": Reason.NOT_FOUND,
    "065_answer_fetch_400_bad_name": Reason.BAD_REQUEST,
}


@pytest.mark.parametrize("name", STATUS_ERRORS)
def test_a_recorded_error_of_a_status_call_has_its_reason(name):
    for read in (lambda answer: BACKEND.read_video(answer, NAME), BACKEND.find_content):
        with pytest.raises(ApiError) as caught:
            read(make_answer(PAIRS[name]))
        assert (caught.value.reason, caught.value.permanent) == (STATUS_ERRORS[name], True)


REFUSED, FOR_NOW, UNKNOWN = Verdict.REFUSED, Verdict.REFUSED_FOR_NOW, Verdict.UNKNOWN

# verdict, reason
CREATE_ANSWERS = {
    "066_answer_create_400_invalid_argument": (REFUSED, Reason.BAD_REQUEST),
    "067_answer_create_400_bad_request_details": (REFUSED, Reason.BAD_REQUEST),
    "068_answer_create_400_failed_precondition": (REFUSED, Reason.BAD_REQUEST),
    "069_answer_create_401": (REFUSED, Reason.AUTHENTICATION),
    "070_answer_create_401_api_key": (REFUSED, Reason.AUTHENTICATION),
    "071_answer_create_403_service_disabled": (REFUSED, Reason.FORBIDDEN),
    "073_answer_create_403_iam": (REFUSED, Reason.FORBIDDEN),
    "074_answer_create_404_model": (REFUSED, Reason.MODEL_UNAVAILABLE),
    "075_answer_create_429_quota": (FOR_NOW, Reason.RATE_LIMITED),
    "076_answer_create_429_dsq": (FOR_NOW, Reason.RATE_LIMITED),
    "077_answer_create_429_retry_info": (FOR_NOW, Reason.RATE_LIMITED),
    "078_answer_create_500": (UNKNOWN, Reason.SERVER),
    "079_answer_create_503": (UNKNOWN, Reason.SERVER),
    "080_answer_create_200_error_list": (UNKNOWN, Reason.UNREADABLE),
    "081_answer_create_200_empty": (UNKNOWN, Reason.UNREADABLE),
    "082_answer_create_502_html": (UNKNOWN, Reason.SERVER),
    "083_answer_create_403_scope": (REFUSED, Reason.FORBIDDEN),
}


@pytest.mark.parametrize("name", CREATE_ANSWERS)
def test_a_recorded_error_of_an_order_has_its_verdict(name):
    with pytest.raises(ApiError) as caught:
        BACKEND.read_created(make_answer(PAIRS[name]))
    assert (BACKEND.judge(caught.value), caught.value.reason) == CREATE_ANSWERS[name]


def test_a_pause_that_google_asks_for_is_kept():
    with pytest.raises(ApiError) as caught:
        BACKEND.read_created(make_answer(PAIRS["077_answer_create_429_retry_info"]))
    assert caught.value.retry_after == 30.0


def test_the_api_cannot_cancel_and_knows_no_idempotency_key():
    spec = VideoSpec("A boat.", MODEL)
    assert BACKEND.cancel_video(NAME) is None
    assert BACKEND.read_cancellation(Answer(404, ""), NAME) is Cancellation.IMPOSSIBLE
    assert BACKEND.create_video(spec, "key") == BACKEND.create_video(spec, None)


def test_an_operation_of_another_project_is_asked_for_where_its_name_says():
    name = "projects/other/locations/europe-west4/publishers/google/models/veo-9/operations/1"
    request = BACKEND.get_video(name)
    assert request.path == (
        "/v1/projects/other/locations/europe-west4/publishers/google/models/veo-9:fetchPredictOperation"
    )
    assert request.json == {"operationName": name}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"project": ""}, "project"),
        ({"project": "../x"}, "project"),
        ({"location": "us central1"}, "location"),
        ({"location": None}, "location"),
        ({"output_uri": "s3://bucket/x"}, "output_uri"),
        ({"output_uri": "gs://"}, "output_uri"),
        ({"output_uri": "gs://bucket/a\nb"}, "output_uri"),
    ],
)
def test_a_connection_with_a_wrong_field_is_refused(fields, word):
    with pytest.raises(InvalidInputError, match=word):
        VertexBackend(**{"project": "p", "location": "l"} | fields)


def test_a_wrong_model_is_refused_before_the_order():
    spec = VideoSpec("A boat.", "publishers/other/models/x")
    with pytest.raises(InvalidInputError, match="model is 'publishers/other/models/x'"):
        list(BACKEND.check(spec))


def test_a_price_is_known_before_the_order():
    assert BACKEND.estimate_cost(VideoSpec("A boat.", MODEL, seconds=8)) == 3.2
