"""Orders that Gemini Omni cannot make are refused before they are sent, and doubtful ones are warned of."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.gemini.backend import GeminiBackend
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec

NEW, OLD = "gemini-omni-1.2-flash", "gemini-omni-1.1-flash"
PNG = Frame(b"picture", "image/png", 1280, 720)
KEY = GeminiBackend()
CLOUD = GeminiBackend("p", output_uri="gs://b/x/")
BETWEEN = {"first_frame": PNG, "last_frame": PNG}
EXTEND = {"extra_body": {"generation_config": {"video_config": {"task": "extend"}}}}


def check(arguments, model=NEW, backend=KEY):
    return list(backend.check(VideoSpec("A boat.", model, **arguments)))


def in_form(**fields):
    return {"extra_body": {"response_format": fields}}


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        (NEW, {}),
        (NEW, {"seconds": 3}),
        (NEW, {"seconds": 15, "first_frame": PNG}),
        (NEW, {"seconds": 10, **BETWEEN}),
        (NEW, {"seconds": 10, **EXTEND}),
        (NEW, {"seconds": 8, "size": "2160x3840"}),
        (NEW, in_form(duration="15s", resolution="4k", aspect_ratio="9:16")),
        (NEW, {"extra_body": {"labels": {"team": "a-b_9", "x" * 63: "y" * 63, "empty": ""}}}),
        # nothing is known of another model
        ("gemini-omni-2-flash", {"seconds": 60, "extra_body": {"negative_prompt": "rain"}}),
        ("gemini-omni-2-flash", in_form(resolution="8k", duration=7)),
    ],
)
def test_an_order_without_a_fault_causes_no_warning(model, arguments):
    assert check(arguments, model) == []


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        (NEW, {"seconds": 2}, r"seconds is 2: 'gemini-omni-1\.2-flash' makes videos of 3 to 15 whole seconds"),
        (NEW, {"seconds": 16}, r"seconds is 16: .* 3 to 15 "),
        (NEW, {"seconds": 4.5}, r"seconds is 4\.5: .* whole seconds only"),
        (NEW, {"seconds": 11, **BETWEEN}, "between a first_frame and a last_frame of 3 to 10 whole seconds"),
        (NEW, {"seconds": 11, **EXTEND}, "makes extensions of 3 to 10 whole seconds"),
        (OLD, {"seconds": 11}, r"seconds is 11: 'gemini-omni-1\.1-flash' makes videos of 3 to 10 whole seconds"),
        ("gemini-omni-1.1-flash-preview", {"seconds": 11}, "3 to 10"),
        (NEW, in_form(duration="16s"), r"response_format\.duration in extra_body is 16: "),
        (NEW, in_form(duration="8"), "duration in extra_body is '8'; it must be a text of whole seconds, like '8s'"),
        (NEW, in_form(duration=8), "duration in extra_body is 8; it must be a text"),
        (NEW, in_form(duration="08s"), "it must be a text"),
        (NEW, {"size": "1024x1024"}, "size is '1024x1024': 'gemini-omni-1.2-flash' makes 640x360"),
        (NEW, in_form(resolution="4K"), "resolution to '4K': .* takes '360p', '720p', '1080p', '4k'"),
        (NEW, in_form(resolution=720), "resolution to 720"),
        (NEW, in_form(resolution=["720p"]), "resolution to a value of type list"),
        (NEW, in_form(aspect_ratio="1:1"), "aspect_ratio to '1:1': .* takes '16:9', '9:16'"),
        (NEW, {"extra_body": {"negative_prompt": "rain"}}, "'gemini-omni-1.2-flash' takes no negative prompt"),
        (NEW, {"extra_body": {"generate_audio": False}}, "'gemini-omni-1.2-flash' always makes sound"),
        (NEW, in_form(generate_audio=False), "always makes sound"),
        (NEW, {"extra_body": {"safety_settings": []}}, "which the Gemini API refuses for 'gemini-omni-1.2-flash'"),
        (NEW, in_form(gcs_uri="gs://b/x/"), "gcs_uri, which the Gemini API does not take for 'gemini-omni-1.2-flash'"),
        (NEW, {"extra_body": {"labels": {"Team": "a"}}}, "labels in extra_body has 'Team': 'a'"),
        (NEW, {"extra_body": {"labels": {"9team": "a"}}}, "'9team'"),
        (NEW, {"extra_body": {"labels": {"team": "A B"}}}, "'A B'"),
        (NEW, {"extra_body": {"labels": {"team": 7}}}, "'team': 7"),
        (NEW, {"extra_body": {"labels": {"team": "x" * 64}}}, "up to 63"),
        (NEW, {"extra_body": {"labels": {"x" * 64: ""}}}, "up to 63"),
        (NEW, {"extra_body": {"labels": ["team"]}}, "None: a value of type list"),
        (NEW, {"extra_body": {"store": False}}, "sets store to False"),
        ("another", {"extra_body": {"labels": {"Team": "a"}}}, "labels for 'another'"),
    ],
)
def test_an_order_that_the_api_cannot_make_is_refused(model, arguments, words):
    with pytest.raises(InvalidInputError, match=words):
        check(arguments, model)


def test_the_agent_platform_takes_fields_that_the_gemini_api_refuses():
    assert check({"extra_body": {"safety_settings": []}}, backend=CLOUD) == []
    assert check(in_form(gcs_uri="gs://c/y/"), backend=CLOUD) == []


@pytest.mark.parametrize(
    ("backend", "model", "arguments", "words"),
    [
        (GeminiBackend("p"), NEW, {}, "which Google limits to 4 MB. Set output_uri"),
        (GeminiBackend("p", "us-central1", "gs://b/x/"), NEW, {}, "location is 'us-central1'"),
        (CLOUD, NEW, {"extra_body": {"previous_interaction_id": "v1_x"}}, "previous_interaction_id: Google's samples"),
        (KEY, NEW, {"extra_body": {"system_instruction": "x"}}, "does not support system_instruction for"),
        (
            KEY,
            NEW,
            {"extra_body": {"generation_config": {"temperature": 1, "top_p": 1}}},
            "does not support temperature, top_p for 'gemini-omni-1.2-flash'",
        ),
        (KEY, NEW, {"extra_body": {"generation_config": {"seed": 7}}}, "does not promise equal videos"),
        (
            KEY,
            NEW,
            {"size": "1280x720", "extra_body": {"generation_config": {"video_config": {"task": "edit"}}}},
            "aspect ratio of its source",
        ),
        (KEY, OLD, {}, "end 'gemini-omni-1.1-flash' on 2026-12-03"),
    ],
)
def test_a_doubtful_order_causes_one_warning(backend, model, arguments, words):
    (warning,) = check(arguments, model, backend)
    assert words in warning


def test_a_prompt_may_be_too_long():
    (warning,) = KEY.check(VideoSpec("x" * 600_000, NEW))
    assert "The prompt has 600000 characters" in warning
