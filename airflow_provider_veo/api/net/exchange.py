"""Send a request and read its answer, synchronously or asynchronously, within the limits of the call.

This module uses `httpcore`, the library below httpx, because only there a connection can obey the clock of a call.
httpx only builds the requests.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import httpcore
import httpx

from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.errors import NotSentError, TooSlowError, TransportError, VeoError
from airflow_provider_veo.api.net.addresses import IPAddress, read_peer
from airflow_provider_veo.api.net.bodies import Body, IsEnough, make_unpacker
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.proxies import find_proxy
from airflow_provider_veo.api.net.routes import add_trace, add_trace_async, make_pool_options, sign_in
from airflow_provider_veo.api.net.streams import AsyncClockedBackend, ClockedBackend
from airflow_provider_veo.api.net.urls import redact

Hide = Callable[[str], str]
"""Removes secrets from a text for people."""

_LONGEST_TEXT = 200  # characters that are kept of a library's error, which may quote a server
_NEVER_SENT = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


class _Response:
    """An answer whose head has arrived.

    Attributes:
        status: HTTP status of the answer.
        head: Names and values of the headers.
        headers: The headers by name in lower case. Several values of a name are joined by commas.
        url: Address of the request.
        method: HTTP method of the request.
    """

    def __init__(self, response: httpcore.Response, errors: _Errors) -> None:
        self.status = response.status
        self.head = [(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in response.headers]
        self.headers = _join_headers(self.head)
        self.url = str(errors.request.url)
        self.method = errors.request.method
        self._bytes = response.stream
        self._errors = errors
        errors.clock.begin_body()

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def _empty_body(self, is_enough: IsEnough | None) -> Body:
        return Body(self.headers, self._errors.clock.limits.most_bytes_of(self.status), is_enough)


class Response(_Response):
    """An answer of a blocking exchange."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the body as they were sent."""
        with self._errors:
            yield from cast("Iterator[bytes]", self._bytes)

    def blocks(self) -> Iterator[bytes]:
        """Yield the decompressed bytes of the body."""
        unpack = make_unpacker(self.headers)
        for chunk in self.chunks():
            yield from unpack(chunk)

    def read(self, is_enough: IsEnough | None = None) -> Body:
        """Return the body, or its beginning if it exceeds the limits.

        Args:
            is_enough: Function that ends the reading before the end of the body; None to read all of it.
        """
        body = self._empty_body(is_enough)
        with self._errors:
            for chunk in cast("Iterator[bytes]", self._bytes):
                if not body.take(chunk):
                    break
        return body


class AsyncResponse(_Response):
    """An answer of an asynchronous exchange."""

    async def read(self, is_enough: IsEnough | None = None) -> Body:
        """Do as `Response.read`."""
        body = self._empty_body(is_enough)
        with self._errors:
            async for chunk in cast("AsyncIterator[bytes]", self._bytes):
                if not body.take(chunk):
                    break
        return body


class Exchanges:
    """Blocking exchanges. Connections are kept for the next exchange. Close this object after use.

    Args:
        tls: TLS settings of the connections.
        hide: Removes secrets from errors.
    """

    def __init__(self, tls: ssl.SSLContext, hide: Hide = str) -> None:
        self._tls = tls
        self._hide = hide
        self._pools: dict[str | None, httpcore.ConnectionPool] = {}
        self._peers: dict[tuple[str, bytes, int | None], IPAddress | None] = {}

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.close()

    @contextmanager
    def open(self, request: httpx.Request, clock: Clock) -> Iterator[Response]:
        """Send a request, and yield its answer. The connection is kept if the body is read to its end.

        Args:
            request: The request. Its extension `trace` is called, too.
            clock: Clock of the call.

        Raises:
            NotSentError: The connection was not made.
            TransportError: No answer came in time, or it cannot be read. Reading the body raises it, too.
            InvalidInputError: The `trace` of the request has refused the connection.
        """
        errors = _Errors(request, clock, self._hide)
        proxy = find_proxy(str(request.url))
        sign_in(request)
        with errors:
            outgoing = _convert_request(request, clock, add_trace(request.extensions.get("trace")))
            response = self._pool(proxy).handle_request(outgoing)
        try:
            self._peers[_origin_of(request.url)] = None if proxy else read_peer(response.extensions)
            yield Response(response, errors)
        finally:
            response.close()

    def find_peer(self, url: str) -> IPAddress | None:
        """Return the address from which an origin has answered last; None without an answer, and behind a proxy."""
        return self._peers.get(_origin_of(httpx.URL(url)))

    def _pool(self, proxy: str | None) -> httpcore.ConnectionPool:
        if proxy not in self._pools:
            options = make_pool_options(self._tls, proxy)
            self._pools[proxy] = httpcore.ConnectionPool(**options, network_backend=ClockedBackend())
        return self._pools[proxy]


class AsyncExchanges:
    """Asynchronous exchanges with one server, made for thousands of calls. Close this object after use.

    A pool with many connections spends its time on the search for an idle one (docs/performance.md has numbers). So
    each connection here has its own pool, and the connection that was used last is used next. There are as many
    connections as the caller has calls in flight.

    Args:
        tls: TLS settings of the connections.
        url: Address of the server. Its proxy is looked up once.
        hide: Removes secrets from errors.
    """

    def __init__(self, tls: ssl.SSLContext, url: str, hide: Hide = str) -> None:
        self._tls = tls
        self._proxy = find_proxy(url)
        self._hide = hide
        self._idle: list[httpcore.AsyncConnectionPool] = []
        self._closed = False

    async def aclose(self) -> None:
        """Close the connections. A connection in use closes at the end of its exchange."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    @asynccontextmanager
    async def open(self, request: httpx.Request, clock: Clock) -> AsyncIterator[AsyncResponse]:
        """Send a request as `Exchanges.open` does. The extension `trace` of the request is ignored."""
        errors = _Errors(request, clock, self._hide)
        pool = self._idle.pop() if self._idle else self._pool()
        try:
            with errors:
                response = await pool.handle_async_request(_convert_request(request, clock, add_trace_async()))
            try:
                yield AsyncResponse(response, errors)
            finally:
                await response.aclose()
        finally:
            if self._closed:
                await pool.aclose()
            else:
                self._idle.append(pool)

    def _pool(self) -> httpcore.AsyncConnectionPool:
        options = make_pool_options(self._tls, self._proxy)
        return httpcore.AsyncConnectionPool(**options, max_connections=1, network_backend=AsyncClockedBackend())


class _Errors:
    """Turns the errors of an exchange into errors of this package."""

    def __init__(self, request: httpx.Request, clock: Clock, hide: Hide) -> None:
        self.request = request
        self.clock = clock
        self._hide = hide

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, VeoError):
            return
        # behind a colon the libraries quote the server's line, which may hold a signed address
        quoted = str(error).partition(":")[0] if isinstance(error, httpcore.ProtocolError) else str(error)
        problem = f"{type(error).__name__}: {quoted}"
        kind: type[TransportError] = TransportError
        if isinstance(error, _NEVER_SENT):
            kind = NotSentError
        elif isinstance(error, httpcore.TimeoutException):
            kind = TooSlowError
        if isinstance(error, httpcore.TimeoutException):
            problem = f"{type(error).__name__} after {self.clock.count_seconds():.1f} s"
        where = redact(str(self.request.url))
        # the library's error is not chained: it may quote the server's bytes in full
        raise kind(make_line(self._hide(f"{self.request.method} {where}: {problem}"), _LONGEST_TEXT)) from None


def _convert_request(request: httpx.Request, clock: Clock, extensions: dict[str, Any]) -> httpcore.Request:
    url = request.url
    clock.begin()
    # httpcore passes these to the streams unchanged; only the pool needs a number
    timeouts = {"pool": clock.seconds_to_connect(), "connect": clock, "read": clock, "write": clock}
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=cast("Any", request.stream),
        extensions=extensions | {"timeout": timeouts},
    )


def _join_headers(head: list[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, list[str]] = {}
    for name, value in head:
        headers.setdefault(name.lower(), []).append(value)
    return {name: ", ".join(values) for name, values in headers.items()}


def _origin_of(url: httpx.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port
