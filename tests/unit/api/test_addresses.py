from __future__ import annotations

import ipaddress
import socket

import pytest

from airflow_provider_veo.api.addresses import NOT_PUBLIC, AddressRule, Network, network_of, networks_of
from airflow_provider_veo.api.errors import InvalidInputError

HOSTS = {
    "cdn.example": ["93.184.216.34", "2606:2800:220:1::1"],
    "intranet.example": ["10.1.2.3"],
    "two-faced.example": ["93.184.216.34", "192.168.0.1"],
    "cloud.example": ["169.254.169.254"],
    "link.example": ["fe80::1%eth0"],
    "localhost": ["127.0.0.1", "::1"],
    "2130706433": ["127.0.0.1"],
}


@pytest.fixture(autouse=True)
def resolver(monkeypatch):
    def getaddrinfo(host, port, **_):
        try:
            found = HOSTS.get(host) or [str(ipaddress.ip_address(host))]
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        return [(0, 0, 0, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("93.184.216.34", Network.PUBLIC),
        ("2606:2800:220:1::1", Network.PUBLIC),
        ("10.0.0.1", Network.PRIVATE),
        ("172.16.0.1", Network.PRIVATE),
        ("192.168.0.1", Network.PRIVATE),
        ("100.64.0.1", Network.PRIVATE),
        ("240.0.0.1", Network.PRIVATE),
        ("fd00::1", Network.PRIVATE),
        ("127.0.0.1", Network.LOOPBACK),
        ("127.1.2.3", Network.LOOPBACK),
        ("0.0.0.0", Network.LOOPBACK),
        ("::", Network.LOOPBACK),
        ("::1", Network.LOOPBACK),
        ("169.254.169.254", Network.LINK_LOCAL),
        ("fe80::1", Network.LINK_LOCAL),
        # IPv6 forms of IPv4 addresses: mapped, compatible, NAT64, 6to4, Teredo
        ("::ffff:10.0.0.1", Network.PRIVATE),
        ("::ffff:127.0.0.1", Network.LOOPBACK),
        ("::ffff:169.254.169.254", Network.LINK_LOCAL),
        ("::ffff:93.184.216.34", Network.PUBLIC),
        ("::127.0.0.1", Network.LOOPBACK),
        ("::1:127.0.0.1", Network.PRIVATE),  # no form of one
        ("64:ff9b::169.254.169.254", Network.LINK_LOCAL),
        ("64:ff9b::10.0.0.1", Network.PRIVATE),
        ("64:ff9b::93.184.216.34", Network.PUBLIC),
        ("2002:7f00:1::", Network.LOOPBACK),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Network.PRIVATE),
    ],
)
def test_the_network_of_an_address(address, network):
    assert network_of(ipaddress.ip_address(address)) is network


def check(host, allowed=()):
    AddressRule(allowed, "Advice.").check(f"http://{host}:8080/a.png?token=x", "last_frame")


@pytest.mark.parametrize(
    "host",
    ["intranet.example", "two-faced.example", "cloud.example", "link.example", "localhost", "2130706433", "[::1]"],
)
def test_what_is_not_public_is_refused(host):
    with pytest.raises(
        InvalidInputError, match=r"^last_frame leads to http://.*is not a public address.*Advice.$"
    ) as e:
        check(host)
    assert "token=x" not in str(e.value)


@pytest.mark.parametrize("host", ["cdn.example", "unknown.example"])
def test_what_is_public_or_unknown_here_is_asked(host):
    check(host)


@pytest.mark.parametrize("host", ["intranet.example", "two-faced.example", "localhost"])
def test_what_is_allowed_is_asked(host):
    check(host, NOT_PUBLIC)


@pytest.mark.parametrize("host", ["cloud.example", "link.example"])
def test_link_local_hosts_are_never_asked(host):
    with pytest.raises(InvalidInputError, match="link-local"):
        check(host, NOT_PUBLIC)


def test_a_scope_is_no_part_of_an_address():
    with pytest.raises(InvalidInputError, match=" fe80::1 is not a public address"):
        check("link.example")


class Stream:
    """A connection that has just been made, as httpx shows it."""

    def __init__(self, address):
        self.known = {"server_addr": (address, 8080), "client_addr": ("93.184.216.34", 50000)}
        self.open = True

    def get_extra_info(self, name):
        return self.known.get(name)

    def close(self):
        self.open = False


def connect(address, allowed=()):
    """Let a name that was public when it was checked lead to this address when the connection is made."""
    extensions = AddressRule(allowed, "Advice.").connection_check("http://cdn.example/a.png?token=x", "last_frame")
    stream = Stream(address)
    try:
        extensions["trace"]("connection.connect_tcp.started", {"host": address})
        extensions["trace"]("connection.connect_tcp.complete", {"return_value": stream})
    finally:
        assert stream.open is (network_of(ipaddress.ip_address(address)) in {Network.PUBLIC, *allowed})


@pytest.fixture
def no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_proxy")
def test_a_connection_to_another_address_than_the_checked_one_is_closed():
    connect("93.184.216.34")
    connect("10.1.2.3", NOT_PUBLIC)
    with pytest.raises(
        InvalidInputError, match=r"^last_frame leads to http://cdn\.example/a\.png.*, and 10\.1\.2\.3 is"
    ):
        connect("10.1.2.3")


@pytest.mark.usefixtures("no_proxy")
def test_where_a_proxy_makes_the_connection_there_is_nothing_to_check(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://10.0.0.1:3128")
    assert AddressRule((), "").connection_check("http://cdn.example/a.png", "last_frame") == {}
    assert AddressRule((), "").connection_check("https://cdn.example/a.png", "last_frame") != {}


def test_the_networks_of_a_host():
    assert networks_of("http://two-faced.example:8000/x") == {Network.PUBLIC, Network.PRIVATE}
    assert networks_of("http://unknown.example") == frozenset()
