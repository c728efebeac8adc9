"""Functions for addresses, which come from servers and may have any form."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urljoin, urlsplit

from airflow_provider_veo.api.answers.text import is_plain_text

LONGEST_URL = 8_192
"""Longest address in characters. Servers and proxies refuse longer ones."""

DEFAULT_PORT = {"http": 80, "https": 443}

_ROUTES = re.compile(r"/v1(/+(videos|chat/completions|models))?$")


def resolve_url(base: str, url: str) -> str | None:
    """Resolve an address against that of its source. Return None if the result is not a usable http(s) address."""
    if len(url) > LONGEST_URL:  # the standard library caches the last 128 addresses
        return None
    try:
        joined = urljoin(base, url)
    except ValueError:
        return None
    is_fit = len(joined) <= LONGEST_URL and is_plain_text(joined)
    return joined if is_fit and _split(joined) else None


def add_port(url: str, port: int) -> str:
    """Return an address with a port. A port that the address names already is kept."""
    parts = _split(url)
    if parts is None or parts.port is not None:
        return url
    return parts._replace(netloc=f"{parts.netloc}:{port}").geturl()


def add_brackets(host: str) -> str:
    """Return a host, perhaps with a port or a path, as an address needs it: an IPv6 address gets brackets."""
    try:
        return f"[{IPv6Address(host)}]"
    except ValueError:
        return host


def find_api_root(url: str) -> str:
    """Return the base address of an API from an address that may end in one of its routes."""
    return _ROUTES.sub("", url.rstrip("/")).rstrip("/")


def redact(url: str) -> str:
    """Return an address without its secret parts: user, password, query and fragment."""
    parts = _split(url)
    if parts is None:
        return re.sub(r"(//).*@|[?#].*", r"\1", url, flags=re.DOTALL)[:200]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + ("?…" if parts.query else "")


def is_same_origin(url: str, other: str) -> bool:
    """Return whether two addresses have the same scheme, host and port. Only then may a request carry the API key."""
    return _origin(url) == _origin(other) is not None


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in DEFAULT_PORT and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid IPv6 address, or a port that is not a number
        return None
    return parts if usable else None


def _origin(url: str) -> tuple[str, str | None, int] | None:
    parts = _split(url)
    return parts and (parts.scheme, parts.hostname, parts.port or DEFAULT_PORT[parts.scheme])
