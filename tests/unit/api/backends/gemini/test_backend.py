"""The requests of the backend for Google's Interactions API equal those of Google's own client, field by field."""

from __future__ import annotations

import json

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.backend import Cancellation
from airflow_provider_veo.api.backends.gemini.backend import GeminiBackend
from airflow_provider_veo.api.errors import ApiError, InvalidInputError, Reason
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec
from tests.support.wire import read_pairs

RECORDED = read_pairs("gemini")
KEY = GeminiBackend()
CLOUD = GeminiBackend("my-project")
BUCKET = GeminiBackend("my-project", output_uri="gs://my-bucket/omni/")
JOB = "v1_ChdTYW1wbGVJbnRlcmFjdGlvbklk"
BOAT = "A paper boat drifts down a rainy street."
PNG = Frame(b"picture", "image/png", 1280, 720)


def video_config(task):
    return {"generation_config": {"video_config": {"task": task}}}


def form(**fields):
    return {"response_format": fields}


ALL_OPTIONS = {
    "generation_config": {
        "max_output_tokens": 65536,
        "seed": 7,
        "temperature": 1.0,
        "thinking_level": "low",
        "thinking_summaries": "auto",
        "top_p": 0.95,
        "video_config": {"task": "text_to_video"},
    },
    "labels": {"team": "film", "airflow_dag": "daily_trailer"},
    "response_modalities": ["video"],
    "safety_settings": [{"threshold": "block_only_high", "type": "harassment"}],
    "service_tier": "standard",
    "store": True,
    "system_instruction": "No text on screen.",
}
CLOUD_OPTIONS = {
    "generation_config": {"seed": 7, "video_config": {"task": "text_to_video"}},
    "labels": {"team": "film"},
    "store": True,
}

# name of the record: backend, arguments of the order
EXPRESSED = {
    "001_create_text_only": (KEY, {}),
    "002_create_text_background": (KEY, {}),
    "004_create_all_options_key": (KEY, {"seconds": 8, "size": "1080x1920", "extra_body": ALL_OPTIONS}),
    "005_create_response_format_as_list": (KEY, {"seconds": 5, "size": "1280x720"}),
    "006_create_resolution_360p": (KEY, {"extra_body": form(resolution="360p")}),
    "008_create_resolution_1080p": (KEY, {"extra_body": form(resolution="1080p")}),
    "009_create_resolution_4k": (KEY, {"extra_body": form(resolution="4k")}),
    "010_create_delivery_inline": (KEY, {"extra_body": form(delivery="inline")}),
    "011_create_delivery_uri": (KEY, {}),
    "012_create_image_bytes": (KEY, {"seconds": 5.0, "first_frame": PNG}),
    "014_create_first_and_last_frame": (KEY, {"seconds": "8", "first_frame": PNG, "last_frame": PNG}),
    "016_create_edit_previous_interaction": (
        KEY,
        {"extra_body": {"previous_interaction_id": JOB} | video_config("edit")},
    ),
    "019_create_extend_previous_interaction": (
        KEY,
        {"seconds": 7, "extra_body": {"previous_interaction_id": JOB} | video_config("extend")},
    ),
    "021_create_upscale_previous_interaction": (
        KEY,
        {"extra_body": {"previous_interaction_id": JOB} | form(resolution="4k") | video_config("upscale")},
    ),
    "022_create_webhook_config": (
        KEY,
        {
            "extra_body": {
                "webhook_config": {
                    "uris": ["https://hooks.example.com/veo"],
                    "user_metadata": {"dag_id": "d", "run_id": "r"},
                }
            }
        },
    ),
    "023_create_service_tier_flex": (KEY, {"extra_body": {"service_tier": "flex"}}),
    "025_create_service_tier_priority": (KEY, {"extra_body": {"service_tier": "priority"}}),
    "026_create_service_tier_deferred": (KEY, {"extra_body": {"service_tier": "deferred"}}),
    # `check` refuses the negative prompt
    "028_create_unknown_option": (
        KEY,
        {"extra_body": {"response_format": [{"fps": 24}], "negative_prompt": "rain"}},
    ),
    "029_vertex_create_text_only": (CLOUD, {}),
    "030_vertex_create_all_options": (BUCKET, {"seconds": 8, "size": "1920x1080", "extra_body": CLOUD_OPTIONS}),
    "033_vertex_create_quota_project": (CLOUD, {}),
    "034_vertex_create_api_version_v1": (CLOUD, {}),
    "121_old_sdk_create_text": (KEY, {"seconds": 5}),
}
NOT_EXPRESSED = {
    "003_create_text_as_content_list": "an order without pictures sends its prompt as a text; both forms are taken",
    "013_create_image_file_uri": "frames are sent as bytes",
    "015_create_reference_images": "there is no argument for references yet",
    "017_create_edit_video_file_uri": "there is no argument for a video yet",
    "018_create_edit_video_bytes": "there is no argument for a video yet",
    "020_create_extend_video_file_uri": "there is no argument for a video yet",
    "027_create_store_false": "a job that is not stored has no ID, so it would be lost",
    "031_vertex_create_image_gcs_uri": "frames are sent as bytes",
    "032_vertex_create_extend_video_gcs": "there is no argument for a video yet",
}
# Not in tests/wire, since this package does not make these calls: 039, 042 and 050 (delete), 051 (upload), 052 (a call
# that the client refuses), 053 to 059 and 141 (webhooks), 140 (how often the client repeats).

# path of the field: the client's value (None: it does not send it), our value, the reason
ALLOWED = {
    "background": (None, True, "a call that blocks may break off, and its job would be lost"),
    "response_format": (None, {"type": "video", "delivery": "uri"}, "an answer may have 4 MB at most"),
    "response_format.delivery": (None, "uri", "an answer may have 4 MB at most"),
}
ALLOWED_OF = {
    "005_create_response_format_as_list": {
        "response_format": (
            [{"aspect_ratio": "16:9", "duration": "5s", "resolution": "720p", "type": "video"}],
            {"aspect_ratio": "16:9", "duration": "5s", "resolution": "720p", "type": "video", "delivery": "uri"},
            "both forms are taken",
        )
    },
    "029_vertex_create_text_only": {"response_format": (None, {"type": "video"}, "the kind is said in every order")},
}
ALLOWED_OF["033_vertex_create_quota_project"] = ALLOWED_OF["029_vertex_create_text_only"]
ALLOWED_OF["034_vertex_create_api_version_v1"] = ALLOWED_OF["029_vertex_create_text_only"]
OTHER_VERSIONS = {
    "034_vertex_create_api_version_v1": "the client uses v1beta1 by default",
    "121_old_sdk_create_text": "google-genai 2 used v1beta, google-genai 3 uses v1",
    "123_old_sdk_get": "google-genai 2 used v1beta, google-genai 3 uses v1",
}


def find_differences(theirs, ours, path=""):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = {}
        for name in theirs | ours:
            found |= find_differences(theirs.get(name), ours.get(name), f"{path}.{name}".strip("."))
        return found
    return {} if theirs == ours else {path: (theirs, ours)}


def without_pictures(body):
    """Return a body with a placeholder for the bytes of each picture, which the records shorten."""
    inputs = body["input"]
    if isinstance(inputs, list):
        for part in inputs[0]["content"]:
            if "data" in part:
                part["data"] = "<base64>"
    return body


def prompt_of(record):
    given = record["input"]["input"]
    return given if isinstance(given, str) else given[0]["text"]


def without_version(path):
    return "/".join(part for part in path.split("/") if part not in ("v1", "v1beta", "v1beta1"))


@pytest.mark.parametrize("name", EXPRESSED)
def test_an_order_equals_that_of_googles_client(name):
    backend, arguments = EXPRESSED[name]
    record = RECORDED[name]
    spec = VideoSpec(prompt_of(record), record["input"]["model"], **arguments)
    request = backend.create_video(spec, "key of the order")
    theirs = record["request"]
    assert (request.method, dict(request.headers), request.parts) == (theirs["method"], {}, ())
    assert (name in OTHER_VERSIONS) is (request.path != theirs["path"])
    assert without_version(request.path) == without_version(theirs["path"])
    differences = find_differences(
        without_pictures(json.loads(json.dumps(theirs["body"]))), without_pictures(json.loads(json.dumps(request.json)))
    )
    allowed = {path: pair[:2] for path, pair in (ALLOWED | ALLOWED_OF.get(name, {})).items()}
    assert {path: pair for path, pair in differences.items() if allowed.get(path) != pair} == {}


def test_every_recorded_order_is_expressed_or_has_a_reason():
    recorded = {name for name, record in RECORDED.items() if "input" in record}
    assert recorded == EXPRESSED.keys() | NOT_EXPRESSED.keys()
    assert not EXPRESSED.keys() & NOT_EXPRESSED.keys()


def is_about_a_job(name):
    # 037 asks for the input, too, which is not needed
    return "_create" not in name and "files" not in name and name != "037_get_include_input"


@pytest.mark.parametrize("name", [name for name in RECORDED if is_about_a_job(name)])
def test_a_call_about_a_job_equals_that_of_googles_client(name):
    theirs = RECORDED[name]["request"]
    backend = CLOUD if "my-project" in theirs["path"] else KEY
    job = "v1_x" if "old_sdk" in name else JOB
    request = backend.cancel_video(job) if theirs["method"] == "POST" else backend.get_video(job)
    query = "&".join(f"{key}={value}" for key, value in theirs["query"].items())
    path = theirs["path"] + (f"?{query}" if query else "")
    assert (request.method, request.json, request.parts) == (theirs["method"], theirs["body"], ())
    assert (name in OTHER_VERSIONS) is (request.path != path)
    assert without_version(request.path) == without_version(path)


@pytest.mark.parametrize("name", [name for name in RECORDED if "files_" in name])
def test_a_call_for_a_file_equals_that_of_googles_client(name):
    theirs = RECORDED[name]["request"]
    base = "https://generativelanguage.googleapis.com"
    video = {"type": "video", "uri": f"{base}/v1beta/files/abc123def456"}
    body = {"status": "completed", "steps": [{"type": "model_output", "content": [video]}]}
    address = KEY.find_content(Answer(200, json.dumps(body), {}, f"{base}/v1/interactions/{JOB}?stream=false"))
    if "download" in name:
        active = RECORDED["043_files_get_active"]["answer"]["body"]
        address = KEY.find_content(Answer(200, json.dumps(active), {}, address))
    query = "&".join(f"{key}={value}" for key, value in theirs["query"].items())
    assert address == f"{base}{theirs['path']}" + (f"?{query}" if query else "")


def test_the_first_content_call_is_the_status_call():
    assert KEY.get_content(JOB) == KEY.get_video(JOB)


@pytest.mark.parametrize("video_id", ["", " ", "..", "two\nlines", None, 7, "x" * 2_000])
def test_a_text_that_cannot_be_an_id_is_refused(video_id):
    for build in (KEY.get_video, KEY.cancel_video, KEY.get_content):
        with pytest.raises(InvalidInputError, match="video_id must be the id of an interaction"):
            build(video_id)


def test_ids_and_projects_are_quoted():
    backend = GeminiBackend("a/b", "c?d")
    assert backend.get_video("e/f?g").path == (
        "/v1beta1/projects/a%2Fb/locations/c%3Fd/interactions/e%2Ff%3Fg?stream=false"
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"location": "global"}, "no project"),
        ({"output_uri": "gs://b/x/"}, "no project"),
        ({"project": "p", "output_uri": "s3://b/x/"}, "gs://bucket/folder/"),
    ],
)
def test_a_connection_that_cannot_work_is_refused(fields, words):
    with pytest.raises(InvalidInputError, match=words):
        GeminiBackend(**fields)


def cancelling(status, body):
    return KEY.read_cancellation(Answer(status, json.dumps(body), {}, method="POST"), JOB)


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("038_cancel", Cancellation.STOPPED),
        ("041_vertex_cancel", Cancellation.STOPPED),
        ("082_answer_cancel_ok", Cancellation.STOPPED),
        ("083_answer_cancel_already_done_400", Cancellation.IMPOSSIBLE),
    ],
)
def test_recorded_answers_to_cancellations_are_read(name, result):
    answer = RECORDED[name]["answer"]
    assert cancelling(answer["status"], answer["body"]) is result


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (200, {"id": JOB, "status": "completed"}, Cancellation.IMPOSSIBLE),
        (200, {"id": JOB, "status": "failed"}, Cancellation.IMPOSSIBLE),
        (200, {"id": JOB, "status": "in_progress"}, Cancellation.ACCEPTED),
        (200, {}, Cancellation.ACCEPTED),
        (200, [], Cancellation.ACCEPTED),
        (404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "x"}}, Cancellation.IMPOSSIBLE),
        (405, {}, Cancellation.IMPOSSIBLE),
        (501, {}, Cancellation.IMPOSSIBLE),
    ],
)
def test_other_answers_to_cancellations_are_read(status, body, result):
    assert cancelling(status, body) is result


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, Reason.AUTHENTICATION), (403, Reason.FORBIDDEN), (429, Reason.RATE_LIMITED), (503, Reason.SERVER)],
)
def test_a_cancellation_that_failed_is_an_error(status, reason):
    with pytest.raises(ApiError) as caught:
        cancelling(status, {"error": {"code": status, "message": "x"}})
    assert caught.value.reason is reason


def test_the_backend_has_its_own_name_model_and_first_pause():
    assert (KEY.name, KEY.default_model, KEY.opening) == ("gemini", "gemini-omni-1.2-flash", 25.0)
    assert KEY.key_header == "x-goog-api-key"


@pytest.mark.parametrize(
    ("backend", "address"),
    [
        (KEY, "https://generativelanguage.googleapis.com"),
        (CLOUD, "https://aiplatform.googleapis.com"),
        (GeminiBackend("p", "eu"), "https://aiplatform.eu.rep.googleapis.com"),
        (GeminiBackend("p", "us-central1"), "https://us-central1-aiplatform.googleapis.com"),
    ],
)
def test_the_address_follows_from_the_location(backend, address):
    assert backend.address == address
