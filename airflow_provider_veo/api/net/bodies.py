"""Bodies of answers: decompressed block by block, up to a limit.

Requests ask for no content encoding. A server may compress its answer nevertheless, and a few kilobytes may decompress
to gigabytes. So nothing here holds more than one block beyond the bytes that are kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from airflow_provider_veo.api.errors import UnpackError

BLOCK = 64 * 1024
"""Number of bytes that are decompressed at a time."""

Unpack = Callable[[bytes], Iterator[bytes]]
"""Takes the next piece of a body, and yields its decompressed blocks."""

IsEnough = Callable[[bytes], bool]
"""Returns whether the beginning of a body says all that its reader wants to know."""

_FIRST_LOOK = 4_096
"""Bytes after which a reader is first asked whether they are enough; then again whenever their number has doubled."""

_GZIP, _ZLIB, _RAW = 31, 15, -15  # zlib's numbers of the three formats
_MOST_LAYERS = 3
_OTHERS = ("br", "compress", "x-compress", "dcb", "dcz", "zstd")


def make_unpacker(headers: Mapping[str, str]) -> Unpack:
    """Return the function that decompresses a body.

    Args:
        headers: Headers of the answer, with names in lower case.

    Raises:
        UnpackError: The encoding is unknown. The returned function raises it for damaged data.
    """
    named = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
    layers = [name for name in named if name not in ("", "identity")]
    if len(layers) > _MOST_LAYERS:
        raise UnpackError("The answer is compressed more than three times, and no compression was asked for.")
    unpack: Unpack = _pass_on
    for name in layers:
        unpack = _combine(_make_layer(name), unpack)
    return unpack


class Body:
    """The body of an answer, or its beginning if it is longer than a limit.

    Args:
        headers: Headers of the answer, with names in lower case.
        most: Number of bytes that are kept.
        is_enough: Function that ends the body before its end; None to take all of it.

    Attributes:
        is_cut: Whether the body is longer.
    """

    def __init__(self, headers: Mapping[str, str], most: int, is_enough: IsEnough | None = None) -> None:
        self._is_enough = is_enough
        self._next_look = _FIRST_LOOK
        self.is_cut = False
        self._most = most
        self._arrived = 0
        self._kept = bytearray()
        self._trouble = ""
        try:
            self._unpack = make_unpacker(headers)
        except UnpackError as error:
            self._trouble = str(error)

    def __bytes__(self) -> bytes:
        """Return the kept bytes. If the body cannot be decompressed, return a text that says so, for the error."""
        return self._trouble.encode() or bytes(self._kept)

    def take(self, piece: bytes) -> bool:
        """Add the next piece.

        Returns:
            Whether the next piece is needed.
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
        if not self.is_cut and self._is_enough and len(self._kept) >= self._next_look:
            self._next_look = 2 * len(self._kept)
            self.is_cut = self._is_enough(bytes(self._kept))
        return not self.is_cut


def _pass_on(piece: bytes) -> Iterator[bytes]:
    yield piece


def _combine(outer: Unpack, inner: Unpack) -> Unpack:
    """Return the function that decompresses the outer layer first, then the inner one."""

    def unpack(piece: bytes) -> Iterator[bytes]:
        for block in outer(piece):
            yield from inner(block)

    return unpack


def _make_layer(name: str) -> Unpack:
    if name in ("gzip", "x-gzip"):
        return partial(_inflate, zlib.decompressobj(_GZIP))
    if name == "deflate":
        return _Deflate().unpack
    known = repr(name) if name in _OTHERS else "something unknown"  # the name may quote our request
    raise UnpackError(f"The answer is encoded as {known}, which was not asked for and cannot be read.")


class _Deflate:
    """The encoding `deflate`. Two formats have this name; the first two bytes show which one it is."""

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
        yield from _inflate(self._inflate, piece)


def _inflate(inflate: Any, piece: bytes) -> Iterator[bytes]:
    while not inflate.eof:
        try:
            block: bytes = inflate.decompress(piece, BLOCK)
        except zlib.error as error:
            raise UnpackError(f"The answer is compressed, and its data is damaged: {error}.") from None
        if block:
            yield block
        piece = inflate.unconsumed_tail
        if not piece and len(block) < BLOCK:  # after a full block there may be more
            return
