"""Which hosts an address leads to: those of a private network must not be reached by a word from outside."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.urls import proxy_for, redact

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052


class Network(Enum):
    """What kind of network an IP address belongs to."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    """Where clouds keep their credentials."""


NOT_PUBLIC = frozenset({Network.PRIVATE, Network.LOOPBACK})
"""What a person may open up. Link-local addresses are not among it."""


@dataclass(frozen=True)
class AddressRule:
    """Which addresses may be asked besides public ones.

    Attributes:
        allowed: their networks.
        advice: what to do about a refusal.
    """

    allowed: Collection[Network]
    advice: str

    def check(self, url: str, name: str) -> None:
        """Refuse an address whose host lies in a network that is not allowed.

        Args:
            url: the address to be asked next.
            name: of what is fetched, for the error message.

        Raises:
            InvalidInputError: the address is refused.
        """
        for address in _addresses_of(urlsplit(url).hostname or ""):
            self._check(address, url, name)

    def connection_check(self, url: str, name: str) -> dict[str, Any]:
        """Return the extensions of an httpx request that make it check the peer before anything is sent.

        A name may lead to another address by the time of the connection than when it was checked. Where a proxy makes
        the connection, there is nothing to check here.
        """
        return {} if proxy_for(url) else {"trace": self._check_at_connection(url, name)}

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
        network = network_of(address)
        if network is not Network.PUBLIC and network not in self.allowed:
            raise InvalidInputError(
                f"{name} leads to {redact(url)}, and {address} is not a public address ({network.value}). {self.advice}"
            )


def networks_of(url: str) -> frozenset[Network]:
    """Return the networks of an address's host; none where this machine cannot resolve it."""
    return frozenset(network_of(address) for address in _addresses_of(urlsplit(url).hostname or ""))


def network_of(address: IPAddress) -> Network:
    """Say what kind of network an address belongs to; of an IPv6 form of an IPv4 address, that one's."""
    address = _embedded(address) or address
    if address.is_link_local:
        return Network.LINK_LOCAL
    if address.is_loopback or address.is_unspecified:  # 0.0.0.0 leads to this machine, too
        return Network.LOOPBACK
    return Network.PUBLIC if address.is_global and not address.is_reserved else Network.PRIVATE


def _embedded(address: IPAddress) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    is_translated = address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 0xFFFF)  # ::a.b.c.d is deprecated
    translated = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if is_translated else None
    return address.ipv4_mapped or address.sixtofour or translated


def _addresses_of(host: str) -> list[IPAddress]:
    """Return the addresses of a host; none where it is unknown here: then a proxy knows it, or the request fails."""
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return []
    return [_address(str(entry[4][0])) for entry in found]


def _address(text: str) -> IPAddress:
    return ipaddress.ip_address(text.partition("%")[0])  # a scope ("%eth0") is no part of the address
