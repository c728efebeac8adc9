"""The last step of storing: a complete file appears at its place, all of it at once, and is looked for there."""

from __future__ import annotations

import errno
import inspect
import logging
import mimetypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from airflow_provider_veo.api.errors import InvalidInputError, StorageError
from airflow_provider_veo.storage import azure, checksums
from airflow_provider_veo.storage.objects import ObjectPlace
from airflow_provider_veo.storage.parts import hidden_name
from airflow_provider_veo.storage.places import Target

# Options of an upload that keep the memory small: the drivers' own blocks have 50 MB, and S3's send ten at once.
_SMALL_BLOCKS = {"chunksize": checksums.BLOCK, "max_concurrency": 2}
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
# file systems that cannot sync a folder, and folders that may be written to and not be opened
_NO_SYNC = (errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EPERM)

log = logging.getLogger(__name__)


def exists(target: Target) -> bool:
    """Whether a file or an object is at the target.

    Raises:
        InvalidInputError: a folder is there.
    """
    if isinstance(target, ObjectPlace):
        told = target.info()
        is_folder, is_there = told is not None and told.get("type") == "directory", told is not None
    else:
        is_folder, is_there = target.is_dir(), target.exists()
    if is_folder:
        raise InvalidInputError(f"destination {target} is a folder. End it with '/' to store a file in it.")
    return is_there


def publish(part: Path, target: Target, *, replace: bool) -> None:
    """Let a file appear at its target, and ask whether it is there.

    Args:
        part: the file; of a local target, in the same folder. It may be gone afterwards.
        target: where it goes.
        replace: put it in place of what is there already.

    Raises:
        FileExistsError: something is there, and `replace` is false.
        StorageError: something else is there afterwards.
        Exception: the storage does not take it: drivers raise whatever they like.
    """
    if isinstance(target, ObjectPlace):
        _upload(part, target, replace=replace)
        _check_stored(part, target)
        return
    with part.open("rb") as file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    if replace:
        part.replace(target)
    else:
        _place(part, target)
    _sync_folder(target.parent)
    _check_size(target, target.stat().st_size, size)


def _place(part: Path, target: Path) -> None:
    """Publish a file where nothing must be yet."""
    try:
        os.link(part, target)  # which fails if something is there, and `rename` does not
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _check_absent(target)
        part.replace(target)


def _sync_folder(folder: Path) -> None:
    """Let the new name outlive a loss of power."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _check_absent(target: Target) -> None:
    if exists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))


def _check_stored(part: Path, target: ObjectPlace) -> None:
    """Ask the storage for what it holds now. The bytes are read only where its checksum is in doubt."""
    try:
        told = target.info()
    except PermissionError as error:
        log.warning(
            "%s was uploaded, and its storage does not let this worker look whether it is there: %s", target, error
        )
        return
    if told is None:
        raise StorageError(f"The storage took the upload of {target} without an error, and has no such object")
    if told.get("size") is not None:
        _check_size(target, told["size"], part.stat().st_size)
    if checksums.agrees(told, target.scheme, part) is False:
        with target.open() as stored:
            if checksums.sha256_from(stored.read) != checksums.sha256_of(part):
                raise StorageError(f"{target} holds other bytes than were stored. {_ANOTHER}")


_ANOTHER = "Does another task write to the same destination?"


def _check_size(target: Target, found: int, wanted: int) -> None:
    if found != wanted:
        raise StorageError(f"{target} has {found} bytes, and {wanted} were stored. {_ANOTHER}")


def _upload(part: Path, target: ObjectPlace, *, replace: bool) -> None:
    if not replace:
        _check_absent(target)
    if target.scheme in checksums.AZURE:
        azure.upload(part, target, _media_type(target), replace=replace)
    elif target.scheme not in checksums.S3 + checksums.GCS:
        _put_and_move(part, target)
    elif replace:
        _put(part, target)
    else:
        _put_if_absent(part, target)


def _put_and_move(part: Path, target: ObjectPlace) -> None:
    """Upload to where a reader would see what has arrived so far, under a hidden name."""
    folder = target.path.rpartition("/")[0]
    hidden = f"{folder}/{hidden_name(target.name)}"
    target.fs.makedirs(folder, exist_ok=True)
    try:
        target.fs.put_file(str(part), hidden)
        _move(target.fs, hidden, target.path)
    except BaseException:
        with suppress(Exception):
            target.fs.rm_file(hidden)
        raise


def _move(fs: Any, source: str, target: str) -> None:
    """Rename where the driver can; else copy. fsspec's own `mv` takes a name with brackets for a pattern."""
    if hasattr(fs, "mv_file"):
        fs.mv_file(source, target)
    elif type(fs).mv is not AbstractFileSystem.mv:
        fs.mv(source, target)
    else:
        fs.cp_file(source, target)
        fs.rm_file(source)


def _put_if_absent(part: Path, target: ObjectPlace) -> None:
    try:
        _put(part, target, mode="create")
    except FileExistsError:
        raise
    except Exception:  # noqa: BLE001 - some stores that speak S3 know no such condition, each in its own words
        _check_absent(target)
        _put(part, target)


def _put(part: Path, target: ObjectPlace, **more: Any) -> None:
    """Upload by one request, or in blocks, which become an object at the end."""
    wanted = {**_SMALL_BLOCKS, "content_type": _media_type(target), **more}
    # the drivers' versions differ in what they know; the public function would take anything
    known = inspect.signature(target.fs._put_file).parameters  # noqa: SLF001
    options = {name: value for name, value in wanted.items() if name in known}
    if target.scheme in checksums.S3:
        options["ContentType"] = _media_type(target)
    target.fs.put_file(str(part), target.path, **options)


def _media_type(target: ObjectPlace) -> str:
    return mimetypes.guess_type(target.name)[0] or "application/octet-stream"
