"""Which proxy a call takes: one rule for all calls, so that no two of them go different ways to one address."""

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
    """Return the proxy for an address, or None where it is asked directly.

    Args:
        url: an http(s) address. Anything else has no proxy.
        settings: by their names in lower case without `_PROXY`. `http`, `https` and `all` name a proxy. `no` is a list
            with commas or spaces between its entries, which are asked directly:

            - `*`: every host.
            - `example.com`, `.example.com` or `*.example.com`: this host, and all below it.
            - `10.0.0.1`, `::1` or `[::1]`: this address, where the URL names an address and not a host.
            - `10.0.0.0/8`: all addresses of a network, likewise.
            - Each of them may begin with a scheme (`http://`) or end with a port (`:8080`), and counts for that only.
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
    """Say whether an entry of `NO_PROXY` means an address."""
    parts = _ENTRY.fullmatch(entry)
    if parts is None or (parts["scheme"] or "all").lower() not in ("all", target.scheme):
        return False
    if parts["port"] and int(parts["port"]) != (target.port or DEFAULT_PORT[target.scheme]):
        return False
    host = _ascii(target.host)
    try:
        network = ipaddress.ip_network(parts["host"].strip("[]") + (parts["rest"] or "").rstrip("/"), strict=False)
        return ipaddress.ip_address(host) in network
    except ValueError:  # one of the two is a name
        domain = _ascii(parts["host"].removeprefix("*").strip("."))
        return parts["host"] == "*" or (bool(domain) and f".{host}".endswith(f".{domain}"))


def _ascii(host: str) -> str:
    """Return the form of a host in which two spellings of it are equal."""
    try:
        return httpx.URL(scheme="http", host=host).raw_host.decode("ascii").rstrip(".")
    except (httpx.InvalidURL, ValueError):
        return host.lower().rstrip(".")
