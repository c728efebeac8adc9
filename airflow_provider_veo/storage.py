"""From an HTTP stream to a finished file or object: checked, hashed, and never seen half-written."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import unquote, urlsplit

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_provider_veo.api.client import ContentStream
from airflow_provider_veo.api.errors import ContentError, InvalidInputError

Destination = str | os.PathLike[str] | ObjectStoragePath
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
    return _located(text, destination)


def _located(text: str, destination: Destination) -> Target:
    if "://" not in text:
        path = Path(text).expanduser()
        if path.is_absolute():
            return path
        base = (conf.get("veo", "storage", fallback=None) or "").strip()
        if not base:
            raise InvalidInputError(
                f"destination {text!r} is relative, and no base is configured: set [veo] storage "
                "(AIRFLOW__VEO__STORAGE), or give an absolute path or a URI."
            )
        if "://" not in base and not Path(base).expanduser().is_absolute():
            raise InvalidInputError(f"[veo] storage is {base!r}; it must be an absolute path or a URI.")
        return _located(f"{base.rstrip('/')}/{text}", destination)
    parts = urlsplit(text)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    conn_id = destination.conn_id if isinstance(destination, ObjectStoragePath) else None
    try:
        target = ObjectStoragePath(text, conn_id=conn_id) if conn_id else ObjectStoragePath(text)
        _ = target.fs  # the driver is looked for at its first use only
    except (ValueError, ImportError) as error:
        install = _EXTRA_OF_SCHEME.get(parts.scheme)
        advice = f"Install {install}." if install else "Install the Airflow provider of that storage."
        raise InvalidInputError(f"destination {text!r} cannot be written to: {error}. {advice}") from None
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
    # asked this way round, since ObjectStoragePath is a pathlib.Path, too, before Airflow 3.2
    if isinstance(target, ObjectStoragePath):
        with tempfile.TemporaryDirectory(prefix="veo-") as folder:
            part = Path(folder, "video.mp4")
            size, digest = _write(stream, part)
            # one request, or a multipart upload that is completed at its end: readers see all or nothing
            target.fs.put_file(str(part), target.path)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _temporary_sibling(target) as part:
            size, digest = _write(stream, part)
            part.replace(target)
    return StoredVideo(str(target), size, digest)


@contextmanager
def _temporary_sibling(target: Path) -> Iterator[Path]:
    """Yield a name next to the target, on the same file system, that is gone afterwards."""
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _write(stream: ContentStream, part: Path) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with part.open("xb") as file:
        for chunk in stream.chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    if stream.length is not None and size != stream.length:
        raise ContentError(f"The download was cut: {size} of {stream.length} bytes arrived. It will work at a retry.")
    return size, digest.hexdigest()
