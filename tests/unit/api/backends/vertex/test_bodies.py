from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.vertex.bodies import find_argument, make_body
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec

FRAME = Frame(b"\x01\x02\x03", "image/png", 1280, 720)
IMAGE = {"bytesBase64Encoded": "AQID", "mimeType": "image/png"}


def body(output_uri=None, **fields):
    return make_body(VideoSpec("A boat.", "veo-3.1-generate-001", **fields), output_uri).to_json()


@pytest.mark.parametrize(
    ("fields", "instance", "parameters"),
    [
        ({}, {}, None),
        ({"first_frame": FRAME}, {"image": IMAGE}, None),
        ({"first_frame": FRAME, "last_frame": FRAME}, {"image": IMAGE, "lastFrame": IMAGE}, None),
        ({"seconds": "8.0"}, {}, {"durationSeconds": 8}),
        ({"seconds": 4.5}, {}, {"durationSeconds": 4.5}),
        ({"size": "1280x720"}, {}, {"aspectRatio": "16:9", "resolution": "720p"}),
        ({"size": "720x1280"}, {}, {"aspectRatio": "9:16", "resolution": "720p"}),
        ({"size": "1920x1080"}, {}, {"aspectRatio": "16:9", "resolution": "1080p"}),
        ({"size": "1080x1920"}, {}, {"aspectRatio": "9:16", "resolution": "1080p"}),
        ({"size": "3840x2160"}, {}, {"aspectRatio": "16:9", "resolution": "4k"}),
        ({"size": "2160x3840"}, {}, {"aspectRatio": "9:16", "resolution": "4k"}),
        ({"output_uri": "gs://b/a/"}, {}, {"storageUri": "gs://b/a/"}),
        (
            {"output_uri": "gs://b/a/", "extra_body": {"parameters": {"storageUri": "gs://c/"}}},
            {},
            {"storageUri": "gs://c/"},
        ),
        (
            {"seconds": 8, "extra_body": {"parameters": {"negativePrompt": "rain"}, "instances": [{"mask": {}}]}},
            {"mask": {}},
            {"durationSeconds": 8, "negativePrompt": "rain"},
        ),
    ],
)
def test_arguments_become_fields(fields, instance, parameters):
    expected = {"instances": [{"prompt": "A boat."} | instance]}
    assert body(**fields) == expected | ({"parameters": parameters} if parameters else {})


def test_other_fields_are_kept():
    assert body(extra_body={"labels": {"team": "trailers"}}) == {
        "instances": [{"prompt": "A boat."}],
        "labels": {"team": "trailers"},
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"extra_body": {"instances": [{"prompt": "x"}]}}, "instances may not set prompt: the argument prompt"),
        (
            {"first_frame": FRAME, "extra_body": {"instances": [{"image": {}}]}},
            "instances may not set image: the argument first_frame",
        ),
        (
            {"size": "1280x720", "extra_body": {"parameters": {"resolution": "4k"}}},
            "parameters may not set resolution: the argument size",
        ),
        (
            {"seconds": 8, "extra_body": {"parameters": {"durationSeconds": 8}}},
            "parameters may not set durationSeconds: the argument seconds",
        ),
        ({"extra_body": {"instances": []}}, "list of one dictionary"),
        ({"extra_body": {"instances": [{}, {}]}}, "list of one dictionary"),
        ({"extra_body": {"instances": {}}}, "list of one dictionary"),
        ({"extra_body": {"parameters": [1]}}, "parameters is a value of type list"),
        ({"size": "1024x1024"}, "size is '1024x1024'; model 'veo-3.1-generate-001' makes videos of 1280x720"),
    ],
)
def test_a_body_that_cannot_be_built_is_refused(fields, message):
    with pytest.raises(InvalidInputError, match=message):
        body(**fields)


def test_the_argument_that_sets_a_field_is_found():
    spec = VideoSpec("A boat.", "m", seconds=8)
    assert find_argument(spec, "durationSeconds") == "seconds"
    assert find_argument(spec, "resolution") is None
    assert find_argument(spec, "seed") is None
