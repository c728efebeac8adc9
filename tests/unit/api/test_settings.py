"""The settings of a client: base URL, key, model, timeout and certificates."""

from __future__ import annotations

import math
import ssl

import certifi
import pytest

from airflow_provider_veo.api.backends.profiles import GENERIC, GatewayProfile
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.settings import ClientSettings, make_tls_context

KEY = "sk-canary"


def settings(**fields):
    return ClientSettings(**({"base_url": "https://api.example.com"} | fields))


@pytest.mark.parametrize(
    ("address", "root"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com/v1", "https://api.example.com"),
        ("https://api.example.com/v1/", "https://api.example.com"),
        ("https://api.example.com//v1//", "https://api.example.com"),
        ("https://api.example.com/proxy/v1", "https://api.example.com/proxy"),
        ("https://api.example.com/v1/proxy", "https://api.example.com/v1/proxy"),
        ("https://api.example.com/X/", "https://api.example.com/X"),
        ("https://api.example.com/X/v1", "https://api.example.com/X"),
        ("http://127.0.0.1:8123", "http://127.0.0.1:8123"),
    ],
)
def test_the_base_url_is_the_root_of_the_api(address, root):
    assert settings(base_url=address).base_url == root


def test_the_key_is_sent_with_bearer_or_as_it_is_or_not_at_all():
    assert settings(api_key=KEY).authorization() == {"Authorization": f"Bearer {KEY}".encode()}
    assert settings(api_key=KEY, auth_scheme="raw").authorization() == {"Authorization": KEY.encode()}
    assert settings().authorization() == {}
    assert settings(api_key="").authorization() == {}


def test_the_default_model_is_that_of_the_profile_unless_one_is_set():
    profile = GatewayProfile("other", default_model="m")
    assert settings(profile=profile).default_model == "m"
    assert settings(profile=profile, default_model="n").default_model == "n"
    assert settings().profile is GENERIC


def test_a_timeout_may_be_less_than_a_second():
    assert settings(timeout=0.5).timeout == 0.5


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"base_url": "ftp://x"}, "'ftp://x' is not of the form https://host"),
        ({"base_url": "api.example.com"}, "'api.example.com' is not of the form"),
        ({"base_url": f"https://user:{KEY}@x"}, "'https://x' is not of the form"),
        ({"base_url": f"https://x?key={KEY}"}, "'https://x.…' is not of the form"),
        ({"api_key": f"{KEY}\nX: y"}, "line break"),
        ({"api_key": f"{KEY}\u202e"}, "line break or another character"),
        ({"auth_scheme": "basic"}, "auth_scheme is 'basic'"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": math.inf}, "timeout is inf"),
        ({"timeout": math.nan}, "timeout is nan"),
    ],
)
def test_wrong_settings_are_refused_without_showing_the_key(fields, complaint):
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        settings(**fields)
    assert KEY not in str(caught.value)


def test_settings_do_not_show_the_key():
    assert KEY not in repr(settings(api_key=KEY))


def test_certificates_are_checked_unless_that_is_switched_off():
    assert make_tls_context(True).verify_mode is ssl.CERT_REQUIRED
    assert make_tls_context(False).verify_mode is ssl.CERT_NONE


def test_a_ca_bundle_replaces_all_other_certificates(tmp_path):
    bundle = tmp_path / "ca.pem"
    first, end, _ = certifi.contents().partition("-----END CERTIFICATE-----\n")
    bundle.write_text(first + end)
    assert len(make_tls_context(str(bundle)).get_ca_certs()) == 1


def test_a_missing_ca_bundle_is_named():
    with pytest.raises(InvalidInputError, match=r"verify names the CA bundle '/no/such\.pem', which cannot be read"):
        make_tls_context("/no/such.pem")
