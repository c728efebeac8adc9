"""The reading of Airflow connections, and the configuration of waiting."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_veo.api.backends.openai.backend import OpenAiBackend
from airflow_provider_veo.api.backends.profiles import GENERIC, PROFILES, VEO_GATEWAY
from airflow_provider_veo.api.backends.registry import BACKEND_NAMES
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.settings import make_tls_context
from airflow_provider_veo.get_provider_info import get_provider_info
from airflow_provider_veo.hooks import connection
from airflow_provider_veo.hooks.connection import read_client_settings, wait_policy
from airflow_provider_veo.hooks.veo import VeoHook

KEY = "sk-canary"


def settings(extra=None, **fields):
    fields = {"host": "https://api.example.com"} | fields
    return read_client_settings(Connection(conn_id="veo_default", conn_type="veo", **fields), extra or {})


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
        ({"host": "https://api.example.com/v1/videos"}, "https://api.example.com"),
        ({"host": "https://api.example.com/proxy/v1/videos/"}, "https://api.example.com/proxy"),
        ({"host": "https://api.example.com/v1/chat/completions"}, "https://api.example.com"),
        ({"host": "https://api.example.com/v1/models"}, "https://api.example.com"),
        ({"host": "https://api.example.com/v1/openai"}, "https://api.example.com/v1/openai"),
        ({"host": "https://api.example.com/v11"}, "https://api.example.com/v11"),
        ({"host": "::1", "schema": "http", "port": 8123}, "http://[::1]:8123"),
        ({"host": "::1"}, "https://[::1]"),
        ({"host": "[2001:db8::1]", "schema": "v1", "port": 8123}, "https://[2001:db8::1]:8123"),
        ({"host": "api.example.com", "schema": "v1"}, "https://api.example.com"),
        ({"host": "api.example.com", "schema": "proxy/v1"}, "https://api.example.com/proxy"),
        ({"host": "http://api.example.com/a", "schema": "b", "port": 81}, "http://api.example.com:81/a/b"),
        ({"host": "http://api.example.com", "schema": "https"}, "http://api.example.com"),
        ({"host": "api.example.com", "schema": "HTTP"}, "http://api.example.com"),
    ],
)
def test_the_base_url_is_read_from_host_port_and_schema(fields, base_url):
    assert settings(**fields).base_url == base_url


SLASHES = "https%3A%2F%2Fapi.example.com%2Fproxy%2Fv1"


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        (f"veo://:{KEY}@api.example.com", "https://api.example.com"),
        (f"veo://:{KEY}@api.example.com/v1", "https://api.example.com"),
        (f"veo://:{KEY}@api.example.com/v1/", "https://api.example.com"),
        (f"veo://:{KEY}@api.example.com/v1/videos", "https://api.example.com"),
        (f"veo://:{KEY}@api.example.com/proxy/v1?timeout=7", "https://api.example.com/proxy"),
        (f"veo://:{KEY}@api.example.com:8443/https", "https://api.example.com:8443"),
        (f"veo://:{KEY}@10.0.0.1:8080/http", "http://10.0.0.1:8080"),
        (f"veo://:{KEY}@[::1]:8080/http", "http://[::1]:8080"),
        (f"veo://:{KEY}@[::1]:8080/v1?timeout=7", "https://[::1]:8080"),
        (f"veo://:{KEY}@[2001:db8::1]/v1", "https://[2001:db8::1]"),
        (f"veo://:{KEY}@http%3A%2F%2F%5B%3A%3A1%5D%3A8080%2Fv1", "http://[::1]:8080"),
        (f"veo://:{KEY}@{SLASHES}", "https://api.example.com/proxy"),
        (f"veo://:{KEY}@{SLASHES}:8443/?timeout=7", "https://api.example.com:8443/proxy"),
        (f"veo://http://:{KEY}@api.example.com:8000/proxy/v1", "http://api.example.com:8000/proxy"),
    ],
)
def test_a_connection_uri_is_read(uri, base_url, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BY_URI", uri)
    found = VeoHook("by_uri").settings
    assert (found.base_url, found.api_key) == (base_url, KEY)
    assert found.timeout == (7 if "timeout" in uri else 60)


@pytest.mark.parametrize("host", ["https://api.example.com/proxy/v1", "api.example.com", "http://[::1]:8080/v1"])
@pytest.mark.parametrize("extra", [{}, {"headers": {"x-portkey-config": "pc-1"}, "verify": "false"}])
def test_the_uri_that_airflow_makes_of_a_connection_means_the_same(host, extra, monkeypatch):
    key = "sk/+:@%#? x"
    fields = {"conn_type": "veo", "host": host, "password": key, "extra": json.dumps(extra)}
    monkeypatch.setenv("AIRFLOW_CONN_BY_FIELDS", json.dumps(fields))
    monkeypatch.setenv("AIRFLOW_CONN_BY_URI", Connection(conn_id="by_uri", **fields).get_uri())
    by_uri, by_fields = VeoHook("by_uri").settings, VeoHook("by_fields").settings
    assert by_uri == replace(by_fields, name=by_uri.name)


HEADERS = {"x-portkey-api-key": "pk-canary-0123456789ab", "X-Portkey-Provider": "openai"}


@pytest.mark.parametrize("given", [HEADERS, json.dumps(HEADERS)])
def test_further_headers_are_sent_beside_the_key(given):
    found = settings({"headers": given}, password=KEY)
    assert found.authorization() == {
        **{name: value.encode() for name, value in HEADERS.items()},
        "Authorization": f"Bearer {KEY}".encode(),
    }


def test_a_connection_uri_can_have_further_headers(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BY_URI", f"veo://api.example.com/?headers={quote(json.dumps(HEADERS))}")
    assert dict(VeoHook("by_uri").settings.headers) == HEADERS


def test_a_header_can_hold_the_key_instead_of_the_password():
    found = settings({"headers": {"Authorization": "Basic dXNlcjpwYXNz"}})
    assert found.authorization() == {"Authorization": b"Basic dXNlcjpwYXNz"}


@pytest.mark.parametrize(
    ("headers", "complaint"),
    [
        ("x-a: b", "headers must be a JSON object"),
        (["x-a"], "headers must be a JSON object"),
        (7, "headers must be a JSON object"),
        ('{"x-a": ', "headers must be a JSON object"),
        ({"x a": KEY}, "'x a', which is not the name"),
        ({"x-a:": KEY}, "'x-a:', which is not the name"),
        ({"": KEY}, "'', which is not the name"),
        ({"x-ä": KEY}, "'x-ä', which is not the name"),
        ({"x-a\r\nx-b": KEY}, "which is not the name"),
        ({"x-a": f"{KEY}\r\nx-b: c"}, "x-a with a value that cannot be sent"),
        ({"x-a": f"{KEY}\0"}, "x-a with a value that cannot be sent"),
        ({"x-a": KEY * 1_000}, "x-a with a value that cannot be sent"),
        ({"x-a": 7}, "x-a with a value that is not a text, but int"),
        ({"x-a": None}, "x-a with a value that is not a text, but NoneType"),
        ({"x-a": {"b": KEY}}, "x-a with a value that is not a text, but dict"),
        ({"x-a": KEY, "X-A": KEY}, "one header twice"),
        *(
            ({name: KEY}, f"{name}, which this provider sets itself")
            for name in ("Host", "content-length", "Transfer-Encoding", "Idempotency-Key", "Range", "User-Agent")
        ),
        ({"authorization": KEY}, "Authorization, which the password is sent in"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused_without_showing_a_value(headers, complaint):
    with pytest.raises(InvalidInputError, match="Connection 'veo_default': ") as caught:
        settings({"headers": headers}, password="sk-other")
    assert complaint in str(caught.value)
    assert KEY not in str(caught.value)


def test_headers_are_secrets():
    found = settings({"headers": HEADERS}, password=KEY)
    assert all(value not in repr(found) for value in (KEY, *HEADERS.values()))
    text = "you sent pk-canary-0123456789ab, pk%2Dcanary%2D0123456789ab and sk%2Dcanary"
    assert found.mask.hide(text) == "you sent ***, *** and ***"


def test_airflow_hides_the_values_of_headers(monkeypatch, mocker):
    masked = mocker.patch.object(connection, "mask_secret")
    monkeypatch.setenv(
        "AIRFLOW_CONN_VEO_DEFAULT", json.dumps({"conn_type": "veo", "host": "x", "extra": {"headers": HEADERS}})
    )
    assert VeoHook().settings == asyncio.run(VeoHook().aget_settings())
    assert [call.args for call in masked.call_args_list] == [("pk-canary-0123456789ab",)] * 2  # "openai" is no secret


def test_an_address_that_is_kept_contains_no_secret_header():
    mask = settings({"headers": HEADERS | {"x-hint": "vertex-ai"}}, password=KEY).mask
    url = f"https://x/vertex-ai/a.mp4?k={KEY}&p=pk-canary-0123456789ab"
    kept = mask.hide_in_url(url)
    assert "canary" not in kept
    assert "/vertex-ai/" in kept  # a part of many addresses
    assert mask.restore_in_url(kept) == url
    assert (
        settings({"headers": HEADERS}).mask.restore_in_url(settings({"headers": HEADERS}).mask.hide_in_url(url)) == url
    )


@pytest.mark.parametrize("ask", [lambda hook: hook.settings, lambda hook: asyncio.run(hook.aget_settings())])
def test_the_error_about_a_missing_connection_says_how_to_add_it(ask):
    with pytest.raises(
        InvalidInputError, match=r"Connection 'veo_nowhere' does not exist.*AIRFLOW_CONN_VEO_NOWHERE"
    ) as caught:
        ask(VeoHook("veo_nowhere"))
    assert caught.value.permanent
    assert VeoHook("veo_nowhere").test_connection() == (False, str(caught.value))


def test_the_key_is_sent_as_the_connection_says():
    assert settings(password=KEY).authorization() == {"Authorization": f"Bearer {KEY}".encode()}
    assert settings({"auth_scheme": "raw"}, password=KEY).authorization() == {"Authorization": KEY.encode()}
    assert settings().authorization() == {}
    assert settings(password=f" {KEY}\n").authorization() == {"Authorization": f"Bearer {KEY}".encode()}


def test_the_extra_sets_further_settings():
    found = settings({"timeout": "5", "verify": "false", "default_model": "sora-9", "request_format": "multipart"})
    assert (found.timeout, found.verify, found.default_model, found.backend) == (
        5.0,
        False,
        "sora-9",
        OpenAiBackend("multipart"),
    )
    assert settings({"timeout": None, "verify": "", "auth_scheme": None}) == settings()
    assert settings({"verify": "/etc/ca.pem"}).verify == "/etc/ca.pem"


@pytest.mark.parametrize(
    ("fields", "extra", "complaint"),
    [
        ({"host": None}, {}, "'veo_default': it has no host"),
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
        ({}, {"profile": "other"}, "profile is 'other'; it must be 'veo-gateway', "),
    ],
)
def test_a_wrong_connection_is_refused_without_showing_the_key(fields, extra, complaint):
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        settings(extra, **fields)
    assert KEY not in str(caught.value)
    assert "veo_default" in str(caught.value)


@pytest.mark.parametrize(
    ("host", "extra", "profile"),
    [
        ("https://api.example.com", {}, GENERIC),
        ("https://api.example.com", {"profile": "veo-gateway"}, VEO_GATEWAY),
        ("api.apiyi.com", {}, VEO_GATEWAY),
        ("https://api.apiyi.com/v1", {"profile": ""}, VEO_GATEWAY),
        ("https://api.apiyi.com/v1", {"profile": None}, VEO_GATEWAY),
        ("https://api.apiyi.com/v1", {"profile": "generic"}, GENERIC),
    ],
)
def test_the_profile_is_chosen_by_the_extra_or_else_by_the_host(host, extra, profile):
    found = settings(extra, host=host)
    assert found.profile is profile
    assert found.default_model == "veo-3.1-fast"


@pytest.mark.parametrize(
    ("host", "extra", "model"),
    [
        ("https://openrouter.ai/api", {}, "google/veo-3.1-fast"),
        ("", {"backend": "gemini"}, "gemini-omni-1.2-flash"),
        ("https://api.laozhang.ai", {}, "gemini-omni-1.2-flash"),
        ("https://api.example.com", {}, "veo-3.1-fast"),
    ],
)
def test_an_unchanged_form_leaves_the_default_model_to_the_backend(host, extra, model):
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    untouched = {name: field["schema"]["default"] for name, field in fields.items()}
    assert settings(untouched | extra, host=host).default_model == model


def test_a_missing_ca_bundle_is_named():
    with pytest.raises(InvalidInputError, match=r"/no/such\.pem"):
        make_tls_context("/no/such.pem")


def test_settings_do_not_show_the_key():
    assert KEY not in repr(settings(password=KEY))


def test_a_process_has_one_tls_context_per_setting():
    assert make_tls_context(True) is make_tls_context(True)
    assert make_tls_context(True) is not make_tls_context(False)


def test_the_poll_interval_comes_from_the_configuration(monkeypatch):
    assert wait_policy(0.0).poll_interval is None
    monkeypatch.setenv("AIRFLOW__VEO__POLL_INTERVAL", "2.5")
    assert wait_policy(0.0).poll_interval == 2.5
    assert wait_policy(0.0, poll_interval=7).poll_interval == 7


def test_a_hook_reads_its_airflow_connection(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MY_VEO", json.dumps({"conn_type": "veo", "host": "https://x.example/v1"}))
    assert VeoHook("my_veo").settings.base_url == "https://x.example"


def test_the_form_describes_all_fields_that_the_hook_reads():
    connection_type = get_provider_info()["connection-types"][0]
    assert connection_type["connection-type"] == VeoHook.conn_type
    assert connection_type["hook-name"] == VeoHook.hook_name
    for name, field in connection_type["conn-fields"].items():
        default = field["schema"]["default"]
        assert settings({name: default}) == settings(), name
        for choice in field["schema"].get("enum", []) if name != "backend" else ():  # Google's need credentials
            settings({name: choice})
    assert connection_type["conn-fields"]["backend"]["schema"]["enum"] == list(BACKEND_NAMES)
    assert connection_type["conn-fields"]["profile"]["schema"]["enum"] == list(PROFILES)
    assert VeoHook.get_ui_field_behaviour()["hidden_fields"] == ["schema", "login"]


def test_old_api_servers_build_the_form():
    """Before 3.2, Airflow builds it with these libraries, which later versions do not have."""
    pytest.importorskip("flask_appbuilder", reason="Airflow 3 installs it only with its provider fab")
    widgets = VeoHook.get_connection_form_widgets()
    assert list(widgets) == list(get_provider_info()["connection-types"][0]["conn-fields"])
    assert widgets["keyfile_dict"].field_class.__name__ == "PasswordField"
