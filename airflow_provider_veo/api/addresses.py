"""Which hosts an address leads to: those of a private network must not be reached by a redirect from outside."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.urls import redact

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_address(url: str, written: str, name: str) -> None:
    """Refuse an address that leads into a private network, unless its host is the one that the user has written.

    Link-local addresses are always refused: that is where clouds keep their credentials.

    Args:
        url: the address to be asked next.
        written: the address that the user has written.
        name: of what is fetched, for the error message.

    Raises:
        InvalidInputError: the address is refused.
    """
    host = urlsplit(url).hostname or ""
    for address in _addresses_of(host):
        if address.is_link_local or not (address.is_global or host == urlsplit(written).hostname):
            raise InvalidInputError(
                f"{name} leads to {redact(url)}, and {address} is not a public address. For a picture in a private "
                "network, write its own address."
            )


def _addresses_of(host: str) -> list[IPAddress]:
    """Return the addresses of a host; none where it is unknown here: then a proxy knows it, or the request fails."""
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return []
    # a scope ("%eth0") is no part of the address
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    return [getattr(address, "ipv4_mapped", None) or address for address in addresses]
