"""Compare a file with the checksum that a storage keeps of an object, without reading the object."""

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
"""Bytes in a block of an upload. S3 makes the checksum of a large object from the checksums of its blocks."""

_MD5_LENGTH = 32  # hexadecimal digits


def agrees(info: Mapping[str, Any], scheme: str, file: Path) -> bool | None:
    """Return whether the checksum of an object fits a file; None if the storage keeps no checksum of the whole object.

    False is a doubt, not a proof: S3 computes the checksum of an encrypted object in another way.

    Args:
        info: The driver's `info` of the object.
        scheme: Scheme of the storage's addresses.
        file: The file that was uploaded.
    """
    if scheme in S3:
        return _agrees_with_etag(str(info.get("ETag") or "").strip('"').lower(), file)
    if scheme in GCS:
        return _agrees_with_md5(info.get("md5Hash"), file)
    if scheme in AZURE:
        settings = info.get("content_settings")
        return _agrees_with_md5(settings.get("content_md5") if isinstance(settings, Mapping) else None, file)
    return None


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hash_stream(file.read)


def hash_stream(read: Callable[[int], bytes]) -> str:
    """Return the SHA-256 of all bytes that a `read` method returns, in hexadecimal."""
    digest = hashlib.sha256()
    while block := read(2**20):
        digest.update(block)
    return digest.hexdigest()


def _agrees_with_etag(etag: str, file: Path) -> bool | None:
    """Compare with the MD5 of the whole file, or with the MD5 of the blocks' MD5s and the number of blocks."""
    digest, dash, count = etag.partition("-")
    if len(digest) != _MD5_LENGTH:
        return None
    if not dash:
        return str(_md5(file).hexdigest()) == digest
    blocks = _md5_of_blocks(file)
    return (
        hashlib.md5(b"".join(blocks), usedforsecurity=False).hexdigest() == digest
        if count == str(len(blocks))
        else None
    )


def _agrees_with_md5(md5: Any, file: Path) -> bool | None:
    """Compare with an MD5, in base64 or as bytes."""
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
