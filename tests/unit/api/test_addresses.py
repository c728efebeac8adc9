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


def test_the_networks_of_a_host():
    assert networks_of("http://two-faced.example:8000/x") == {Network.PUBLIC, Network.PRIVATE}
    assert networks_of("http://unknown.example") == frozenset()
