from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.settings import tls_context
from airflow_provider_veo.get_provider_info import get_provider_info
from airflow_provider_veo.hooks.veo import VeoHook, client_settings, wait_policy

KEY = "sk-canary"


def settings(extra=None, **fields):
    connection = Connection(conn_id="veo_default", conn_type="veo", **({"host": "https://api.example.com"} | fields))
    return client_settings(connection, extra or {})


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": "https://api.example.com"}, "https://api.example.com"),
        ({"host": "https://api.example.com/v1"}, "https://api.example.com"),
        ({"host": "https://api.example.com/v1/"}, "https://api.example.com"),
        ({"host": " https://api.example.com/proxy/v1 "}, "https://api.example.com/proxy"),
        ({"host": "api.example.com"}, "https://api.example.com"),
        ({"host": "127.0.0.1", "schema": "http", "port": 8123}, "http://127.0.0.1:8123"),
        ({"host": "https://api.example.com/v1", "port": 8443}, "https://api.example.com:8443"),
        ({"host": "https://api.example.com:444", "port": 8443}, "https://api.example.com:444"),
        ({"host": "http://[::1]", "port": 8443}, "http://[::1]:8443"),
        ({"host": "https://api.example.com", "port": 0}, "https://api.example.com"),
    ],
)
def test_the_base_url(fields, base_url):
    assert settings(**fields).base_url == base_url


def test_the_key_is_sent_as_the_connection_says():
    assert settings(password=KEY).authorization() == {"Authorization": f"Bearer {KEY}".encode()}
    assert settings({"auth_scheme": "raw"}, password=KEY).authorization() == {"Authorization": KEY.encode()}
    assert settings().authorization() == {}
    assert settings(password=f" {KEY}\n").authorization() == {"Authorization": f"Bearer {KEY}".encode()}


def test_extras():
    found = settings({"timeout": "5", "verify": "false", "default_model": "sora-9", "request_format": "multipart"})
    assert (found.timeout, found.verify, found.default_model, found.request_format) == (
        5.0,
        False,
        "sora-9",
        "multipart",
    )
    assert settings({"timeout": None, "verify": "", "auth_scheme": None}) == settings()
    assert settings({"verify": "/etc/ca.pem"}).verify == "/etc/ca.pem"


@pytest.mark.parametrize(
    ("fields", "extra", "complaint"),
    [
        ({"host": None}, {}, "'veo_default' has no host"),
        ({"host": "ftp://x"}, {}, "not of the form https://host"),
        ({"host": "https://"}, {}, "not of the form https://host"),
        ({"host": f"https://user:{KEY}@x"}, {}, "not of the form https://host"),
        ({"host": f"https://x?key={KEY}"}, {}, "not of the form https://host"),
        ({"password": f"{KEY}\nX: y"}, {}, "line break"),
        ({"password": f"{KEY}\u202e"}, {}, "line break or another character"),
        ({}, {"auth_scheme": "basic"}, "auth_scheme is 'basic'"),
        ({}, {"request_format": "xml"}, "request_format is 'xml'"),
        ({}, {"timeout": "soon"}, "timeout is 'soon'"),
        ({}, {"timeout": -1}, "timeout is -1"),
    ],
)
def test_a_wrong_connection_is_refused_without_showing_the_key(fields, extra, complaint):
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        settings(extra, **fields)
    assert KEY not in str(caught.value)
    assert "veo_default" in str(caught.value)


def test_a_missing_ca_bundle_is_named():
    with pytest.raises(InvalidInputError, match=r"/no/such\.pem"):
        tls_context("/no/such.pem")


def test_settings_do_not_show_the_key():
    assert KEY not in repr(settings(password=KEY))


def test_one_tls_context_per_process():
    assert tls_context(True) is tls_context(True)
    assert tls_context(True) is not tls_context(False)


def test_the_poll_interval_comes_from_the_configuration(monkeypatch):
    assert wait_policy(0.0).poll_interval is None
    monkeypatch.setenv("AIRFLOW__VEO__POLL_INTERVAL", "2.5")
    assert wait_policy(0.0).poll_interval == 2.5
    assert wait_policy(0.0, poll_interval=7).poll_interval == 7


def test_a_hook_reads_its_airflow_connection(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MY_VEO", json.dumps({"conn_type": "veo", "host": "https://x.example/v1"}))
    assert VeoHook("my_veo").settings.base_url == "https://x.example"


def test_the_form_describes_what_the_hook_reads():
    connection_type = get_provider_info()["connection-types"][0]
    assert connection_type["connection-type"] == VeoHook.conn_type
    assert connection_type["hook-name"] == VeoHook.hook_name
    for name, field in connection_type["conn-fields"].items():
        default = field["schema"]["default"]
        assert settings({name: default}) == settings(), name
        for choice in field["schema"].get("enum", []):
            settings({name: choice})
    assert VeoHook.get_ui_field_behaviour()["hidden_fields"] == ["schema", "login"]
