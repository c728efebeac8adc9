"""Network connections whose operations obey the clock of the current call.

`httpcore`, the library below httpx, passes the timeouts of a request to its network streams unchanged. So `exchange`
puts the call's `Clock` in place of the numbers, and these streams ask it.

One operation has no time limit here: the look-up of a host name in a blocking call. The resolver of the system cannot
be interrupted. It gives up after the time in its own configuration (`resolv.conf`).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import httpcore

from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.limits import HEAD_BYTES

_READ = 16 * 1024  # bytes; decompressing more of them would block the event loop for too long
_WRITE = 64 * 1024
# The system would buffer megabytes before it sends them. The time for an answer begins when the system has taken the
# last byte, so the buffer must be small.
_UNSENT = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_OPTIONS = [(socket.IPPROTO_TCP, _UNSENT, _WRITE)] if _UNSENT else []


class _Clocked:
    """The common part of the streams: the clock of the current call.

    Args:
        stream: Connection that carries the bytes.
        clock: Clock of the call that has made the connection.
    """

    def __init__(self, stream: Any, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _take_clock(self, clock: Clock | None) -> Clock:
        if clock is not None:  # the handshake with a proxy passes no clock
            self._clock = clock
        return self._clock


class ClockedStream(_Clocked, httpcore.NetworkStream):
    """A blocking connection."""

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        clock = self._take_clock(timeout)
        since = clock.now()
        data: bytes = self._stream.read(_limit_size(max_bytes, clock), _seconds_to_receive(clock))
        _check(clock.record_received(len(data), since))
        return data

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        clock = self._take_clock(timeout)
        for block in _split(buffer):
            since = clock.now()
            self._stream.write(block, _seconds_to_send(clock))
            clock.record_sent(len(block), since)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.NetworkStream:
        clock = self._take_clock(timeout)
        return ClockedStream(self._stream.start_tls(ssl_context, server_hostname, _seconds_to_connect(clock)), clock)


class ClockedBackend(httpcore.NetworkBackend):
    """Makes blocking connections."""

    def connect_tcp(
        self, host: str, port: int, timeout: Any = None, local_address: str | None = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        addresses, options = _look_up(host, port), _add_options(socket_options)
        error: Exception = httpcore.ConnectError(f"{host[:255]} has no address")
        for number, address in enumerate(addresses):
            seconds = _seconds_to_connect(timeout) / (
                len(addresses) - number
            )  # an address that does not answer leaves time for the others
            try:
                stream = httpcore.SyncBackend().connect_tcp(address, port, seconds, local_address, options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as trouble:
                error = trouble
            else:
                return ClockedStream(stream, timeout)
        raise error


class AsyncClockedStream(_Clocked, httpcore.AsyncNetworkStream):
    """A connection of an event loop."""

    async def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        clock = self._take_clock(timeout)
        since = clock.now()
        data: bytes = await self._stream.read(_limit_size(max_bytes, clock), _seconds_to_receive(clock))
        _check(clock.record_received(len(data), since))
        return data

    async def write(self, buffer: bytes, timeout: Any = None) -> None:
        clock = self._take_clock(timeout)
        for block in _split(buffer):
            since = clock.now()
            await self._stream.write(block, _seconds_to_send(clock))
            clock.record_sent(len(block), since)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.AsyncNetworkStream:
        clock = self._take_clock(timeout)
        stream = await self._stream.start_tls(ssl_context, server_hostname, _seconds_to_connect(clock))
        return AsyncClockedStream(stream, clock)


class AsyncClockedBackend(httpcore.AsyncNetworkBackend):
    """Makes connections of an event loop."""

    async def connect_tcp(
        self, host: str, port: int, timeout: Any = None, local_address: str | None = None, socket_options: Any = None
    ) -> httpcore.AsyncNetworkStream:
        with _refuse_bad_names(host):
            stream = await httpcore.AnyIOBackend().connect_tcp(
                host, port, _seconds_to_connect(timeout), local_address, _add_options(socket_options)
            )
        return AsyncClockedStream(stream, timeout)


def _add_options(others: Any) -> list[Any]:
    return [*(others or ()), *_OPTIONS]


def _limit_size(max_bytes: int, clock: Clock) -> int:
    return max_bytes if clock.limits.flows else min(max_bytes, _READ)


def _split(buffer: bytes) -> Iterator[bytes]:
    if len(buffer) <= _WRITE:
        yield buffer
        return
    for start in range(0, len(buffer), _WRITE):
        yield buffer[start : start + _WRITE]


def _seconds_to_connect(clock: Clock) -> float:
    if (seconds := clock.seconds_to_connect()) <= 0:
        raise httpcore.ConnectTimeout
    return seconds


def _seconds_to_send(clock: Clock) -> float:
    if (seconds := clock.seconds_to_send()) <= 0:
        raise httpcore.WriteTimeout
    return seconds


def _seconds_to_receive(clock: Clock) -> float:
    if (seconds := clock.seconds_to_receive()) <= 0:
        raise httpcore.ReadTimeout
    return seconds


def _check(may_continue: bool) -> None:
    if not may_continue:
        raise httpcore.RemoteProtocolError(f"more than {HEAD_BYTES} bytes of headers, or a body without content")


@contextlib.contextmanager
def _refuse_bad_names(host: str) -> Iterator[None]:
    try:
        yield
    except (UnicodeError, ValueError):
        raise httpcore.ConnectError(f"{host[:255]!r} is not a host name") from None


def _look_up(host: str, port: int) -> list[str]:
    try:
        with _refuse_bad_names(host):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
