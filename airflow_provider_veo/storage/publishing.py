"""The last step of storing: a complete file appears at its place, all of it at once."""

from __future__ import annotations

import errno
import inspect
import mimetypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage import azure
from airflow_provider_veo.storage.parts import hidden_name
from airflow_provider_veo.storage.places import Target

# Options of an upload that keep the memory small: the drivers' own blocks have 50 MB, and S3's send ten at once.
_SMALL_BLOCKS = {"chunksize": 8 * 2**20, "max_concurrency": 2}
_S3 = ("s3", "s3a", "s3n")
_GCS = ("gs", "gcs")
_AZURE = ("abfs", "abfss", "adl")
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


def exists(target: Target) -> bool:
    """Whether a file or an object is at the target.

    Raises:
        InvalidInputError: a folder is there.
    """
    if isinstance(target, ObjectStoragePath):
        target.fs.invalidate_cache()  # of listings, in which what others have stored is missing
    if target.is_dir():
        raise InvalidInputError(f"destination {target} is a folder. End it with '/' to store a file in it.")
    return target.exists()


def publish(part: Path, target: Target, *, replace: bool) -> None:
    """Let a file appear at its target.

    Args:
        part: the file; of a local target, in the same folder. It may be gone afterwards.
        target: where it goes.
        replace: put it in place of what is there already.

    Raises:
        FileExistsError: something is there, and `replace` is false.
    """
    if isinstance(target, ObjectStoragePath):
        _upload(part, target, replace=replace)
        return
    with part.open("rb") as file:
        os.fsync(file.fileno())
    if replace:
        part.replace(target)
    else:
        _place(part, target)


def _place(part: Path, target: Path) -> None:
    """Publish a file where nothing must be yet."""
    try:
        os.link(part, target)  # which fails if something is there, and `rename` does not
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _check_absent(target)
        part.replace(target)


def _check_absent(target: Target) -> None:
    if exists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))


def _upload(part: Path, target: ObjectStoragePath, *, replace: bool) -> None:
    if not replace:
        _check_absent(target)
    if target.protocol in _AZURE:
        azure.upload(part, target, _media_type(target), replace=replace)
    elif target.protocol not in _S3 + _GCS:
        _put_and_move(part, target)
    elif replace:
        _put(part, target)
    else:
        _put_if_absent(part, target)


def _put_and_move(part: Path, target: ObjectStoragePath) -> None:
    """Upload to where a reader would see what has arrived so far, under a hidden name."""
    folder = target.path.rpartition("/")[0]
    hidden = f"{folder}/{hidden_name(target.name)}"
    target.fs.makedirs(folder, exist_ok=True)
    try:
        target.fs.put_file(str(part), hidden)
        target.fs.mv(hidden, target.path)
    except BaseException:
        with suppress(Exception):
            target.fs.rm_file(hidden)
        raise


def _put_if_absent(part: Path, target: ObjectStoragePath) -> None:
    try:
        _put(part, target, mode="create")
    except FileExistsError:
        raise
    except Exception:  # noqa: BLE001 - some stores that speak S3 know no such condition, each in its own words
        _check_absent(target)
        _put(part, target)


def _put(part: Path, target: ObjectStoragePath, **more: Any) -> None:
    """Upload by one request, or in blocks, which become an object at the end."""
    wanted = {**_SMALL_BLOCKS, "content_type": _media_type(target), **more}
    # the drivers' versions differ in what they know; the public function would take anything
    known = inspect.signature(target.fs._put_file).parameters  # noqa: SLF001
    options = {name: value for name, value in wanted.items() if name in known}
    if target.protocol in _S3:
        options["ContentType"] = _media_type(target)
    target.fs.put_file(str(part), target.path, **options)


def _media_type(target: ObjectStoragePath) -> str:
    return mimetypes.guess_type(target.name)[0] or "application/octet-stream"
