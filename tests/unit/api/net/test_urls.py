"""The parts of an address, and its form without secrets."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.net.urls import add_port, redact, resolve_url


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://api.example.com/v1", "https://api.example.com:8443/v1"),
        ("https://api.example.com:444/v1", "https://api.example.com:444/v1"),
        ("no address", "no address"),
    ],
)
def test_an_address_keeps_the_port_that_it_names(url, found):
    assert add_port(url, 8443) == found


def test_port_1_is_valid_and_port_0_is_not():
    assert resolve_url("", "http://h.example:1/a") == "http://h.example:1/a"
    assert resolve_url("", "http://h.example:0/a") is None


def test_an_invalid_address_is_shown_without_its_secret_parts_and_cut():
    assert redact("http://[broken?signature=s?t") == "http://[broken"
    assert redact("http://[" + "x" * 1000) == "http://[" + "x" * 192


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@h.example/a?x=secret#secret",
        "http://user:secret@h.example:port/a",
        "http://user:sec/ret@h.example:port",
        "http://user:secret?secret@h.example:0/a#secret",
        "socks5://user:secret@h.example:1080",
        "ftp://secret@h.example/a#secret",
        "http://[broken\n#secret",
    ],
)
def test_the_secret_parts_of_every_form_of_an_address_are_hidden(url):
    assert "sec" not in redact(url)
    assert redact(url).partition("://")[2].startswith(("h.example", "[broken"))
