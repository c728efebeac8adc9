"""Whether a storage holds the bytes that were sent, as far as it says: no byte is read for that."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

S3 = ("s3", "s3a", "s3n")
GCS = ("gs", "gcs")
AZURE = ("abfs", "abfss", "adl", "az")
BLOCK = 8 * 2**20
"""Bytes of a block of an upload; S3 makes the checksum of a large object from those of its blocks."""

_LENGTH_OF_MD5 = 32  # hexadecimal digits


def agrees(told: Mapping[str, Any], scheme: str, file: Path) -> bool | None:
    """Say whether what a storage tells of an object fits a file; None where it tells no checksum of the whole.

    A checksum that differs is a doubt, no proof: S3 makes that of an encrypted object in a way of its own.

    Args:
        told: the driver's `info` of the object.
        scheme: of the storage.
        file: that was uploaded.
    """
    if scheme in S3:
        return _agrees_with_etag(str(told.get("ETag") or "").strip('"').lower(), file)
    if scheme in GCS:
        return _same(told.get("md5Hash"), file)
    if scheme in AZURE:
        settings = told.get("content_settings")
        return _same(settings.get("content_md5") if isinstance(settings, Mapping) else None, file)
    return None


def sha256_of(path: Path) -> str:
    """Return the hash of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return sha256_from(file.read)


def sha256_from(read: Callable[[int], bytes]) -> str:
    """Return the hash of all that is read, in hexadecimal."""
    digest = hashlib.sha256()
    while block := read(2**20):
        digest.update(block)
    return digest.hexdigest()


def _agrees_with_etag(etag: str, file: Path) -> bool | None:
    """Compare with the MD5 of the whole, or with that of the MD5s of the blocks and their number."""
    digest, dash, count = etag.partition("-")
    if len(digest) != _LENGTH_OF_MD5:
        return None
    if not dash:
        return str(_md5(file).hexdigest()) == digest
    blocks = _md5_of_blocks(file)
    return (
        hashlib.md5(b"".join(blocks), usedforsecurity=False).hexdigest() == digest
        if count == str(len(blocks))
        else None
    )


def _same(md5: Any, file: Path) -> bool | None:
    """Compare with an MD5 in base64, or as bytes."""
    if not md5:
        return None
    wanted = base64.b64decode(md5) if isinstance(md5, str) else bytes(md5)
    return bytes(_md5(file).digest()) == wanted


def _md5(path: Path) -> Any:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest


def _md5_of_blocks(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return [hashlib.md5(block, usedforsecurity=False).digest() for block in iter(lambda: file.read(BLOCK), b"")]
