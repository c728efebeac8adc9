"""Read destinations and sources, as Dag authors write them, and decide: a local file, or an object.

A destination is text. The base and the path below it are read separately, and joined as paths. Only a URI that is given
whole is read as a URI.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage.local import LocalTarget
from airflow_provider_veo.storage.names import VIDEO_ID_PLACEHOLDER, shorten
from airflow_provider_veo.storage.objects import ObjectTarget
from airflow_provider_veo.storage.targets import Target

Destination = str | os.PathLike[str] | ObjectStoragePath
FileSource = Destination | Mapping[str, Any]
"""A file to read: its path or URI, or the result of a task that has stored it."""

_LOCAL_SCHEMES = ("file", "local")
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SHOWN = 120  # characters of a destination in a message
_SAME_FOR_ALL = re.compile(  # values that do not differ between the tasks of a mapped task, or the passes of a loop
    r"\b(?:ti|task_instance|task)\.(?:task_id|dag_id|run_id|task_display_name|start_date|try_number)\b(?!\()"
    r"|\btask_instance_key_str\b"
)


def resolve(destination: Destination, *, name: str | None = None) -> Target:
    """Return the target that a destination means.

    Args:
        destination: Absolute path, URI, `ObjectStoragePath`, or a path relative to `[veo] storage`. The text
            `{video_id}` in it stands for the video's ID. If it ends in "/", it is a folder, and the file in it is
            named `<name>.mp4`.
        name: ID of the video, or another name for the file. None if there is no video yet; then everything else is
            checked.

    Raises:
        InvalidInputError: The destination is empty, is relative without a base, leads out of the base, has braces that
            nothing fills in, or has a name that no file can have; or this Airflow cannot write to the storage.
    """
    text = str(destination).strip() if destination is not None else ""
    if not text:
        raise InvalidInputError(
            "destination is empty: give a path, a URI such as s3://conn_id@bucket/key.mp4, or both."
        )
    if left := re.search(r"\{\{|\{\w*\}", text.replace(VIDEO_ID_PLACEHOLDER, "")):
        raise InvalidInputError(
            f"destination {text!r} still has {left[0]!r} in it, which nothing fills in: only {VIDEO_ID_PLACEHOLDER} "
            "is filled in. Airflow renders templates in arguments of an operator, but not in returned values."
        )
    if text.endswith("/"):
        text += f"{VIDEO_ID_PLACEHOLDER}.mp4"
    target = _read(text, "destination")
    rule = target.rule(f"destination {shorten(text, _SHOWN)}")
    return target.with_parts(rule.fill(target.parts, name))


def find_below(destination: Destination, address: str) -> Target | None:
    """Return the target of an object that is below a destination already; None if it is somewhere else.

    Args:
        destination: A destination as a Dag author writes it. Only a folder, which ends in "/", has objects below it.
        address: Address of the object, without an Airflow connection, such as `gs://bucket/folder/video.mp4`.

    Raises:
        InvalidInputError: The destination cannot be used.
    """
    text = str(destination).strip()
    found = find_target(address, "address")
    if not (text.endswith("/") and isinstance(found, ObjectTarget)):
        return None
    # drivers drop the slash at the end, so that it would count as a name that they do not read as it is written
    folder = _read(text.rstrip("/") or "/", "destination")
    names = [part for part in folder.parts if part]
    is_below = isinstance(folder, ObjectTarget) and (
        (folder.scheme, folder.host, names) == (found.scheme, found.host, found.parts[: len(names)])
    )
    return folder.with_parts(found.parts) if is_below and len(found.parts) > len(names) else None


def read_target(path: str) -> Target:
    """Return the target that a result or a record names.

    Args:
        path: Path or URI in the result.

    Raises:
        InvalidInputError: This Airflow cannot reach the target.
    """
    return _read(path, "path")


def read_folder(option: str) -> Target | None:
    """Return the folder that an option of `[veo]` names; None if the option is not set.

    Args:
        option: Name of the option.

    Raises:
        InvalidInputError: The value is neither an absolute path nor a URI, or this Airflow cannot reach the folder.
    """
    text = (conf.get("veo", option, fallback=None) or "").strip()
    if not text:
        return None
    argument = f"[veo] {option}"
    if not (_URI.match(text) or Path(_expand_home(text)).is_absolute()):
        raise InvalidInputError(f"{argument} is {text!r}; it must be an absolute path or a URI.")
    is_root = not text.rstrip("/") or text.rstrip("/").endswith(":")
    return _read(text if is_root else text.rstrip("/"), argument)


def find_source(source: FileSource, argument: str) -> Target:
    """Return the target of a file that is to be read, after a check that the file exists.

    Args:
        source: Absolute path, URI, `ObjectStoragePath`, a path relative to `[veo] storage`, or the result of a task
            that has stored a file.
        argument: Argument of the operator, for error messages.

    Raises:
        InvalidInputError: The source is empty, its file does not exist or is a folder, or this Airflow cannot read the
            storage.
    """
    path = source.get("path") if isinstance(source, Mapping) else source
    text = str(path).strip() if path is not None else ""
    if not text:
        raise InvalidInputError(
            f"{argument} names no file: give a path, a URI, or the result of a task that has stored one. A create "
            "task stores its video when it has a destination."
        )
    target = _read(text, argument)
    try:
        kind = target.read_kind()
    except Exception as error:  # storage drivers raise exceptions of any class
        raise InvalidInputError(f"{argument} {text!r} cannot be read: {type(error).__name__}: {error}.") from error
    if kind != "file":
        problem = "is a folder" if kind else "does not exist"
        raise InvalidInputError(f"{argument} {text!r} {problem}: give the path of a file.")
    return target


def is_same_for_all(template: str) -> bool:
    """Return whether all tasks of a mapped task would surely render a destination to the same path.

    Args:
        template: The destination before Airflow renders it. Values of the run, like `{{ ds }}`, are the same for all
            tasks. Values of the task, calls and statements may differ.
    """
    return _has_no_code_of(r"\(|\bti\b|task|map_index", template)


def is_same_in_all_passes(template: str) -> bool:
    """Return whether all passes of a task loop would surely render a destination to the same path.

    Args:
        template: The destination before Airflow renders it.
    """
    return _has_no_code_of(r"\(|\bti\b|task|loop", re.sub(r"\b(?:ti|task_instance)\.map_index\b", "", template))


def _has_no_code_of(different: str, template: str) -> bool:
    if VIDEO_ID_PLACEHOLDER in template or template.endswith("/"):
        return False
    codes = re.findall(r"\{\{.*?\}\}|\{%.*", template, re.DOTALL)
    return not any(re.search(different, _SAME_FOR_ALL.sub("", code)) for code in codes)


def find_target(text: str, argument: str) -> Target:
    """Return the target that a path or a URI means. No storage is asked.

    Args:
        text: A path, from the current folder if it is relative, or a URI.
        argument: Argument that holds the text, for error messages.

    Raises:
        InvalidInputError: It is a `file://` URI of another machine.
    """
    uri = _URI.match(text)
    if uri is None:
        return LocalTarget(Path(text))
    if uri[1].lower() in _LOCAL_SCHEMES:
        return LocalTarget(Path(read_file_uri(text, argument) or "/"))
    return ObjectTarget.of(text)


def read_file_uri(uri: str, argument: str) -> str:
    """Return the path in a `file://` URI.

    Args:
        uri: URI with the scheme `file`.
        argument: Argument that holds the URI, for error messages.

    Raises:
        InvalidInputError: The URI names another machine.
    """
    host, slash, path = uri.partition("://")[2].partition("/")
    if host.lower() not in ("", "localhost"):
        raise InvalidInputError(
            f"{argument} {shorten(uri, _SHOWN)} leads to the machine {host!r}, and not to a folder of this one. After "
            f"'file:' there are three slashes: did you mean file:///{host}/{path}?"
        )
    return unquote(slash + path, errors="surrogateescape")


def _read(text: str, argument: str) -> Target:
    """Read a path or a URI, and check that its driver can be used. A relative path is below `[veo] storage`."""
    text = text if _URI.match(text) else _expand_home(text)
    if _URI.match(text) or text.startswith("/"):
        target = find_target(text, argument)
    else:
        target = _below_storage(text, argument)
        text = str(target)
    target.check_driver(f"{argument} {text!r}")
    return target


def _below_storage(text: str, argument: str) -> Target:
    names: list[str] = []
    for part in text.split("/"):
        if part == os.pardir:
            if not names:
                raise InvalidInputError(
                    f"{argument} {text!r} leads out of [veo] storage; give an absolute path for that."
                )
            names.pop()
        elif part not in ("", os.curdir):
            names.append(part)
    if not names:
        raise InvalidInputError(f"{argument} {text!r} names no file below [veo] storage.")
    base = read_folder("storage")
    if base is None:
        raise InvalidInputError(
            f"{argument} {text!r} is relative, and no base is configured: set [veo] storage "
            "(AIRFLOW__VEO__STORAGE), or give an absolute path or a URI."
        )
    return base.below(*names)


def _expand_home(text: str) -> str:
    """Expand "~/" as shells do. A name that only begins with "~" is a name."""
    return os.path.expanduser(text) if text == "~" or text.startswith("~/") else text  # noqa: PTH111
