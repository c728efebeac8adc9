"""Connections through the right proxy, and requests without a signed address in a log."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import httpcore
import httpx

from airflow_provider_veo.api.errors import UnusableProxyError

Trace = Callable[[str, dict[str, Any]], None]
"""Called by httpcore with an event of a request, and with the facts that httpcore then logs at DEBUG."""

_KEPT_FOR = 60.0  # seconds that an idle connection is kept open
_LOGS = tuple(
    logging.getLogger(f"httpcore.{part}") for part in ("connection", "http11", "http2", "proxy", "socks")
)  # each of them may be enabled alone


def make_pool_options(tls: ssl.SSLContext, proxy: str | None) -> dict[str, Any]:
    """Return the options of a connection pool.

    Args:
        tls: TLS settings of the connections to servers.
        proxy: Proxy that makes the connections; None for direct connections.

    Raises:
        UnusableProxyError: The proxy cannot be used. It may work on a worker with another environment.
    """
    options: dict[str, Any] = {"ssl_context": tls, "keepalive_expiry": _KEPT_FOR}
    if proxy is None:
        return options
    try:
        named = httpx.Proxy(proxy)
        if named.url.scheme.startswith("socks") and not find_spec("socksio"):
            raise ImportError  # httpcore raises it, too, but only during the request
        url = httpcore.URL(
            scheme=named.url.raw_scheme, host=named.url.raw_host, port=named.url.port, target=named.url.raw_path
        )
        return options | {"proxy": httpcore.Proxy(url, auth=named.raw_auth, headers=named.headers.raw)}
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise UnusableProxyError(
            f"The proxy that the environment names for this call cannot be used ({type(error).__name__}). Correct "
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY of this process, or name the host in NO_PROXY. A SOCKS proxy needs "
            "`pip install 'httpx[socks]'`."
        ) from None  # the original error may quote a password


def sign_in(request: httpx.Request) -> None:
    """Send user and password of an address as basic authentication, as httpx's clients do."""
    if request.url.userinfo:
        next(httpx.BasicAuth(request.url.username, request.url.password).sync_auth_flow(request))


def add_trace(trace: Trace | None) -> dict[str, Any]:
    """Return the extensions of a request that keep secrets out of httpcore's log.

    Args:
        trace: Trace function of the request itself, which is called first.
    """
    if not _may_log():
        return {"trace": trace} if trace else {}

    def call_both(event: str, facts: dict[str, Any]) -> None:
        if trace:
            trace(event, facts)
        _conceal(event, facts)

    return {"trace": call_both}


def add_trace_async() -> dict[str, Any]:
    """Return such extensions for an asynchronous request, which has no trace function."""
    return {"trace": _conceal_async} if _may_log() else {}


def _may_log() -> bool:
    return any(log.isEnabledFor(logging.DEBUG) for log in _LOGS)


async def _conceal_async(event: str, facts: dict[str, Any]) -> None:
    _conceal(event, facts)


def _conceal(event: str, facts: dict[str, Any]) -> None:
    """Remove the headers of an answer and the text of an error from the facts: a `Location` may hold a signature.

    Changing the level of a logger instead would affect all users of httpcore in this process.
    """
    if event.endswith("receive_response_headers.complete"):
        facts["return_value"] = facts["return_value"][:2]  # of version, status, reason and headers
    elif "exception" in facts:
        facts["exception"] = type(facts["exception"])
