"""The bodies of orders; `test_backend` compares all requests with those of the official client."""

from __future__ import annotations

from airflow_provider_veo.api.backends.openrouter.requests import FIELDS, make_body
from airflow_provider_veo.api.specs import VideoSpec


def test_a_body_holds_the_arguments_and_the_further_fields():
    spec = VideoSpec("p", "m", seconds="6", size="1280x720", extra_body={"generate_audio": False, "user": "u"})
    body = make_body(spec)
    assert body == {
        "model": "m",
        "prompt": "p",
        "duration": 6,
        "size": "1280x720",
        "generate_audio": False,
        "user": "u",
    }
    assert set(body) <= FIELDS


def test_a_body_without_options_has_model_and_prompt_only():
    assert make_body(VideoSpec("p", "m")) == {"model": "m", "prompt": "p"}
