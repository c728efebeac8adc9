"""Rules of server programs; `openai/test_backend_litellm.py` holds those of LiteLLM to recorded orders."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.server_rules import (
    check_fastvideo,
    check_litellm,
    check_new_api,
    check_sglang,
    check_vllm_omni,
)
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec
from tests.support.pictures import picture

FRAME = Frame.from_bytes(picture("PNG"), "a.png")


def order(model="veo", **fields):
    return VideoSpec("p", model, **fields)


@pytest.mark.parametrize(
    ("check", "server"),
    [(check_vllm_omni, "vLLM-Omni"), (check_sglang, "SGLang"), (check_fastvideo, "FastVideo")],
)
def test_a_server_that_takes_the_last_of_two_frames_gets_one(check, server):
    with pytest.raises(InvalidInputError) as caught:
        list(check(order(first_frame=FRAME, last_frame=FRAME)))
    assert str(caught.value) == (
        f"{server} takes one frame, and of two the last: the video of 'veo' would begin with last_frame. Leave "
        "last_frame out."
    )
    assert not list(check(order(first_frame=FRAME)))
    assert not list(check(order(extra_body={"image_reference": ["a", "b"]})))


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({"extra_body": {"resolution": "1080p"}}, "extra_body sets 'resolution': new-api does not read that in JSON"),
        ({"extra_body": {"fps": 1, "duration": 8, "b": 2}}, "extra_body sets 'b', 'fps': new-api does not"),
        ({"extra_body": {"metadata": {"resolution": "1080p"}, "images": []}}, None),
        ({"extra_body": {"resolution": "1080p"}, "first_frame": FRAME}, None),  # a form, whose fields it passes on
        ({"seconds": 8, "size": "1280x720"}, None),
    ],
)
def test_new_api_reads_settings_in_metadata_only(fields, warning):
    warnings = list(check_new_api(order(**fields)))
    assert len(warnings) == (warning is not None)
    assert (warning or "") in "".join(warnings)


@pytest.mark.parametrize(
    ("model", "size", "extra_body", "warning"),
    [
        ("veo", "1280x720", {}, None),
        ("veo", "720x1280", {}, None),
        ("veo", "1920x1080", {}, "passes on the shape only, and Google makes 720p"),
        ("veo", "1080x1920", {"parameters": {}}, "passes on the shape only, and Google makes 720p"),
        ("veo", "1920x1080", {"resolution": "1080p"}, None),
        ("veo", "1920x1080", {"parameters": {"resolution": "1080p"}}, None),
        ("veo-3.1-fast-generate-001", "1920x1080", {}, None),
        ("veo-lite", "1080x1920", {}, None),
        ("veo", "1024x1024", {}, "size is '1024x1024': with a model of Google, LiteLLM's proxy makes it 16:9"),
        ("veo", None, {}, None),
    ],
)
def test_litellm_passes_on_some_sizes_only(model, size, extra_body, warning):
    warnings = list(check_litellm(order(model, size=size, extra_body=extra_body)))
    assert len(warnings) == (warning is not None)
    assert (warning or "") in "".join(warnings)


@pytest.mark.parametrize("parameters", [7, None, [], "storageUri"])
def test_strange_parameters_are_left_to_litellm(parameters):
    assert not list(check_litellm(order(first_frame=FRAME, extra_body={"parameters": parameters})))
