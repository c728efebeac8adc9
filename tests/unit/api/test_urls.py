from __future__ import annotations

import pytest

from airflow_provider_veo.api.urls import absolute, proxy_for, redact, with_port


@pytest.fixture
def environment(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("names", "url", "proxy"),
    [
        ({}, "https://api.example.com", None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "https://api.example.com", "http://proxy:3128"),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://api.example.com", None),
        ({"ALL_PROXY": "proxy:3128"}, "http://api.example.com", "http://proxy:3128"),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "example.com"}, "https://api.example.com", None),
        ({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "127.0.0.1"}, "http://127.0.0.1:8000", None),
        ({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "127.0.0.1"}, "http://user@127.0.0.1:8000", None),
        ({"HTTP_PROXY": "http://proxy:3128"}, "no address", None),
    ],
)
def test_the_environment_names_the_proxy(environment, names, url, proxy):
    for name, value in names.items():
        environment.setenv(name, value)
    assert proxy_for(url) == proxy


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://api.example.com/v1", "https://api.example.com:8443/v1"),
        ("https://api.example.com:444/v1", "https://api.example.com:444/v1"),
        ("no address", "no address"),
    ],
)
def test_an_address_keeps_the_port_that_it_names(url, found):
    assert with_port(url, 8443) == found


def test_port_1_can_be_asked_and_port_0_cannot():
    assert absolute("", "http://h.example:1/a") == "http://h.example:1/a"
    assert absolute("", "http://h.example:0/a") is None


def test_what_is_no_address_is_shown_without_what_may_be_secret_in_it_and_not_at_any_length():
    assert redact("http://[broken?signature=s?t") == "http://[broken"
    assert redact("http://[" + "x" * 1000) == "http://[" + "x" * 192
