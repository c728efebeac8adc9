from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.vertex.names import make_model_path, read_model_id, read_model_path
from airflow_provider_veo.api.errors import InvalidInputError

MODEL = "projects/p-1/locations/us-central1/publishers/google/models/veo-3.1-generate-001"
OTHER = MODEL.replace("p-1", "other")


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("veo-3.1-generate-001", MODEL),
        ("google/veo-3.1-generate-001", MODEL),
        ("publishers/google/models/veo-3.1-generate-001", MODEL),
        ("models/veo-3.1-generate-001", MODEL),
        (OTHER, OTHER),
    ],
)
def test_a_model_may_be_named_in_each_form_of_the_official_client(model, path):
    assert make_model_path(model, "p-1", "us-central1") == path
    assert read_model_id(model) == "veo-3.1-generate-001"


@pytest.mark.parametrize(
    "model",
    ["..", "a b", "a/b", "publishers/other/models/x", "projects/p/locations/l/models/x", "x?y", "x/../y", "ü", "x\n"],
)
def test_a_text_that_is_no_model_is_refused(model):
    with pytest.raises(InvalidInputError, match="model is"):
        make_model_path(model, "p-1", "us-central1")


def test_the_name_of_an_operation_names_its_model():
    assert read_model_path(f"{OTHER}/operations/7a3f-0") == OTHER
    domain = OTHER.replace("other", "example.com:other")
    assert read_model_path(f"{domain}/operations/1") == domain


@pytest.mark.parametrize(
    "name",
    [
        "",
        "video_123",
        "models/veo-3.1/operations/abc",
        MODEL,
        f"{MODEL}/operations/",
        f"{MODEL}/operations/..",
        f"{MODEL}/operations/a/b",
        f"/{MODEL}/operations/a",
        f"{MODEL}/operations/a\n",
        f"{MODEL}/operations/a?b",
        f"{MODEL}/operations/{'a' * 255}b",
        "projects/../locations/l/publishers/google/models/m/operations/a",
        None,
        7,
    ],
)
def test_a_text_that_is_no_operation_is_refused(name):
    with pytest.raises(InvalidInputError, match="video_id is"):
        read_model_path(name)
