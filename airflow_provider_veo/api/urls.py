"""Addresses that come from servers and may be anything."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

ADDRESS_LIMIT = 8_192
"""Characters of an address. Web servers take none that is longer."""

_DEFAULT_PORT = {"http": 80, "https": 443}


def absolute(base: str, url: str) -> str | None:
    """Resolve an address against the one it came from; None where that gives no usable http(s) address."""
    if len(url) > ADDRESS_LIMIT:  # the standard library keeps the last 128 that it has split
        return None
    try:
        joined = urljoin(base, url)
    except ValueError:
        return None
    return joined if _split(joined) else None


def with_port(url: str, port: int) -> str:
    """Return an address with a port, unless it names one already."""
    parts = _split(url)
    if parts is None or parts.port is not None:
        return url
    return parts._replace(netloc=f"{parts.netloc}:{port}").geturl()


def redact(url: str) -> str:
    """Return an address without what may be secret in it: user, password, query and fragment."""
    parts = _split(url)
    if parts is None:
        return url.partition("?")[0][:200]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + ("?…" if parts.query else "")


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment (`HTTPS_PROXY`, `NO_PROXY` ...) names for an address, or None."""
    parts = _split(url)
    if parts is None or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def same_origin(url: str, other: str) -> bool:
    """Whether two addresses have scheme, host and port in common: only then may the API key go along."""
    return _origin(url) == _origin(other) is not None


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _DEFAULT_PORT and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a broken IPv6 address, a port that is no number
        return None
    return parts if usable else None


def _origin(url: str) -> tuple[str, str | None, int] | None:
    parts = _split(url)
    return parts and (parts.scheme, parts.hostname, parts.port or _DEFAULT_PORT[parts.scheme])
