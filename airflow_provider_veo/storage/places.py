"""Where videos and pictures lie: local paths and objects, as Dag authors name them and as the platform knows them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_provider_veo.api.errors import InvalidInputError

Destination = str | os.PathLike[str] | ObjectStoragePath
Source = Destination | Mapping[str, Any]
"""What is read: a place, or the result of a task that has stored something: its `path`."""
Target = Path | ObjectStoragePath

VIDEO_ID_PLACEHOLDER = "{video_id}"

_EXTRA_OF_SCHEME = {
    "s3": "s3",
    "s3a": "s3",
    "s3n": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "abfs": "azure",
    "abfss": "azure",
    "adl": "azure",
}
_LOCAL_SCHEMES = ("file", "local")
_ASCII = "".join(map(chr, range(33, 127)))  # Airflow takes no other characters in the address of an asset


def resolve(destination: Destination, *, name: str | None = None) -> Target:
    """Say where a video goes: a local path or an object.

    Args:
        destination: absolute path, URI, `ObjectStoragePath`, or a path relative to `[veo] storage`. The text
            `{video_id}` in it stands for the video's id, and one that ends in "/" is a folder for `<name>.mp4`.
        name: the video's id or another name for the file. None while there is no video yet: this checks the rest.

    Raises:
        InvalidInputError: no destination, a relative one without a base or out of it, something in braces that nothing
            fills in, or a storage that this Airflow cannot write to.
    """
    text = str(destination).strip() if destination is not None else ""
    if not text:
        raise InvalidInputError(
            "destination is empty: give a path, a URI such as s3://conn_id@bucket/key.mp4, or both."
        )
    if left := re.search(r"\{\{|\{\w*\}", text.replace(VIDEO_ID_PLACEHOLDER, "")):
        raise InvalidInputError(
            f"destination {text!r} still has {left[0]!r} in it, which nothing fills in: only {VIDEO_ID_PLACEHOLDER} "
            "is, and Airflow's templates in arguments of an operator, but not in what a function has returned."
        )
    if name is not None:
        safe_name = re.sub(r"[^\w.=-]", "_", name)
        if not safe_name.strip("."):  # "." and ".." are folders that are there already
            safe_name = "_" * max(1, len(safe_name))
        text = text.replace(VIDEO_ID_PLACEHOLDER, safe_name)
        if text.endswith("/"):
            text += f"{safe_name}.mp4"
    return _located(text, "destination")


def is_same_for_all(template: str) -> bool:
    """Say whether a destination, as a Dag has it, names one place for all tasks of a mapped one, as far as can be seen.

    Args:
        template: before Airflow renders it. Names of the run, like `{{ ds }}`, are the same for all; the task's own,
            calls and statements may not be.
    """
    if VIDEO_ID_PLACEHOLDER in template or template.endswith("/"):
        return False
    return not any(re.search(r"\(|\bti\b|task", code) for code in re.findall(r"\{\{.*?\}\}|\{%.*", template, re.DOTALL))


def check_writable(target: Target) -> None:
    """Check that a file can be made at a local path; of an object only its storage can tell.

    Raises:
        InvalidInputError: it cannot.
    """
    if isinstance(target, ObjectStoragePath):
        return
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise InvalidInputError(f"destination {target} cannot be written: {folder} is a file.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInputError(f"destination {target} cannot be written: this worker may not write to {folder}.")


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


def uri_of(target: Target) -> str:
    """Return the address under which assets and lineage know a place: without its Airflow connection, in ASCII."""
    # asked this way round, since ObjectStoragePath is a pathlib.Path, too, before Airflow 3.2
    if not isinstance(target, ObjectStoragePath):
        return f"file://{quote(str(target.absolute()), safe=_ASCII)}"
    scheme, _, place = str(target).partition("://")
    bucket, slash, key = place.partition("/")
    return f"{scheme}://{bucket.rpartition('@')[2]}{slash}{quote(key, safe=_ASCII)}"


def sibling(target: Target, name: str) -> Target:
    """Return the place of another name in the same folder."""
    if not isinstance(target, ObjectStoragePath):
        return target.with_name(name)
    return ObjectStoragePath(f"{str(target).rpartition('/')[0]}/{name}")


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
        if os.pardir in Path(os.path.normpath(path)).parts:
            raise InvalidInputError(f"{argument} {text!r} leads out of [veo] storage; give an absolute path for that.")
        return _located(f"{base.rstrip('/')}/{text}", argument)
    parts = urlsplit(text)
    if parts.scheme in _LOCAL_SCHEMES:
        return Path(unquote(parts.path))
    try:
        target = ObjectStoragePath(text)  # which writes its connection into its text, too
        _ = target.fs  # the driver is looked for at its first use only
    except Exception as error:  # storage drivers raise whatever they like
        raise InvalidInputError(
            f"{argument} {text!r} cannot be used: {type(error).__name__}: {error}. {_advice(parts.scheme, error)}"
        ) from error
    return target


def _advice(scheme: str, error: Exception) -> str:
    if not isinstance(error, (ValueError, ImportError)):
        return f"Check the Airflow connection that it names ({scheme}://conn_id@...)."
    extra = _EXTRA_OF_SCHEME.get(scheme)
    install = f"pip install 'airflow-provider-veo[{extra}]'" if extra else "the Airflow provider of that storage"
    return f"The driver comes with {install}, on the workers."
