"""Choose the proxy of a call: one rule for all calls, so that all calls to one address take the same way."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.request import getproxies

import httpx

from airflow_provider_veo.api.net.urls import DEFAULT_PORT

_ENTRY = re.compile(r"(?:(?P<scheme>\w+)://)?(?P<host>\[.*?\]|.*?:.*:.*?|[^:]*?)(?::(?P<port>\d+))?(?P<rest>/.*)?")


def find_proxy(url: str) -> str | None:
    """Return the proxy that the environment (`HTTPS_PROXY`, `NO_PROXY` ...) names for an address, or None."""
    return choose(url, getproxies())


def choose(url: str, settings: Mapping[str, str]) -> str | None:
    """Return the proxy for an address; None for a direct connection.

    Args:
        url: An http(s) address. Other addresses have no proxy.
        settings: The settings by their names in lower case without `_PROXY`. `http`, `https` and `all` name a proxy.
            `no` is a list of hosts with direct connections. Its entries are separated by commas or spaces:

            - `*`: every host.
            - `example.com`, `.example.com` or `*.example.com`: this host, and all hosts below it.
            - `10.0.0.1`, `::1` or `[::1]`: this address, if the URL contains an address and not a host name.
            - `10.0.0.0/8`: all addresses of this network, if the URL contains an address and not a host name.
            - Each entry may begin with a scheme (`http://`) or end with a port (`:8080`), and then holds only for it.
    """
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return None
    proxy = (settings.get(target.scheme) or settings.get("all") or "").strip()
    if target.scheme not in DEFAULT_PORT or not proxy:
        return None
    if any(_covers(entry, target) for entry in re.split(r"[\s,]+", settings.get("no") or "") if entry):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _covers(entry: str, target: httpx.URL) -> bool:
    """Return whether an entry of `NO_PROXY` covers an address."""
    parts = _ENTRY.fullmatch(entry)
    if parts is None or (parts["scheme"] or "all").lower() not in ("all", target.scheme):
        return False
    if parts["port"] and int(parts["port"]) != (target.port or DEFAULT_PORT[target.scheme]):
        return False
    host = _ascii(target.host)
    try:
        network = ipaddress.ip_network(parts["host"].strip("[]") + (parts["rest"] or "").rstrip("/"), strict=False)
        return ipaddress.ip_address(host) in network
    except ValueError:  # the entry or the host is a name
        domain = _ascii(parts["host"].removeprefix("*").strip("."))
        return parts["host"] == "*" or (bool(domain) and f".{host}".endswith(f".{domain}"))


def _ascii(host: str) -> str:
    """Return the form of a host in which all its spellings are equal."""
    try:
        return httpx.URL(scheme="http", host=host).raw_host.decode("ascii").rstrip(".")
    except (httpx.InvalidURL, ValueError):
        return host.lower().rstrip(".")
