"""Where videos and pictures lie: local paths and objects, as Dag authors name them and as the platform knows them.

A destination is text: the base and what stands below it are read apart, and joined as paths. Only an address that is
given whole is read as one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage.names import VIDEO_ID_PLACEHOLDER, Rule, quoted, shown
from airflow_provider_veo.storage.objects import ObjectPlace

Destination = str | os.PathLike[str] | ObjectStoragePath
Source = Destination | Mapping[str, Any]
"""What is read: a place, or the result of a task that has stored something: its `path`."""
Target = Path | ObjectPlace

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
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LONGEST_PATH = 4095 - 255  # bytes: what Linux takes, and room for the name of a part beside the file
_LONGEST_KEY = 1024  # bytes
_SHOWN = 120  # characters of a destination in a message
_SAME_FOR_ALL = re.compile(  # of what a template knows of a task, this does not differ within a mapped one
    r"\b(?:ti|task_instance|task)\.(?:task_id|dag_id|run_id|task_display_name|start_date|try_number)\b(?!\()"
    r"|\btask_instance_key_str\b"
)


def resolve(destination: Destination, *, name: str | None = None) -> Target:
    """Say where a video goes: a local path or an object.

    Args:
        destination: absolute path, URI, `ObjectStoragePath`, or a path relative to `[veo] storage`. The text
            `{video_id}` in it stands for the video's id, and one that ends in "/" is a folder for `<name>.mp4`.
        name: the video's id or another name for the file. None while there is no video yet: this checks the rest.

    Raises:
        InvalidInputError: no destination, a relative one without a base or out of it, something in braces that nothing
            fills in, a name that no file can have, or a storage that this Airflow cannot write to.
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
    if text.endswith("/"):
        text += f"{VIDEO_ID_PLACEHOLDER}.mp4"
    place = _located(text, "destination")
    rule = _rule_of(place, f"destination {shown(text, _SHOWN)}")
    return _with_parts(place, rule.filled(_parts_of(place), name))


def place_of(path: str) -> Target:
    """Return the place that a result or a record names.

    Raises:
        InvalidInputError: this Airflow cannot reach it.
    """
    return _located(path, "path")


def folder_of(option: str) -> Target | None:
    """Return the folder that an option of `[veo]` names; None where it names none.

    Raises:
        InvalidInputError: it is no absolute path and no URI, or this Airflow cannot reach it.
    """
    text = (conf.get("veo", option, fallback=None) or "").strip()
    if not text:
        return None
    what = f"[veo] {option}"
    if not (_URI.match(text) or Path(_at_home(text)).is_absolute()):
        raise InvalidInputError(f"{what} is {text!r}; it must be an absolute path or a URI.")
    return _located(text if _is_root(text) else text.rstrip("/"), what)


def below(folder: Target, *names: str) -> Target:
    """Return a place in a folder, whatever letters its names have."""
    return _with_parts(folder, [*(part for part in _parts_of(folder) if part), *names])


def sibling(target: Target, name: str) -> Target:
    """Return the place of another name in the same folder."""
    if isinstance(target, ObjectPlace):
        return target.with_key("/".join([*target.key.split("/")[:-1], name]))
    return target.with_name(name)


def is_same_for_all(template: str) -> bool:
    """Say whether a destination, as a Dag has it, names one place for all tasks of a mapped one, as far as can be seen.

    Args:
        template: before Airflow renders it. Names of the run, like `{{ ds }}`, are the same for all; the task's own,
            calls and statements may not be.
    """
    if VIDEO_ID_PLACEHOLDER in template or template.endswith("/"):
        return False
    codes = re.findall(r"\{\{.*?\}\}|\{%.*", template, re.DOTALL)
    return not any(re.search(r"\(|\bti\b|task|map_index", _SAME_FOR_ALL.sub("", code)) for code in codes)


def check_writable(target: Target) -> None:
    """Check that a file can be made at a local path; of an object only its storage can tell.

    Raises:
        InvalidInputError: it cannot.
    """
    if isinstance(target, ObjectPlace):
        return
    # not Path.exists, which raises where a folder may not be looked into
    if os.path.isdir(target):  # noqa: PTH112
        raise InvalidInputError(f"destination {target} is a folder. End it with '/' to store a file in it.")
    folder = next(parent for parent in target.absolute().parents if os.path.exists(parent))  # noqa: PTH110
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
    kind = _kind_of(target, f"{argument} {text!r}")
    if kind != "file":
        problem = "is a folder" if kind else "does not exist"
        raise InvalidInputError(f"{argument} {text!r} {problem}: give the path of a file.")
    return target


def uri_of(target: Target) -> str:
    """Return the address under which assets and lineage know a place: without its Airflow connection, in ASCII.

    It leads to the file whatever its name: percent-decoded, its path is that of the file.
    """
    if isinstance(target, ObjectPlace):
        return f"{_address_of(target)}/{quoted(target.key)}"
    return f"{_address_of(target)}{quoted(str(target.absolute()))}"


def local_path_of(uri: str, what: str) -> str:
    """Return the path that a `file://` address leads to.

    Raises:
        InvalidInputError: it names another machine.
    """
    host, slash, path = uri.partition("://")[2].partition("/")
    if host.lower() not in ("", "localhost"):
        raise InvalidInputError(
            f"{what} {shown(uri, _SHOWN)} leads to the machine {host!r}, and not to a folder of this one. After "
            f"'file:' there are three slashes: did you mean file:///{host}/{path}?"
        )
    return unquote(slash + path, errors="surrogateescape")


def _located(text: str, argument: str) -> Target:
    scheme = _URI.match(text)
    if scheme is None:
        text = _at_home(text)
        return Path(text) if text.startswith("/") else _below_storage(text, argument)
    if scheme[1].lower() in _LOCAL_SCHEMES:
        return Path(local_path_of(text, argument) or "/")
    place = ObjectPlace.of(text)
    try:
        is_literal = place.is_literal()  # the driver is looked for at its first use only
    except Exception as error:  # storage drivers raise whatever they like
        raise InvalidInputError(
            f"{argument} {text!r} cannot be used: {type(error).__name__}: {error}. {_advice(place.scheme, error)}"
        ) from error
    if not is_literal:
        raise InvalidInputError(
            f"{argument} {text!r} cannot be used: the driver of {place.scheme}:// reads another name than this from "
            "it. Leave out '#' and '?', and slashes that follow each other."
        )
    return place


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
    base = folder_of("storage")
    if base is None:
        raise InvalidInputError(
            f"{argument} {text!r} is relative, and no base is configured: set [veo] storage "
            "(AIRFLOW__VEO__STORAGE), or give an absolute path or a URI."
        )
    place = below(base, *names)
    return place if isinstance(place, Path) else _located(str(place), argument)


def _kind_of(target: Target, what: str) -> str | None:
    """Return "file", "directory" or another word for what is there; None if nothing is."""
    try:
        if isinstance(target, ObjectPlace):
            told = target.info()
            return None if told is None else str(told.get("type"))
        return "file" if target.is_file() else "directory" if target.exists() else None
    except Exception as error:  # storage drivers raise whatever they like
        raise InvalidInputError(f"{what} cannot be read: {type(error).__name__}: {error}.") from error


def _rule_of(place: Target, argument: str) -> Rule:
    if isinstance(place, ObjectPlace):
        return Rule(place.scheme, _LONGEST_KEY, _address_of(place), argument)
    return Rule("", _LONGEST_PATH, _address_of(place), argument)


def _address_of(place: Target) -> str:
    return f"{place.scheme}://{place.host}" if isinstance(place, ObjectPlace) else "file://"


def _parts_of(place: Target) -> list[str]:
    return place.key.split("/") if isinstance(place, ObjectPlace) else list(place.parts[1:])


def _with_parts(place: Target, parts: Sequence[str]) -> Target:
    return place.with_key("/".join(parts)) if isinstance(place, ObjectPlace) else Path("/", *parts)


def _at_home(text: str) -> str:
    """Read "~/" as shells do; names that merely begin with "~" are names."""
    return os.path.expanduser(text) if text == "~" or text.startswith("~/") else text  # noqa: PTH111


def _is_root(text: str) -> bool:
    return not text.rstrip("/") or text.rstrip("/").endswith(":")


def _advice(scheme: str, error: Exception) -> str:
    if not isinstance(error, (ValueError, ImportError)):
        return f"Check the Airflow connection that it names ({scheme}://conn_id@...)."
    extra = _EXTRA_OF_SCHEME.get(scheme)
    install = f"pip install 'airflow-provider-veo[{extra}]'" if extra else "the Airflow provider of that storage"
    return f"The driver comes with {install}, on the workers."
