"""How videos and pictures get to where they belong: checked, hashed, and never seen half-written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_veo.api.content.download import Downloaded, FreeSpace
from airflow_provider_veo.api.errors import InvalidInputError, StorageError, StorageFullError
from airflow_provider_veo.api.formats import mp4
from airflow_provider_veo.storage.checksums import sha256_from
from airflow_provider_veo.storage.errors import storage_errors, words_of
from airflow_provider_veo.storage.objects import ObjectPlace
from airflow_provider_veo.storage.parts import temporary_part
from airflow_provider_veo.storage.places import Target, uri_of
from airflow_provider_veo.storage.proof import proof_of
from airflow_provider_veo.storage.publishing import exists, publish

Fetch = Callable[[BinaryIO, FreeSpace], Downloaded]
"""Brings a video into a file that is open for reading and writing; the second argument says how many bytes that file's
disk has room for."""

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


def store(target: Target, fetch: Fetch, *, replace: bool) -> StoredVideo:
    """Fetch a video, and publish it in one step when all of it is there and checked.

    Args:
        target: where it goes.
        fetch: brings the video.
        replace: put it in place of what is there already.

    Raises:
        FileExistsError: something is there, and `replace` is false.
        StorageError: the storage does not take it.
        VeoError: what `fetch` raises.
    """
    with staged(target, replace=replace) as part:
        fetched = fetched_into(part, fetch)
    return fetched.stored_at(target)


@dataclass(frozen=True)
class Fetched:
    """A whole video in a local file, which is not published yet.

    Attributes:
        downloaded: its size and hash.
        proof: see `StoredVideo`.
    """

    downloaded: Downloaded
    proof: str = field(repr=False)

    def stored_at(self, target: Target) -> StoredVideo:
        """Return the video as it is once it was published."""
        return StoredVideo(str(target), self.downloaded.bytes, self.downloaded.sha256, uri_of(target), self.proof)


def fetched_into(part: Path, fetch: Fetch) -> Fetched:
    """Fetch a video into a part.

    Raises:
        StorageError: the disk does not take it.
        VeoError: what `fetch` raises.
    """
    try:
        with storage_errors(f"{part.parent} does not take the video"), part.open("r+b") as file:
            return Fetched(fetch(file, lambda: shutil.disk_usage(part.parent).free), proof_of(file))
    except StorageFullError as error:
        raise StorageFullError(f"{error} The disk is that of {part.parent}.") from error


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
        return StoredVideo(str(target), size, sha256_from(file.read), uri_of(target), proof_of(file))


def copying(place: Target) -> Fetch:
    """Return what brings a video from another place.

    It raises `IncompleteError` of `api.mp4` where there is no whole video, and whatever a storage's driver raises.
    """

    def fetch(file: BinaryIO, free_space: FreeSpace) -> Downloaded:
        with _opened(place) as original:
            needed, free = original.seek(0, os.SEEK_END), free_space()
            if needed > free:
                raise StorageFullError(
                    f"The disk is too full for the video: {needed} bytes are needed, {free} are free."
                )
            original.seek(0)
            shutil.copyfileobj(original, file, _BLOCK)
        mp4.check_whole(file)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        return Downloaded(size, sha256_from(file.read))

    return fetch


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
        StorageError: the storage does not take it.
    """
    with part_for(target) as part:
        yield part
        published(part, target, replace=replace)


@contextmanager
def part_for(target: Target) -> Iterator[Path]:
    """Yield an empty local file to fill, which goes at the end of the block unless it was published.

    Raises:
        StorageError: there cannot be one.
    """
    if isinstance(target, ObjectPlace):
        folder, mode = Path(tempfile.gettempdir()), 0o600
    else:
        folder, mode = target.parent, 0o666  # on the same file system
    with ExitStack() as stack:
        with storage_errors(f"No file can be made in {folder}"):
            if isinstance(target, Path):
                folder.mkdir(parents=True, exist_ok=True)
            part = stack.enter_context(temporary_part(folder, target.name, mode))
        yield part


def published(part: Path, target: Target, *, replace: bool) -> None:
    """Do as `publish`.

    Raises:
        FileExistsError: something is there, and `replace` is false.
        StorageError: the storage does not take it.
    """
    try:
        with storage_errors(f"{target} cannot be written", but=() if replace else (FileExistsError,)):
            publish(part, target, replace=replace)
    except InvalidInputError as error:  # a folder is there, which is no fault of the task's arguments any more
        raise StorageError(f"{target} cannot be written: {words_of(error)}.") from error


@contextmanager
def local_copy(source: Target) -> Iterator[Path]:
    """Yield a local file with the content of a source: the file itself, or a copy of an object for a while."""
    if isinstance(source, ObjectPlace):
        with temporary_part(Path(tempfile.gettempdir()), source.name, 0o600) as copy:
            source.fs.get_file(source.path, str(copy))  # fsspec copies in blocks
            yield copy
    else:
        yield source


@contextmanager
def _opened(target: Target) -> Iterator[Any]:
    with target.open() if isinstance(target, ObjectPlace) else target.open("rb") as file:
        yield file
