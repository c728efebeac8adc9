"""All kinds of calls use the same proxy, as the addresses to which sockets are connected show."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import socket
import sys

import httpx
import pytest

from airflow_provider_veo.api.backends.openai import requests
from airflow_provider_veo.api.client import AsyncVeoClient, VeoClient
from airflow_provider_veo.api.errors import NotSentError, VeoError
from airflow_provider_veo.api.net.proxies import choose, find_proxy
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.storage.frames import load_frame
from tests.support.contents import open_content

PROXY = "http://proxy.example:3128"
PROXY_ADDRESS = ("10.9.9.9", 3128)


def set_environment(monkeypatch, settings):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("settings", "url", "proxy"),
    [
        ({}, "https://api.example.com", None),
        ({"HTTPS_PROXY": PROXY}, "https://api.example.com", PROXY),
        ({"https_proxy": PROXY}, "https://api.example.com", PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, "https://api.example.com", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://api.example.com", None),
        ({"ALL_PROXY": "proxy.example:3128"}, "http://api.example.com", PROXY),
        ({"HTTP_PROXY": f" {PROXY} "}, "http://api.example.com", PROXY),
        ({"HTTP_PROXY": ""}, "http://api.example.com", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "example.com"}, "https://api.example.com", None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "127.0.0.1"}, "http://user@127.0.0.1:8000", None),
        ({"HTTP_PROXY": PROXY}, "no address", None),
        ({"ALL_PROXY": PROXY}, "ftp://api.example.com", None),
    ],
)
def test_the_environment_names_the_proxy(monkeypatch, settings, url, proxy):
    set_environment(monkeypatch, settings)
    assert find_proxy(url) == proxy


@pytest.mark.parametrize(
    ("entry", "url", "direct"),
    [
        ("*", "https://api.example.com", True),
        ("other.example, *", "https://api.example.com", True),
        ("example.com", "https://example.com", True),
        ("example.com", "https://api.example.com", True),
        ("example.com", "https://badexample.com", False),
        ("example.com", "https://example.com.bad", False),
        (".example.com", "https://example.com", True),
        (".example.com", "https://api.example.com", True),
        ("*.example.com", "https://api.example.com", True),
        ("EXAMPLE.com", "https://api.Example.COM", True),
        ("example.com.", "https://api.example.com", True),
        ("example.com", "https://api.example.com.", True),
        ("a.example  ,example.com", "https://example.com", True),
        ("a.example example.com", "https://example.com", True),
        ("example.com:8443", "https://example.com:8443", True),
        ("example.com:8443", "https://example.com", False),
        ("example.com:443", "https://example.com", True),
        ("example.com:80", "https://example.com", False),
        ("http://example.com", "http://example.com", True),
        ("http://example.com/", "http://api.example.com", True),
        ("http://example.com", "https://example.com", False),
        ("https://example.com:443", "https://example.com", True),
        ("all://example.com", "https://example.com", True),
        ("bücher.example", "https://xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "https://bücher.example", True),
        ("localhost", "http://localhost:8000", True),
        ("localhost", "http://127.0.0.1:8000", False),
        ("::1", "http://[::1]:8000", True),
        ("[::1]", "http://[::1]:8000", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("[::1]:8000", "http://[::1]", False),
        ("0:0:0:0:0:0:0:1", "http://[::1]", True),
        ("fd00::/8", "http://[fd12::1]", True),
        ("fd00::/8", "http://[fe80::1]", False),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.1.2.3/8", "http://10.9.9.9", True),
        ("10.0.0.1", "http://10.0.0.1:80", True),
        ("0.0.0.1", "http://10.0.0.1", False),
        ("0/0", "http://api.example.com", False),
        ("", "http://api.example.com", False),
        (" , ,", "http://api.example.com", False),
        (".", "http://api.example.com", False),
        (":80", "http://api.example.com", False),
        ("ftp://example.com", "http://example.com", False),
        ("a:b", "http://a", False),
        ("http://", "http://example.com", False),
        ("[", "http://example.com", False),
        ("\udc80", "http://example.com", False),
    ],
)
def test_each_form_of_a_no_proxy_entry_covers_the_right_addresses(entry, url, direct):
    found = choose(url, {"http": PROXY, "https": PROXY, "no": entry})
    assert found == (None if direct else PROXY)


PROXIES = [
    *({spelling: PROXY} for spelling in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")),
    {"ALL_PROXY": PROXY},
    {"all_proxy": "proxy.example:3128"},
]
URLS = [
    "http://api.example.com",
    "https://example.com",
    "https://api.example.com:8443",
    "http://localhost:8000",
    "http://127.0.0.1:8000",
    "http://[::1]:8000",
    "http://bücher.example",
]
EXCEPTIONS = [
    None,
    "",
    "*",
    "example.com",
    ".example.com",
    "*.example.com",
    "API.EXAMPLE.COM",
    "example.com:8443",
    "example.com:443",
    "http://example.com",
    "https://api.example.com",
    "localhost, 127.0.0.1",
    "127.0.0.0/8",
    "::1",
    "[::1]",
    "[::1]:8000",
    "xn--bcher-kva.example",
    "bücher.example",
    " other.example ,\texample.com ",
]
SETTINGS = len(PROXIES) * len(URLS) * len(EXCEPTIONS)


@pytest.fixture
def connected(monkeypatch):
    """Return the list of the addresses that sockets are connected to. All of them refuse."""
    addresses = []

    def getaddrinfo(host, port, *_, **__):
        name = host.decode() if isinstance(host, bytes) else host
        with contextlib.suppress(ValueError):
            family = socket.AF_INET6 if ipaddress.ip_address(name).version == 6 else socket.AF_INET
            return [(family, socket.SOCK_STREAM, 6, "", (name, port))]
        address = PROXY_ADDRESS[0] if name == "proxy.example" else "93.184.216.34"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(_, address):
        addresses.append(address[:2])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", connect)
    return addresses


def order(url):
    with VeoClient(ClientSettings(url)) as client:
        client.call(requests.list_models())


def content(url):
    settings = ClientSettings("http://gateway.example", allow_private_addresses=True)
    with VeoClient(settings) as client, open_content(client, url=f"{url}/a.mp4"):
        pass


def frame(url):
    load_frame(f"{url}/a.png", "first_frame")


async def poll(url):
    async with AsyncVeoClient(ClientSettings(url)) as client:
        await client.get_video("v")


async def call(kind, url):
    step = kind(url)
    if asyncio.iscoroutine(step):
        await step


async def ways(url, connected):
    found = {}
    for kind in (order, content, frame, poll):
        connected.clear()
        with contextlib.suppress(VeoError):
            await call(kind, url)
        found[kind.__name__] = set(connected) == {PROXY_ADDRESS}
        assert connected, f"{kind.__name__} has connected to nothing"
    return found


def test_the_table_covers_every_kind_of_setting():
    assert SETTINGS >= 165


@pytest.mark.parametrize("exception", EXCEPTIONS)
async def test_all_kinds_of_calls_use_the_same_proxy(monkeypatch, connected, exception):
    for proxies, url in itertools.product(PROXIES, URLS):
        set_environment(monkeypatch, proxies if exception is None else proxies | {"NO_PROXY": exception})
        found = await ways(url, connected)
        assert set(found.values()) == {find_proxy(url) is not None}, (proxies, exception, url, found)


@pytest.mark.parametrize("proxy", ["ftp://proxy.example", "http://proxy.example:port", "socks5://p:1"])
@pytest.mark.parametrize("kind", [order, content, poll])
async def test_an_unusable_proxy_is_an_error_that_names_it(monkeypatch, connected, proxy, kind):
    if proxy.startswith("socks5"):
        monkeypatch.setitem(sys.modules, "socksio", None)
    set_environment(monkeypatch, {"ALL_PROXY": proxy.replace("://", "://user:secret@")})
    with pytest.raises(NotSentError, match=r"^The proxy .* cannot be used .* NO_PROXY") as caught:
        await call(kind, "https://api.example.com")
    assert "secret" not in str(caught.value)
    assert connected == []


def test_the_proxy_settings_of_httpx_have_no_effect(monkeypatch, connected):
    """httpx has other rules: it would send `.example.com` itself through the proxy."""
    set_environment(monkeypatch, {"ALL_PROXY": PROXY, "NO_PROXY": ".example.com"})
    with httpx.Client() as client, pytest.raises(httpx.ConnectError):
        client.get("http://example.com")
    with pytest.raises(NotSentError):
        order("http://example.com")
    assert connected == [PROXY_ADDRESS, ("93.184.216.34", 80)]
