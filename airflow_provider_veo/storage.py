"""How videos and pictures get to where they belong: checked, hashed, and never seen half-written."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api import mp4
from airflow_provider_veo.api.download import Downloaded
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.places import Target, uri_of

IfExists = Literal["skip", "overwrite", "fail"]
IF_EXISTS: tuple[IfExists, ...] = get_args(IfExists)

_BLOCK = 2**20  # bytes read at once
_PART_SUFFIX = ".veo-part"
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)

# Options of `put_file` that keep the memory small: the drivers' own blocks have 50 MB, and S3's send ten at once.
_SMALL_BLOCKS = {"chunksize": 8 * 2**20}
_UPLOAD_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": _SMALL_BLOCKS | {"max_concurrency": 2},
    "gs": _SMALL_BLOCKS,
    "abfs": {},
}
_FAMILY = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfss": "abfs", "adl": "abfs"}


@dataclass(frozen=True)
class StoredVideo:
    """A video where it belongs.

    Attributes:
        path: a local path, or a URI that `ObjectStoragePath` takes.
        bytes: size of the file.
        sha256: in hexadecimal.
        uri: the address under which assets and lineage know it: without an Airflow connection.
    """

    path: str
    bytes: int
    sha256: str
    uri: str


def store(target: Target, fetch: Callable[[BinaryIO, Callable[[], int]], Downloaded], *, replace: bool) -> StoredVideo:
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
    return StoredVideo(str(target), fetched.bytes, fetched.sha256, uri_of(target))


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
        return StoredVideo(str(target), size, _sha256(file), uri_of(target))


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
    if isinstance(target, ObjectStoragePath):
        with _part(Path(tempfile.gettempdir()), target.name, 0o600) as part:
            yield part
            _upload(part, target, replace=replace)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with _part(target.parent, target.name, 0o666) as part:  # on the same file system
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        if replace:
            part.replace(target)
        else:
            _place(part, target)


@contextmanager
def local_copy(source: Target) -> Iterator[Path]:
    """Yield a local file with the content of a source: the file itself, or a copy of an object for a while."""
    if isinstance(source, ObjectStoragePath):
        with _part(Path(tempfile.gettempdir()), source.name, 0o600) as copy:
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


def _opened(target: Target) -> AbstractContextManager[Any]:
    if isinstance(target, ObjectStoragePath):
        opened: AbstractContextManager[Any] = target.fs.open(target.path, "rb")  # which notes no lineage for a look
        return opened
    return target.open("rb")


@contextmanager
def _part(folder: Path, name: str, mode: int) -> Iterator[Path]:
    """Yield a new empty file, which is locked and goes at the end of the block.

    The lock tells a file in use from what a killed process has left: a lock ends with its process.
    """
    _sweep(folder)
    descriptor, part = _locked_file(folder, name, mode)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        os.close(descriptor)


def _locked_file(folder: Path, name: str, mode: int) -> tuple[int, Path]:
    while True:
        part = folder / f".{name[:100]}.{secrets.token_hex(8)}{_PART_SUFFIX}"
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with suppress(OSError):  # some network file systems know no locks; nothing is swept there
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if part.exists():  # nobody has swept it between the two calls
            return descriptor, part
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove the parts that no living process holds."""
    for entry in os.scandir(folder):
        if entry.name.endswith(_PART_SUFFIX):
            with suppress(OSError):  # it is in use, or gone, or somebody else's
                descriptor = os.open(entry.path, os.O_RDWR)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    Path(entry.path).unlink()
                finally:
                    os.close(descriptor)


def _place(part: Path, target: Path) -> None:
    """Publish a file where nothing must be yet."""
    try:
        os.link(part, target)  # which fails if something is there, and `rename` does not
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        part.replace(target)


def _upload(part: Path, target: ObjectStoragePath, *, replace: bool) -> None:
    if not replace and exists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    protocol = str(target.protocol)
    options = _UPLOAD_OPTIONS.get(_FAMILY.get(protocol, protocol))
    if options is not None:
        # one request, or an upload in blocks that is completed at its end
        target.fs.put_file(str(part), target.path, **options)
        return
    # anything else may show what has arrived so far
    hidden = f"{target.path.rpartition('/')[0]}/.{target.name[:100]}.{secrets.token_hex(8)}{_PART_SUFFIX}"
    target.fs.makedirs(hidden.rpartition("/")[0], exist_ok=True)
    try:
        target.fs.put_file(str(part), hidden)
        target.fs.mv(hidden, target.path)
    except BaseException:
        with suppress(Exception):
            target.fs.rm_file(hidden)
        raise
