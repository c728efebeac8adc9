"""Bodies of answers: unpacked block by block, and no more of them than a limit.

No answer is asked for in a content encoding; one that comes encoded all the same is unpacked. A few kilobytes may
unpack to gigabytes, so nothing here ever holds more than a block beyond what is kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from airflow_provider_veo.api.errors import UnpackError

BLOCK = 64 * 1024
"""Bytes that are unpacked at a time."""

Unpack = Callable[[bytes], Iterator[bytes]]
"""From the next piece of a body to the blocks that it unpacks to."""

_GZIP, _ZLIB, _RAW = 31, 15, -15  # what zlib calls the three formats
_MOST_LAYERS = 3
_OTHERS = ("br", "compress", "x-compress", "dcb", "dcz", "zstd")


def unpacking(headers: Mapping[str, str]) -> Unpack:
    """Return what unpacks a body.

    Args:
        headers: of the answer, names in lower case.

    Raises:
        UnpackError: here, or while unpacking.
    """
    named = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
    layers = [name for name in named if name not in ("", "identity")]
    if len(layers) > _MOST_LAYERS:
        raise UnpackError("The answer is packed more than three times, and no packing was asked for.")
    unpack: Unpack = _as_it_is
    for name in layers:
        unpack = _after(_unpacking_layer(name), unpack)
    return unpack


class Body:
    """The beginning of an answer's body: all of it, unless it is longer than a limit.

    Args:
        headers: of the answer, names in lower case.
        most: bytes that are kept.

    Attributes:
        is_cut: there is more of it.
    """

    def __init__(self, headers: Mapping[str, str], most: int) -> None:
        self.is_cut = False
        self._most = most
        self._arrived = 0
        self._kept = bytearray()
        self._trouble = ""
        try:
            self._unpack = unpacking(headers)
        except UnpackError as error:
            self._trouble = str(error)

    def __bytes__(self) -> bytes:
        """Return what was kept; where it cannot be unpacked, words that say so, for the error that follows from it."""
        return self._trouble.encode() or bytes(self._kept)

    def take(self, piece: bytes) -> bool:
        """Take the next piece in.

        Returns:
            Whether another one is wanted.
        """
        if self._trouble:
            return False
        self._arrived += len(piece)
        try:
            for block in self._unpack(piece):
                self._kept += block
                if len(self._kept) > self._most:
                    break
        except UnpackError as error:
            self._trouble = str(error)
            return False
        self.is_cut = max(self._arrived, len(self._kept)) > self._most
        del self._kept[self._most :]
        return not self.is_cut


def _as_it_is(piece: bytes) -> Iterator[bytes]:
    yield piece


def _after(outer: Unpack, inner: Unpack) -> Unpack:
    """Return what unpacks first the layer that was packed last."""

    def unpack(piece: bytes) -> Iterator[bytes]:
        for block in outer(piece):
            yield from inner(block)

    return unpack


def _unpacking_layer(name: str) -> Unpack:
    if name in ("gzip", "x-gzip"):
        return partial(_inflated, zlib.decompressobj(_GZIP))
    if name == "deflate":
        return _Deflate().unpack
    known = repr(name) if name in _OTHERS else "something unknown"  # it may quote what we have sent
    raise UnpackError(f"The answer is encoded as {known}, which was not asked for and cannot be read.")


class _Deflate:
    """The coding `deflate`: two formats have that name, and the first two bytes tell which one it is."""

    def __init__(self) -> None:
        self._head = b""
        self._inflate: Any = None

    def unpack(self, piece: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            piece = self._head = self._head + piece
            if len(piece) < 2:
                return
            is_zlib = piece[0] & 15 == 8 and int.from_bytes(piece[:2], "big") % 31 == 0
            self._inflate = zlib.decompressobj(_ZLIB if is_zlib else _RAW)
        yield from _inflated(self._inflate, piece)


def _inflated(inflate: Any, piece: bytes) -> Iterator[bytes]:
    while not inflate.eof:
        try:
            block: bytes = inflate.decompress(piece, BLOCK)
        except zlib.error as error:
            raise UnpackError(f"The answer's packing is damaged: {error}.") from None
        if block:
            yield block
        piece = inflate.unconsumed_tail
        if not piece and len(block) < BLOCK:  # a full block may have more behind it
            return
