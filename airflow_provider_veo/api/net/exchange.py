"""Requests go out and answers come in, sync and async: one exchange at a time, within the limits of its call.

It stands on `httpcore`, which httpx itself stands on, since only there a connection can be made to obey the clock of a
call. httpx writes the requests.
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
from airflow_provider_veo.api.net.bodies import Body, make_unpacker
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.proxies import find_proxy
from airflow_provider_veo.api.net.routes import add_trace, add_trace_async, make_pool_options, sign_in
from airflow_provider_veo.api.net.streams import AsyncClockedBackend, ClockedBackend
from airflow_provider_veo.api.net.urls import redact

Hide = Callable[[str], str]
"""Takes the secrets out of a text for people."""

_WORDS = 200  # characters kept of what a library says: it quotes servers
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
        head: the headers' names and values.
        headers: the same, names in lower case, values of one name joined by commas.
        url: what was asked.
        method: how it was asked.
    """

    def __init__(self, response: httpcore.Response, errors: _Errors) -> None:
        self.status = response.status
        self.head = [(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in response.headers]
        self.headers = _joined(self.head)
        self.url = str(errors.request.url)
        self.method = errors.request.method
        self._bytes = response.stream
        self._errors = errors
        errors.clock.begin_body()

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def _empty_body(self) -> Body:
        return Body(self.headers, self._errors.clock.limits.most_bytes_of(self.status))


class Response(_Response):
    """An answer of a blocking exchange."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the body's bytes as they were sent."""
        with self._errors:
            yield from cast("Iterator[bytes]", self._bytes)

    def blocks(self) -> Iterator[bytes]:
        """Yield the body's bytes, unpacked."""
        unpack = make_unpacker(self.headers)
        for chunk in self.chunks():
            yield from unpack(chunk)

    def read(self) -> Body:
        """Return the body, as much of it as the limits allow."""
        body = self._empty_body()
        with self._errors:
            for chunk in cast("Iterator[bytes]", self._bytes):
                if not body.take(chunk):
                    break
        return body


class AsyncResponse(_Response):
    """An answer of an exchange in an event loop."""

    async def blocks(self) -> AsyncIterator[bytes]:
        """Yield the body's bytes, unpacked."""
        unpack = make_unpacker(self.headers)
        with self._errors:
            async for chunk in cast("AsyncIterator[bytes]", self._bytes):
                for block in unpack(chunk):
                    yield block

    async def read(self) -> Body:
        """Return the body, as much of it as the limits allow."""
        body = self._empty_body()
        with self._errors:
            async for chunk in cast("AsyncIterator[bytes]", self._bytes):
                if not body.take(chunk):
                    break
        return body


class Exchanges:
    """Blocking exchanges, over connections that are kept for the next ones. To be closed.

    Args:
        tls: for the connections to servers.
        hide: for errors.
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
        """Send a request, and bring its answer's head. At the end the connection is kept if the body was read whole.

        Args:
            request: its extension `trace` is heeded.
            clock: of the call.

        Raises:
            NotSentError: the connection was not made.
            TransportError: no answer came in time, or none that can be read; of the body, too.
            InvalidInputError: of the request's own check of its connection.
        """
        errors = _Errors(request, clock, self._hide)
        proxy = find_proxy(str(request.url))
        sign_in(request)
        with errors:
            outgoing = _outgoing(request, clock, add_trace(request.extensions.get("trace")))
            response = self._pool(proxy).handle_request(outgoing)
        try:
            self._peers[_origin(request.url)] = None if proxy else read_peer(response.extensions)
            yield Response(response, errors)
        finally:
            response.close()

    def find_peer(self, url: str) -> IPAddress | None:
        """Return the address from which an origin has answered last; None if it has not, or through a proxy."""
        return self._peers.get(_origin(httpx.URL(url)))

    def _pool(self, proxy: str | None) -> httpcore.ConnectionPool:
        if proxy not in self._pools:
            options = make_pool_options(self._tls, proxy)
            self._pools[proxy] = httpcore.ConnectionPool(**options, network_backend=ClockedBackend())
        return self._pools[proxy]


class AsyncExchanges:
    """Exchanges of an event loop with one server, thousands of them at the least cost. To be closed.

    A pool spends its time on looking for an idle connection when it has many of them: see docs/performance.md. So each
    connection here is a pool of its own, and the one that was used last is taken first. How many there are is up to the
    caller: as many as it has calls in flight.

    Args:
        tls: for the connections.
        url: of the server; the proxy that leads there is looked up once.
        hide: for errors.
    """

    def __init__(self, tls: ssl.SSLContext, url: str, hide: Hide = str) -> None:
        self._tls = tls
        self._proxy = find_proxy(url)
        self._hide = hide
        self._idle: list[httpcore.AsyncConnectionPool] = []
        self._closed = False

    async def aclose(self) -> None:
        """Close the connections; those in use close when their exchange is over."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    @asynccontextmanager
    async def open(self, request: httpx.Request, clock: Clock) -> AsyncIterator[AsyncResponse]:
        """Do as `Exchanges.open`, but for `trace`."""
        errors = _Errors(request, clock, self._hide)
        pool = self._idle.pop() if self._idle else self._pool()
        try:
            with errors:
                response = await pool.handle_async_request(_outgoing(request, clock, add_trace_async()))
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
    """Turns whatever goes wrong in an exchange into an error of this package."""

    def __init__(self, request: httpx.Request, clock: Clock, hide: Hide) -> None:
        self.request = request
        self.clock = clock
        self._hide = hide

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, VeoError):
            return
        # behind a colon the libraries quote the line that the server has sent: it may hold a signed address
        quoted = str(error).partition(":")[0] if isinstance(error, httpcore.ProtocolError) else str(error)
        said = f"{type(error).__name__}: {quoted}"
        kind: type[TransportError] = TransportError
        if isinstance(error, _NEVER_SENT):
            kind = NotSentError
        elif isinstance(error, httpcore.TimeoutException):
            kind = TooSlowError
        if isinstance(error, httpcore.TimeoutException):
            said = f"{type(error).__name__} after {self.clock.count_seconds():.1f} s"
        where = redact(str(self.request.url))
        # the library's error is left behind: it may quote what the server has sent, in full
        raise kind(make_line(self._hide(f"{self.request.method} {where}: {said}"), _WORDS)) from None


def _outgoing(request: httpx.Request, clock: Clock, extensions: dict[str, Any]) -> httpcore.Request:
    url = request.url
    clock.begin()
    # httpcore hands these to the streams as they are; the pool alone wants a number
    timeouts = {"pool": clock.seconds_to_connect(), "connect": clock, "read": clock, "write": clock}
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=cast("Any", request.stream),
        extensions=extensions | {"timeout": timeouts},
    )


def _joined(head: list[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, list[str]] = {}
    for name, value in head:
        headers.setdefault(name.lower(), []).append(value)
    return {name: ", ".join(values) for name, values in headers.items()}


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port
