"""Refuse addresses of servers that lead into a private network (server-side request forgery)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import httpx

from airflow_provider_veo.api.errors import AddressNotAllowedError, InvalidInputError
from airflow_provider_veo.api.net.proxies import find_proxy
from airflow_provider_veo.api.net.urls import redact

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Network(Enum):
    """The kind of network of an IP address."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    METADATA = "metadata service of a cloud"
    RESERVED = "reserved"
    """Multicast, obsolete or unused addresses. No file is there."""


NOT_PUBLIC = frozenset({Network.PRIVATE, Network.LOOPBACK})
"""Networks that `allow_private_addresses` can open. The others stay closed: clouds keep their credentials there."""

_CLOSED = "No setting opens such addresses, not even allow_private_addresses of a connection."

# The registries of special addresses (https://www.iana.org/assignments/iana-ipv4-special-registry and
# .../iana-ipv6-special-registry), and addresses that clouds document. Python's `ipaddress` also has these registries,
# but each version has another edition. The smallest network that contains an address counts.
_NETWORKS: Mapping[Network, tuple[str, ...]] = {
    Network.PUBLIC: ("0.0.0.0/0", "2000::/3"),  # no other part of IPv6 is in public use
    Network.PRIVATE: (
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by internet providers and their customers
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks; some proxies give all hosts such an address
        "240.0.0.0/4",  # never assigned, used inside some networks
        "fc00::/7",
        "fec0::/10",  # the former site-local addresses
    ),
    Network.LOOPBACK: ("0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128"),  # 0.0.0.0 also leads to this machine
    Network.LINK_LOCAL: ("169.254.0.0/16", "fe80::/10"),  # metadata services of most clouds
    Network.METADATA: (
        "100.80.80.80/32",  # UCloud
        "100.96.0.96/32",  # Volcano Engine
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure
        "192.0.0.192/32",  # Oracle, Classic
        "fd00:42::42/128",  # Scaleway
        "fd00:100::100:200/128",  # Alibaba
        "fd00:a9fe:a9fe::1/128",  # Akamai
        "fd00:c1::a9fe:a9fe/128",  # Oracle
        "fd00:ec2::/32",  # AWS: metadata, the identity of pods, DNS, time
        "fd20:ce::254/128",  # Google
    ),
    Network.RESERVED: (
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "255.255.255.255/32",
        "::/0",
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    ),
}
_SMALLEST_FIRST = sorted(
    ((ipaddress.ip_network(text), kind) for kind, texts in _NETWORKS.items() for text in texts),
    key=lambda entry: -entry[0].prefixlen,
)
# IPv6 forms of IPv4 addresses that systems and networks translate (RFC 4291, RFC 6052). Other forms are reserved.
_TRANSLATED = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))


@dataclass(frozen=True)
class AddressRule:
    """The addresses that requests may go to besides public ones.

    Attributes:
        allowed: Allowed networks, and single allowed addresses.
        advice: End of the error if a person can allow the address: the setting to change.
        hide: Removes secrets from an address that the error quotes.
    """

    allowed: Collection[Network | IPAddress]
    advice: str
    hide: Callable[[str], str] = str

    def check(self, url: str, name: str) -> None:
        """Refuse an address whose host lies in a network that is not allowed.

        Args:
            url: Address of the next request.
            name: Name of the fetched file, for the error.

        Raises:
            AddressNotAllowedError: The address is refused.
        """
        for address in _addresses_of(_host(url)):
            self._check(address, url, name)

    def make_connection_check(self, url: str, name: str) -> dict[str, Any]:
        """Return the extensions of an httpx request that check the peer before anything is sent.

        A host name may lead to one address at the time of the check and to another at the time of the connection. If a
        proxy makes the connection, there is no peer to check.
        """
        return {} if find_proxy(url) else {"trace": self._check_at_connection(url, name)}

    def _check_at_connection(self, url: str, name: str) -> Callable[[str, Mapping[str, Any]], None]:
        def trace(event: str, info: Mapping[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                stream = info["return_value"]
                try:
                    self._check(_address(stream.get_extra_info("server_addr")[0]), url, name)
                except InvalidInputError:
                    stream.close()
                    raise

        return trace

    def _check(self, address: IPAddress, url: str, name: str) -> None:
        network = find_network(address)
        if network is Network.PUBLIC or network in self.allowed or _plain(address) in self.allowed:
            return
        advice = self.advice if network in NOT_PUBLIC else _CLOSED
        raise AddressNotAllowedError(
            f"{name} leads to {self.hide(redact(url))}, and {address} is not a public address ({network.value}). "
            f"{advice}"
        )


def find_own_networks(base_url: str, reach: Callable[[], IPAddress | None]) -> frozenset[Network | IPAddress]:
    """Return the networks and addresses that an API may send us to because it is in them itself.

    A host name proves nothing, since its owner can change its addresses at any time. So all addresses of the name must
    be in networks that are not public, and a connection must have reached the API there.

    Args:
        base_url: Address of the API. An IP address in it is always allowed. Behind a proxy nothing else is allowed.
        reach: Returns the address from which the API has answered; None if it is not known. Called only if needed.
    """
    host = _host(base_url)
    if literal := _literal(host):
        return frozenset({_plain(literal), *_opened_by(literal)})
    found = [] if find_proxy(base_url) else _addresses_of(host)
    if not found or not all(map(_opened_by, found)):
        return frozenset()
    peer = reach()
    return _opened_by(peer) if peer else frozenset()


def _opened_by(address: IPAddress) -> frozenset[Network]:
    return frozenset({find_network(address)} & NOT_PUBLIC)


def read_peer(extensions: Mapping[str, Any]) -> IPAddress | None:
    """Return the address from which an answer comes; None if the connection is closed.

    Args:
        extensions: Extensions of the httpx response. Its body must not be read yet.
    """
    try:
        return _address(extensions["network_stream"].get_extra_info("server_addr")[0])
    except (OSError, KeyError, TypeError, ValueError):  # the connection is closed already
        return None


def find_network(address: IPAddress) -> Network:
    """Return the kind of network of an address. For an IPv6 form of an IPv4 address, that of the IPv4 address."""
    address = _plain(address)
    return next(kind for network, kind in _SMALLEST_FIRST if address in network)


def _plain(address: IPAddress) -> IPAddress:
    """Return the IPv4 address for an IPv6 form of it, and every other address unchanged."""
    if any(address in form for form in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _host(url: str) -> str:
    """Return the host of an address; an empty string if the address is invalid."""
    try:
        return httpx.URL(url).host
    except (httpx.InvalidURL, ValueError):
        return ""


def _literal(host: str) -> IPAddress | None:
    try:
        return _address(host)
    except ValueError:
        return None


def _addresses_of(host: str) -> list[IPAddress]:
    """Return the IP addresses of a host; an empty list if this machine cannot resolve it, but perhaps a proxy can."""
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return []
    return [_address(str(entry[4][0])) for entry in found]


def _address(text: str) -> IPAddress:
    return ipaddress.ip_address(text.partition("%")[0])  # a scope ("%eth0") is not part of the address
