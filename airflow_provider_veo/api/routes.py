"""The way of a request to its server: by the right proxy, with the peer known, and without a signed address in a log.

These are transports of httpx, which are used without its clients: a client logs each address in full, at INFO.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from airflow_provider_veo.api.addresses import IPAddress, peer_of
from airflow_provider_veo.api.errors import NotSentError
from airflow_provider_veo.api.proxies import proxy_for

Trace = Callable[[str, dict[str, Any]], None]
"""Called by httpcore with an event of a request, and with the facts that httpcore logs right after, at DEBUG."""


class Routes(httpx.BaseTransport):
    """Sends each request through the proxy that the environment names for its address, or directly.

    Args:
        tls: for the connections to servers.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._transports: dict[str | None, httpx.HTTPTransport] = {}
        self._peers: dict[tuple[str, bytes, int | None], IPAddress | None] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return the answer, whose body is not read yet.

        Raises:
            NotSentError: the environment names a proxy that cannot be used.
            InvalidInputError: of the request's own check of its connection.
            httpx.RequestError: as of any transport.
        """
        proxy = proxy_for(str(request.url))
        if proxy not in self._transports:
            with usable_proxy():
                self._transports[proxy] = httpx.HTTPTransport(verify=self._tls, proxy=proxy)
        _sign_in(request)
        request.extensions = {**request.extensions, "trace": _quiet(request.extensions.get("trace"))}
        response = self._transports[proxy].handle_request(request)
        response.request = request
        self._peers[_origin(request.url)] = None if proxy else peer_of(response.extensions)
        return response

    def reached(self, url: str) -> IPAddress | None:
        """Return the address from which an origin has answered last; None if it has not, or through a proxy."""
        return self._peers.get(_origin(httpx.URL(url)))

    def close(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            transport.close()


class AsyncRoutes(httpx.AsyncBaseTransport):
    """Does as `Routes`, but for `reached`: nothing that a server names is fetched through it."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._transports: dict[str | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Do as `Routes.handle_request`."""
        proxy = proxy_for(str(request.url))
        if proxy not in self._transports:
            with usable_proxy():
                self._transports[proxy] = httpx.AsyncHTTPTransport(verify=self._tls, proxy=proxy)
        request.extensions = {**request.extensions, "trace": quiet_async}
        response = await self._transports[proxy].handle_async_request(request)
        response.request = request
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            await transport.aclose()


async def quiet_async(event: str, facts: dict[str, Any]) -> None:
    """Keep out of httpcore's log what it must not show: the extension `trace` of an async request."""
    _conceal(event, facts)


def _quiet(trace: Trace | None) -> Trace:
    """Return a trace that calls another one, and then does as `quiet_async`."""

    def told(event: str, facts: dict[str, Any]) -> None:
        if trace:
            trace(event, facts)
        _conceal(event, facts)

    return told


def _conceal(event: str, facts: dict[str, Any]) -> None:
    """Take the headers of an answer from the facts, and what an error quotes: a `Location` is as good as a password.

    The level of a logger would be everybody's. The facts are this request's own.
    """
    if event.endswith("receive_response_headers.complete"):
        facts["return_value"] = facts["return_value"][:2]  # of version, status, reason and headers
    elif "exception" in facts:
        facts["exception"] = type(facts["exception"])


@contextmanager
def usable_proxy() -> Iterator[None]:
    """Say in plain words that no transport can be made with a proxy.

    Raises:
        NotSentError: so it is. A worker with another environment may do better.
    """
    try:
        yield
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise NotSentError(
            f"The proxy that the environment names for this call cannot be used ({type(error).__name__}). Correct "
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY of this process, or name the host in NO_PROXY. A SOCKS proxy needs "
            "`pip install 'httpx[socks]'`."
        ) from None  # the other error may quote a password


def _sign_in(request: httpx.Request) -> None:
    """Send the user and the password that stand in an address, as httpx's clients do."""
    if request.url.userinfo:
        next(httpx.BasicAuth(request.url.username, request.url.password).sync_auth_flow(request))


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port
