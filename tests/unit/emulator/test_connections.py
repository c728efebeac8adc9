"""The Airflow connections to the emulator."""

from __future__ import annotations

import json

import pytest

from airflow_provider_veo.emulator.connections import make_connection

URL = "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    ("dialect", "extra", "expected"),
    [
        ("veo-gateway", {}, {"profile": "veo-gateway"}),
        ("veo-gateway", {"profile": "generic", "timeout": 5}, {"profile": "generic", "timeout": 5}),
        ("litellm", {}, {}),
        ("gemini", {}, {"backend": "gemini"}),
        ("openrouter", {"default_model": "m"}, {"backend": "openrouter", "default_model": "m"}),
    ],
)
def test_a_connection_has_the_fields_of_its_dialect(dialect, extra, expected):
    assert make_connection(URL, "sk-x", dialect, **extra) == {
        "conn_type": "veo",
        "host": URL,
        "password": "sk-x",
        "extra": expected,
    }


@pytest.mark.parametrize(("dialect", "extra"), [("vertex", {}), ("gemini", {"project": "my-project"})])
def test_google_cloud_has_a_key_whose_tokens_the_emulator_gives(dialect, extra):
    pytest.importorskip("google.auth", reason="the extra google is not installed")
    made = make_connection(URL, "sk-x", dialect, **extra)["extra"]
    assert (made["backend"], made["project"], made["storage_url"]) == (
        dialect,
        extra.get("project", "veo-emulator"),
        URL,
    )
    assert json.loads(made["keyfile_dict"])["token_uri"] == f"{URL}/token"
