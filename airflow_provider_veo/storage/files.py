"""How videos and pictures get to where they belong: checked, hashed, and never seen half-written."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api import mp4
from airflow_provider_veo.api.download import Downloaded, FreeSpace
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage.parts import temporary_part
from airflow_provider_veo.storage.places import Target, uri_of
from airflow_provider_veo.storage.proof import proof_of
from airflow_provider_veo.storage.publishing import exists, publish

_BLOCK = 2**20  # bytes read at once


@dataclass(frozen=True)
class StoredVideo:
    """A video where it belongs.

    Attributes:
        path: a local path, or a URI that `ObjectStoragePath` takes.
        bytes: size of the file.
        sha256: in hexadecimal.
        uri: the address under which assets and lineage know it: without an Airflow connection.
        proof: that this process has held the file (see `proof_of`). It belongs into the record for the page and
            nowhere else: whoever knows it can have the page play the file.
    """

    path: str
    bytes: int
    sha256: str
    uri: str
    proof: str = field(repr=False)


def store(target: Target, fetch: Callable[[BinaryIO, FreeSpace], Downloaded], *, replace: bool) -> StoredVideo:
    """Fetch a video, and publish it in one step when all of it is there and checked.

    Args:
        target: where it goes.
        fetch: brings the video into a file that is open for reading and writing; its second argument says how many
            bytes that file's disk has room for.
        replace: put it in place of what is there already.

    Raises:
        FileExistsError: something is there, and `replace` is false.
        VeoError: what `fetch` raises.
    """
    with staged(target, replace=replace) as part, part.open("r+b") as file:
        fetched = fetch(file, lambda: shutil.disk_usage(part.parent).free)
        proof = proof_of(file)
    return StoredVideo(str(target), fetched.bytes, fetched.sha256, uri_of(target), proof)


def existing(target: Target) -> StoredVideo | None:
    """Return the video that is at the target already, or None if nothing is there.

    Raises:
        InvalidInputError: something is there that is no whole video.
    """
    if not exists(target):
        return None
    with _opened(target) as file:
        try:
            mp4.check_whole(file)
        except mp4.IncompleteError as error:
            raise InvalidInputError(
                f"destination {target} exists already, and is no whole video: {error}. "
                "if_exists='overwrite' replaces it."
            ) from None
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        return StoredVideo(str(target), size, _sha256(file), uri_of(target), proof_of(file))


def copy(place: Target, target: Target) -> StoredVideo:
    """Store a video that lies elsewhere; what is at the target is replaced."""
    with staged(target) as part, part.open("wb") as file, _opened(place) as original:
        shutil.copyfileobj(original, file, _BLOCK)
    stored = existing(target)
    assert stored is not None
    return stored


@contextmanager
def staged(target: Target, *, replace: bool = True) -> Iterator[Path]:
    """Yield an empty local file to fill, and publish it at the target in one step.

    Readers see all of it or nothing. When the block ends in an error, nothing of it stays; what a killed process has
    left is removed by the next one that stores something in the same folder.

    Args:
        target: where it goes.
        replace: put it in place of what is there already.

    Raises:
        FileExistsError: something is there, and `replace` is false.
    """
    # asked this way round, since ObjectStoragePath is a pathlib.Path, too, before Airflow 3.2
    if isinstance(target, ObjectStoragePath):
        folder, mode = Path(tempfile.gettempdir()), 0o600
    else:
        folder, mode = target.parent, 0o666  # on the same file system
        folder.mkdir(parents=True, exist_ok=True)
    with temporary_part(folder, target.name, mode) as part:
        yield part
        publish(part, target, replace=replace)


@contextmanager
def local_copy(source: Target) -> Iterator[Path]:
    """Yield a local file with the content of a source: the file itself, or a copy of an object for a while."""
    if isinstance(source, ObjectStoragePath):
        with temporary_part(Path(tempfile.gettempdir()), source.name, 0o600) as copy:
            source.fs.get_file(source.path, str(copy))  # fsspec copies in blocks
            yield copy
    else:
        yield source


def sha256_of(path: Path) -> str:
    """Return the hash of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return _sha256(file)


def _sha256(file: Any) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _opened(target: Target) -> AbstractContextManager[Any]:
    if isinstance(target, ObjectStoragePath):
        opened: AbstractContextManager[Any] = target.fs.open(target.path, "rb")  # which notes no lineage for a look
        return opened
    return target.open("rb")
