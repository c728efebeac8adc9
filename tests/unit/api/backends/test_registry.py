"""The choice of the backend by name, or by a host that is certain."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.registry import choose_backend
from airflow_provider_veo.api.errors import InvalidInputError


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("generativelanguage.googleapis.com", "gemini"),
        ("https://us-central1-aiplatform.googleapis.com", "vertex"),
        ("aiplatform.googleapis.com", "vertex"),
        ("https://aiplatform.eu.rep.googleapis.com", "vertex"),
        ("https://aiplatform.googleapis.com.example.org", "openai"),
        ("https://api.example.com", "openai"),
        ("http://[::1", "openai"),
        ("", "openai"),
    ],
)
def test_the_host_decides_only_where_it_is_certain(host, name):
    assert choose_backend(None, host) == name


def test_a_name_decides_before_the_host():
    assert choose_backend("gemini", "https://openrouter.ai") == "gemini"


@pytest.mark.parametrize("name", ["veo", "", 7, ["vertex"]])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(InvalidInputError, match="it must be 'openai' or 'openrouter' or 'gemini' or 'vertex'"):
        choose_backend(name, "")
