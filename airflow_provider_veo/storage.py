"""Where videos and pictures lie and how they get there: checked, hashed, and never seen half-written."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import unquote, urlsplit

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_provider_veo.api.client import ContentStream
from airflow_provider_veo.api.errors import ContentError, InvalidInputError

Destination = str | os.PathLike[str] | ObjectStoragePath
Source = Destination | Mapping[str, Any]
"""What is read: a place, or the result of a task that has stored something: its `path`."""
Target = Path | ObjectStoragePath
IfExists = Literal["skip", "overwrite", "fail"]
IF_EXISTS: tuple[IfExists, ...] = get_args(IfExists)

VIDEO_ID_PLACEHOLDER = "{video_id}"

_EXTRA_OF_SCHEME = {
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "s3a": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "gcs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
    "abfss": "apache-airflow-providers-microsoft-azure",
    "adl": "apache-airflow-providers-microsoft-azure",
}


@dataclass(frozen=True)
class StoredVideo:
    """A video where it belongs.

    Attributes:
        path: a local path, or a URI that `ObjectStoragePath` takes.
        bytes: size of the file.
        sha256: in hexadecimal; None for a file that was there already.
    """

    path: str
    bytes: int
    sha256: str | None


def resolve(destination: Destination, *, name: str | None = None) -> Target:
    """Say where a video goes: a local path or an object.

    Args:
        destination: absolute path, URI, `ObjectStoragePath`, or a path relative to `[veo] storage`. The text
            `{video_id}` in it stands for the video's id, and one that ends in "/" is a folder for `<name>.mp4`.
        name: the video's id or another name for the file. None while there is no video yet: this checks the rest.

    Raises:
        InvalidInputError: no destination, a relative one without a base, or a storage that this Airflow cannot
            write to.
    """
    text = str(destination).strip() if destination is not None else ""
    if not text:
        raise InvalidInputError(
            "destination is empty: give a path, a URI such as s3://conn_id@bucket/key.mp4, or both."
        )
    if name is not None:
        safe_name = re.sub(r"[^\w.=-]", "_", name)
        text = text.replace(VIDEO_ID_PLACEHOLDER, safe_name)
        if text.endswith("/"):
            text += f"{safe_name}.mp4"
    return _located(text, "destination")


def find(source: Source, argument: str) -> Target:
    """Say where a file is that is to be read.

    Args:
        source: absolute path, URI, `ObjectStoragePath`, a path relative to `[veo] storage`, or the result of a
            task that has stored a file.
        argument: the operator's argument, for error messages.

    Raises:
        InvalidInputError: no source, nothing or a folder there, or a storage that this Airflow cannot read.
    """
    place = source.get("path") if isinstance(source, Mapping) else source
    text = str(place).strip() if place is not None else ""
    if not text:
        raise InvalidInputError(
            f"{argument} names no file: give a path, a URI, or the result of a task that has stored one. A create "
            "task stores its video when it has a destination."
        )
    target = _located(text, argument)
    if not target.is_file():
        problem = "is a folder" if target.is_dir() else "does not exist"
        raise InvalidInputError(f"{argument} {text!r} {problem}: give the path of a file.")
    return target


def _located(text: str, argument: str) -> Target:
    if "://" not in text:
        path = Path(text).expanduser()
        if path.is_absolute():
            return path
        base = (conf.get("veo", "storage", fallback=None) or "").strip()
        if not base:
            raise InvalidInputError(
                f"{argument} {text!r} is relative, and no base is configured: set [veo] storage "
                "(AIRFLOW__VEO__STORAGE), or give an absolute path or a URI."
            )
        if "://" not in base and not Path(base).expanduser().is_absolute():
            raise InvalidInputError(f"[veo] storage is {base!r}; it must be an absolute path or a URI.")
        return _located(f"{base.rstrip('/')}/{text}", argument)
    parts = urlsplit(text)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    try:
        target = ObjectStoragePath(text)  # which writes its connection into its text, too
        _ = target.fs  # the driver is looked for at its first use only
    except (ValueError, ImportError) as error:
        install = _EXTRA_OF_SCHEME.get(parts.scheme)
        advice = f"Install {install}." if install else "Install the Airflow provider of that storage."
        raise InvalidInputError(f"{argument} {text!r} cannot be used: {error}. {advice}") from None
    return target


def existing(target: Target) -> StoredVideo | None:
    """Return what is at the target already, or None."""
    if not target.exists():
        return None
    if target.is_dir():
        raise InvalidInputError(f"destination {target} is a folder. End it with '/' to store a file in it.")
    return StoredVideo(str(target), int(target.stat().st_size), None)


def store(stream: ContentStream, target: Target) -> StoredVideo:
    """Write a video and publish it in one step, when all of it has arrived.

    Raises:
        ContentError: fewer or more bytes came than the server had announced.
    """
    with staged(target) as part:
        size, digest = _write(stream, part)
    return StoredVideo(str(target), size, digest)


@contextmanager
def staged(target: Target) -> Iterator[Path]:
    """Yield a local path to write a file to, and publish that file at the target in one step.

    Readers see all of it or nothing; when the block ends in an error, nothing of it stays.
    """
    # asked this way round, since ObjectStoragePath is a pathlib.Path, too, before Airflow 3.2
    if isinstance(target, ObjectStoragePath):
        with _temporary_file() as part:
            yield part
            # one request, or a multipart upload that is completed at its end
            target.fs.put_file(str(part), target.path)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")  # on the same file system
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def local_copy(source: Target) -> Iterator[Path]:
    """Yield a local file with the content of a source: the file itself, or a copy of an object for a while."""
    if isinstance(source, ObjectStoragePath):
        with _temporary_file() as copy:
            source.fs.get_file(source.path, str(copy))  # fsspec copies in blocks
            yield copy
    else:
        yield source


@contextmanager
def _temporary_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="veo-") as folder:
        yield Path(folder, "content")


def sha256_of(path: Path) -> str:
    """Return the hash of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _write(stream: ContentStream, part: Path) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with part.open("xb") as file:
        for chunk in stream.chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    if stream.length is not None and size != stream.length:
        raise ContentError(f"The download was cut: {size} of {stream.length} bytes arrived. It will work at a retry.")
    return size, digest.hexdigest()
