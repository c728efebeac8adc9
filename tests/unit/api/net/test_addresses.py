"""Addresses of private networks, to which a server must not lead a request."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.net.addresses import (
    NOT_PUBLIC,
    AddressRule,
    Network,
    find_network,
    find_own_networks,
    read_peer,
)

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
    ("network", "addresses"),
    [
        (
            Network.PUBLIC,
            "93.184.216.34 8.8.8.8 1.1.1.1 100.63.255.255 100.128.0.0 172.32.0.1 192.0.1.1 223.255.255.255",
        ),
        (Network.PUBLIC, "2606:2800:220:1::1 2001:4860:4860::8888 2a00::1 3ffe::1"),
        (Network.PRIVATE, "10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 fc00::1 fd00::1 fdff:ffff::1"),
        (
            Network.PRIVATE,
            "100.64.0.1 100.127.255.255 192.0.0.8 192.0.0.170 198.18.0.1 198.19.255.255 240.0.0.1 fec0::1",
        ),
        (Network.LOOPBACK, "127.0.0.1 127.1.2.3 0.0.0.0 0.1.2.3 :: ::1"),
        (
            Network.LINK_LOCAL,
            "169.254.169.254 169.254.0.23 169.254.170.2 169.254.42.42 fe80::1 fe80::a9fe:a9fe febf::1",
        ),
        (Network.METADATA, "168.63.129.16 192.0.0.192 100.100.100.200 100.96.0.96 100.80.80.80"),
        (Network.METADATA, "fd00:ec2::254 fd00:ec2::23 fd00:ec2:0:1::1 fd20:ce::254 fd00:c1::a9fe:a9fe fd00:42::42"),
        (Network.METADATA, "fd00:100::100:200 fd00:a9fe:a9fe::1"),
        (Network.RESERVED, "224.0.0.1 239.1.1.1 255.255.255.255 ff02::1 ff0e::1"),
        (Network.RESERVED, "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1 192.88.99.1"),
        (Network.RESERVED, "2001:2::1 2001:10::1 2001:20::1 100::1 4000::1 5f00::1 ::1:127.0.0.1"),
    ],
)
def test_each_address_belongs_to_the_right_network(network, addresses):
    assert {address: find_network(ipaddress.ip_address(address)) for address in addresses.split()} == dict.fromkeys(
        addresses.split(), network
    )


IPV4 = {
    "93.184.216.34": Network.PUBLIC,
    "10.0.0.1": Network.PRIVATE,
    "127.0.0.1": Network.LOOPBACK,
    "169.254.169.254": Network.LINK_LOCAL,
    "168.63.129.16": Network.METADATA,
}


@pytest.mark.parametrize("form", ["::ffff:0:0", "64:ff9b::"])
@pytest.mark.parametrize("address", IPV4)
def test_an_ipv6_form_belongs_to_the_network_of_its_ipv4_address(form, address):
    translated = ipaddress.IPv6Address(int(ipaddress.ip_address(form)) | int(ipaddress.ip_address(address)))
    assert find_network(translated) is IPV4[address]


@pytest.mark.parametrize("address", IPV4)
def test_other_ipv6_forms_of_ipv4_addresses_are_refused(address):
    """IPv4-compatible, IPv4-translated, local NAT64, 6to4 and Teredo."""
    number = int(ipaddress.ip_address(address))
    forms = [
        number,
        int(ipaddress.ip_address("::ffff:0:0:0")) | number,
        int(ipaddress.ip_address("64:ff9b:1::")) | number,
        int(ipaddress.ip_address("2002::")) | number << 80,
        int(ipaddress.ip_address("2001::")) | (number ^ 0xFFFFFFFF),
    ]
    assert {find_network(ipaddress.IPv6Address(form)) for form in forms} == {Network.RESERVED}


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_every_address_has_a_network(address):
    assert find_network(address) in Network


@given(st.one_of(*(st.ip_addresses(network=network) for network in ("10.0.0.0/8", "100.64.0.0/10", "fc00::/7"))))
def test_an_address_of_a_private_network_never_counts_as_public(address):
    assert find_network(address) in (Network.PRIVATE, Network.METADATA)


def test_the_networks_do_not_depend_on_the_version_of_python(monkeypatch):
    """The tables of `ipaddress` differ between versions."""
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        for name in ("is_global", "is_private", "is_reserved", "is_link_local", "is_loopback", "is_multicast"):
            monkeypatch.delattr(kind, name)
    assert find_network(ipaddress.ip_address("192.0.0.8")) is Network.PRIVATE


def check(host, allowed=()):
    AddressRule(allowed, "Advice.").check(f"http://{host}:8080/a.png?token=x", "last_frame")


@pytest.mark.parametrize("host", ["intranet.example", "two-faced.example", "localhost", "2130706433", "[::1]"])
def test_a_private_network_is_refused_unless_it_is_opened(host):
    with pytest.raises(
        InvalidInputError, match=r"^last_frame leads to http://.*is not a public address \(.*\)\. Advice\.$"
    ) as e:
        check(host)
    assert "token=x" not in str(e.value)
    check(host, NOT_PUBLIC)


@pytest.mark.parametrize(
    "host",
    [
        "cloud.example",
        "link.example",
        "169.254.0.23",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a83f:8110]",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
        "224.0.0.1",
    ],
)
@pytest.mark.parametrize("allowed", [(), NOT_PUBLIC])
def test_metadata_services_of_clouds_are_always_refused(host, allowed):
    with pytest.raises(InvalidInputError, match=r"is not a public address.*No setting opens such addresses"):
        check(host, allowed)


@pytest.mark.parametrize("host", ["cdn.example", "unknown.example"])
def test_public_and_unknown_hosts_are_allowed(host):
    check(host)


def test_the_scope_of_an_address_is_ignored():
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
    extensions = AddressRule(allowed, "Advice.").make_connection_check("http://cdn.example/a.png?token=x", "last_frame")
    stream = Stream(address)
    try:
        extensions["trace"]("connection.connect_tcp.started", {"host": address})
        extensions["trace"]("connection.connect_tcp.complete", {"return_value": stream})
    finally:
        assert stream.open is (find_network(ipaddress.ip_address(address)) in {Network.PUBLIC, *allowed})


@pytest.fixture
def no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
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
def test_behind_a_proxy_the_peer_is_not_checked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://10.0.0.1:3128")
    assert AddressRule((), "").make_connection_check("http://cdn.example/a.png", "last_frame") == {}
    assert AddressRule((), "").make_connection_check("https://cdn.example/a.png", "last_frame") != {}


PRIVATE, LOOPBACK = {Network.PRIVATE}, {Network.LOOPBACK}


def own(url, peer=None):
    asked = []

    def reach():
        asked.append(url)
        return peer and ipaddress.ip_address(peer)

    return find_own_networks(url, reach), bool(asked)


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(
    ("host", "peer", "networks"),
    [
        ("intranet.example", "10.1.2.3", PRIVATE),
        ("intranet.example", "::ffff:10.1.2.3", PRIVATE),
        ("localhost", "127.0.0.1", LOOPBACK),
        ("2130706433", "127.0.0.1", LOOPBACK),
        # the name says so, the connection does not
        ("intranet.example", "93.184.216.34", set()),
        ("intranet.example", "169.254.169.254", set()),
        ("intranet.example", None, set()),
        ("localhost", "10.1.2.3", PRIVATE),
    ],
)
def test_a_private_host_name_opens_the_network_that_the_connection_reached(host, peer, networks):
    assert own(f"http://{host}:8000", peer) == (networks, True)


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(
    "host", ["two-faced.example", "cdn.example", "cloud.example", "link.example", "unknown.example"]
)
@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "169.254.169.254"])
def test_a_host_name_that_also_leads_to_a_public_address_opens_nothing(host, peer):
    assert own(f"http://{host}", peer) == (set(), False)


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(
    ("host", "networks"),
    [
        ("10.0.0.5", {Network.PRIVATE, ipaddress.ip_address("10.0.0.5")}),
        ("[::ffff:10.0.0.5]", {Network.PRIVATE, ipaddress.ip_address("10.0.0.5")}),
        ("[::1]", {Network.LOOPBACK, ipaddress.ip_address("::1")}),
        ("93.184.216.34", {ipaddress.ip_address("93.184.216.34")}),
        # its other ports, but no other address beside it
        ("169.254.169.254", {ipaddress.ip_address("169.254.169.254")}),
        ("100.100.100.200", {ipaddress.ip_address("100.100.100.200")}),
    ],
)
def test_an_ip_address_in_the_connection_is_allowed_without_a_request(monkeypatch, host, networks):
    assert own(f"http://{host}:8000") == (networks, False)
    monkeypatch.setenv("HTTP_PROXY", "http://10.0.0.1:3128")
    assert own(f"http://{host}:8000") == (networks, False)


def test_the_address_of_a_gateway_is_allowed_and_its_neighbour_is_not():
    allowed, _ = own("http://169.254.1.5:8000")
    check("169.254.1.5", allowed)
    check("[::ffff:169.254.1.5]", allowed)
    with pytest.raises(InvalidInputError, match="link-local"):
        check("169.254.1.6", allowed)


def test_behind_a_proxy_a_host_name_opens_nothing(monkeypatch, no_proxy):
    monkeypatch.setenv("ALL_PROXY", "http://10.0.0.1:3128")
    assert own("http://intranet.example", "10.1.2.3") == (set(), False)


def test_a_closed_connection_has_no_peer():
    class Gone:
        def get_extra_info(self, _):
            raise OSError

    class Nothing:
        def get_extra_info(self, _):
            return None

    assert read_peer({"network_stream": Stream("fe80::1%eth0")}) == ipaddress.ip_address("fe80::1")
    assert [
        read_peer(extensions) for extensions in ({}, {"network_stream": Gone()}, {"network_stream": Nothing()})
    ] == [
        None,
        None,
        None,
    ]
