"""Requests go out and answers come in, sync and async: one exchange at a time, within the limits of its call.

It stands on `httpcore`, which httpx itself stands on, since only there a connection can be made to obey the clock of a
call. httpx writes the requests.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import cached_property
from typing import Any, cast

import httpcore
import httpx

from airflow_provider_veo.api import urls
from airflow_provider_veo.api.errors import NotSentError, TransportError, VeoError
from airflow_provider_veo.api.net.bodies import Body, unpacking
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.streams import AsyncClockedBackend, ClockedBackend

ProxyOf = Callable[[str], str | None]
"""From an address to the proxy that leads there, or None."""

_KEPT_FOR = 60.0  # seconds that an idle connection is kept open
_WORDS = 200  # characters kept of what a library says, which quotes servers
_NEVER_SENT = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


class _Response:
    """An answer whose head is there.

    Attributes:
        status: the HTTP status.
        headers: names in lower case; of the same name, joined by commas.
        url: what was asked.
    """

    def __init__(self, request: httpx.Request, response: httpcore.Response, clock: Clock) -> None:
        self.status = response.status
        self.headers = _headers(response.headers)
        self._request = request
        self._response = response
        self._clock = clock
        clock.begin_body()

    @cached_property
    def url(self) -> str:
        return str(self._request.url)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def empty_body(self) -> Body:
        """Return what takes the body in, as much of it as the limits allow."""
        return Body(self.headers, self._clock.limits.most_bytes_of(self.status))


class Response(_Response):
    """An answer of a blocking exchange."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the body's bytes as they were sent."""
        with _errors(self._request, self._clock):
            yield from cast("Iterator[bytes]", self._response.stream)

    def blocks(self) -> Iterator[bytes]:
        """Yield the body's bytes, unpacked."""
        unpack = unpacking(self.headers)
        for chunk in self.chunks():
            yield from unpack(chunk)

    def read(self) -> Body:
        """Return the body."""
        body = self.empty_body()
        for chunk in self.chunks():
            if not body.take(chunk):
                break
        return body


class AsyncResponse(_Response):
    """An answer of an exchange in an event loop."""

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body's bytes as they were sent."""
        with _errors(self._request, self._clock):
            async for chunk in cast("AsyncIterator[bytes]", self._response.stream):
                yield chunk

    async def blocks(self) -> AsyncIterator[bytes]:
        """Yield the body's bytes, unpacked."""
        unpack = unpacking(self.headers)
        async for chunk in self.chunks():
            for block in unpack(chunk):
                yield block

    async def read(self) -> Body:
        """Return the body."""
        body = self.empty_body()
        with _errors(self._request, self._clock):  # no generator around it: this is what thousands of polls do
            async for chunk in cast("AsyncIterator[bytes]", self._response.stream):
                if not body.take(chunk):
                    break
        return body


class Exchanges:
    """Blocking exchanges, over connections that are kept for the next ones. To be closed.

    Args:
        tls: of all connections.
        proxy_of: says which proxy leads where.
    """

    def __init__(self, tls: ssl.SSLContext, proxy_of: ProxyOf = urls.proxy_for) -> None:
        self._tls = tls
        self._proxy_of = proxy_of
        self._pools: dict[str | None, httpcore.ConnectionPool] = {}

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.close()

    @contextmanager
    def open(self, request: httpx.Request, clock: Clock) -> Iterator[Response]:
        """Send a request, and bring its answer's head. At the end the connection is kept if the body was read whole.

        Raises:
            NotSentError: the connection was not made.
            TransportError: no answer came in time, or none that can be read; of the body, too.
        """
        with _errors(request, clock):
            response = self._pool(str(request.url)).handle_request(_outgoing(request, clock))
        try:
            yield Response(request, response, clock)
        finally:
            response.close()

    def _pool(self, url: str) -> httpcore.ConnectionPool:
        proxy = self._proxy_of(url)
        if proxy not in self._pools:
            self._pools[proxy] = httpcore.ConnectionPool(
                **_options(self._tls, proxy), network_backend=ClockedBackend()
            )
        return self._pools[proxy]


class AsyncExchanges:
    """The async twin of `Exchanges`, at the same time made for thousands of calls.

    A pool spends its time on looking for an idle connection when it has many of them: see docs/performance.md. So each
    connection here is a pool of its own, and the one that was used last is taken first. How many there are is up to the
    caller: as many as it has calls in flight. All calls go to one place, so that one proxy leads there.

    Args:
        tls: of all connections.
        proxy: that leads to the server, or None.
    """

    def __init__(self, tls: ssl.SSLContext, proxy: str | None) -> None:
        self._options = _options(tls, proxy) | {"max_connections": 1, "max_keepalive_connections": 1}
        self._idle: list[httpcore.AsyncConnectionPool] = []
        self._closed = False

    async def aclose(self) -> None:
        """Close the connections; those in use close when their exchange is over."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    @asynccontextmanager
    async def open(self, request: httpx.Request, clock: Clock) -> AsyncIterator[AsyncResponse]:
        """Do as `Exchanges.open`."""
        pool = self._idle.pop() if self._idle else self._pool()
        try:
            with _errors(request, clock):
                response = await pool.handle_async_request(_outgoing(request, clock))
            try:
                yield AsyncResponse(request, response, clock)
            finally:
                await response.aclose()
        finally:
            if self._closed:
                await pool.aclose()
            else:
                self._idle.append(pool)

    def _pool(self) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(**self._options, network_backend=AsyncClockedBackend())
