"""Videos in a storage, and whole videos in part files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from airflow_provider_veo.api.content.download import Downloaded
from airflow_provider_veo.api.errors import InvalidInputError, StorageFullError
from airflow_provider_veo.api.formats import mp4
from airflow_provider_veo.storage.checksums import hash_stream
from airflow_provider_veo.storage.errors import storage_errors
from airflow_provider_veo.storage.proof import make_proof
from airflow_provider_veo.storage.targets import Target

_BLOCK = 2**20  # bytes read at once


@dataclass(frozen=True)
class StoredVideo:
    """A video in a storage.

    Attributes:
        path: A local path, or a URI that `ObjectStoragePath` takes.
        bytes: Size of the file.
        sha256: SHA-256 of the file, in hexadecimal.
        uri: The address under which assets and lineage know the file: without an Airflow connection.
        proof: Proof that this process has held the file, see `make_proof`. It belongs in the page entry and nowhere
            else: everybody who knows the proof can make the page play the file.
    """

    path: str
    bytes: int
    sha256: str
    uri: str
    proof: str = field(repr=False)


def describe_stored(target: Target, content: Downloaded, file: BinaryIO) -> StoredVideo:
    """Return the description of a video.

    Args:
        target: Target at which the video is stored.
        content: Size and hash of the video.
        file: A file with the same content, open for reading, with a position that can be set.
    """
    return StoredVideo(str(target), content.bytes, content.sha256, target.uri, make_proof(file))


def find_stored(target: Target) -> StoredVideo | None:
    """Return the video at a target; None if there is none.

    Raises:
        InvalidInputError: A folder is there, or a file that is not a whole video.
        Exception: The file cannot be read. Drivers raise exceptions of any class.
    """
    if not target.exists():
        return None
    with target.open() as file:
        try:
            return describe_stored(target, _check_whole(file), file)
        except mp4.IncompleteError as error:
            raise InvalidInputError(
                f"destination {target} exists already, and is not a whole video: {error}. "
                "if_exists='overwrite' replaces it."
            ) from None


def copy_video(source: Target, part: Path) -> Downloaded:
    """Copy a stored video into a part file, and check the copy.

    Args:
        source: Target at which the video is stored.
        part: Part file that takes the video.

    Raises:
        StorageError: The video cannot be copied, or the copy is not a whole video.
    """
    with disk_errors(part), source.open() as original:
        return copy_open_video(original, part)


def copy_open_video(original: BinaryIO, part: Path) -> Downloaded:
    """Copy a video into a part file, and check the copy.

    Args:
        original: The video, open for reading, with a position that can be set.
        part: Part file that takes the video.

    Raises:
        StorageFullError: The disk has no room for the video.
        IncompleteError: The copy is not a whole video.
        OSError: The video cannot be copied.
    """
    needed, free = original.seek(0, os.SEEK_END), shutil.disk_usage(part.parent).free
    if needed > free:
        raise StorageFullError(f"The disk is too full for the video: {needed} bytes are needed, {free} are free.")
    original.seek(0)
    with part.open("r+b") as file:
        shutil.copyfileobj(original, file, _BLOCK)
        return _check_whole(file)


@contextmanager
def disk_errors(part: Path) -> Iterator[None]:
    """Turn errors while a part file is written into a `StorageError` that names the disk.

    Args:
        part: Part file that takes the video.

    Raises:
        StorageFullError: The disk has no room for the file.
        StorageError: The block has raised any other exception that is not a `VeoError`.
    """
    try:
        with storage_errors(f"{part.parent} does not take the video"):
            yield
    except StorageFullError as error:
        raise StorageFullError(f"{error} The disk is that of {part.parent}.") from error


def _check_whole(file: BinaryIO) -> Downloaded:
    """Check that a file is a whole video, and return its size and hash.

    Raises:
        IncompleteError: The file is not a whole video.
    """
    mp4.check_whole(file)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return Downloaded(size, hash_stream(file.read))
