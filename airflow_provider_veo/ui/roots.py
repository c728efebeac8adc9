"""Which files the page may open: those below the folders that the configuration names, wherever a record leads.

A record can be written by everybody who may write Dags or change XComs, and the API server may read files that they
may not. So the folders are the administrator's, and so is the connection with which an object is read.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO
from urllib.parse import unquote

from airflow.providers.common.compat.sdk import conf

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage.destinations import path_of_file_uri
from airflow_provider_veo.storage.names import OURS
from airflow_provider_veo.storage.objects import ObjectTarget

_LONGEST = 4096  # letters of a path
_BLOCK = 2**20  # bytes that a storage's driver fetches at once; some would fetch 50 MB for the first byte

log = logging.getLogger(__name__)


class OutsideError(Exception):
    """A file is not where the page may open files."""


@dataclass(frozen=True)
class Place:
    """A file or folder, as a text names it.

    Attributes:
        storage: scheme and host like `s3://bucket`; empty for local files.
        conn_id: the Airflow connection that the text names.
        parts: of the path.
    """

    storage: str
    conn_id: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Place:
        """Read an absolute path or a URI.

        Raises:
            OutsideError: it is neither, or a storage might read something else from it than we do.
        """
        scheme, is_uri, rest = text.partition("://")
        if len(text) > _LONGEST or "\0" in text or not (is_uri or text.startswith("/")):
            raise OutsideError("neither an absolute path nor a URI")
        if not is_uri:
            return cls("", "", _parts(os.path.normpath(text).lstrip("/")))
        place, _, key = rest.partition("/")
        conn_id, _, host = place.rpartition("@")
        parts = _parts(key)
        if {".", ".."}.intersection(_decoded(parts)):
            raise OutsideError("a path that a storage may read in several ways")
        return cls(f"{scheme.lower()}://{host}", conn_id, parts)

    @property
    def path(self) -> str:
        """The absolute path of a local one."""
        return "/" + "/".join(self.parts)

    def is_below(self, folder: Place) -> bool:
        """Say whether it is in a folder, at any depth, and not the provider's own."""
        depth = len(folder.parts)
        is_inside = self.storage == folder.storage and self.parts[:depth] == folder.parts and len(self.parts) > depth
        return is_inside and OURS not in _decoded(self.parts)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")) if path else ()  # none of a whole bucket or disk


def _decoded(parts: tuple[str, ...]) -> list[str]:
    """Return the parts of a path as the most lenient storage would read them."""
    text = "/".join(parts)
    while (decoded := unquote(text)) != text:
        text = decoded
    return text.replace("\\", "/").casefold().split("/")


def configured() -> tuple[Place, ...]:
    """Return the folders of `[veo] page_roots`, else that of `[veo] storage`, else none."""
    texts = re.split(r"[,\n]", conf.get("veo", "page_roots", fallback=None) or "")
    roots = tuple(text.strip() for text in texts if text.strip())
    storage = (conf.get("veo", "storage", fallback=None) or "").strip()
    return _folders(roots or ((storage,) if storage else ()))


@lru_cache(maxsize=8)
def _folders(texts: tuple[str, ...]) -> tuple[Place, ...]:
    found = []
    for text in texts:
        scheme, is_uri, _ = text.partition("://")
        is_local = not is_uri or scheme in ("file", "local")
        try:
            path = path_of_file_uri(text, "it") if is_uri and is_local else os.path.expanduser(text)  # noqa: PTH111 - Path would lose "//"
            place = Place.of(path if is_local else text.rstrip("/"))
        except (OutsideError, InvalidInputError) as error:
            log.warning("[veo] page_roots or storage: %r is %s, so the Veo page plays nothing from there", text, error)
            continue
        found.append(place)
    return tuple(found)


@lru_cache(maxsize=8)
def _resolved(roots: tuple[Place, ...]) -> tuple[Place, ...]:
    """Return where the local ones of some folders really are; asked once, since a network disk may hang."""
    return tuple(Place.of(os.path.realpath(root.path)) for root in roots if not root.storage)


def why_not(path: str, roots: tuple[Place, ...]) -> str | None:
    """Say why a file is not played, as far as its path and the configuration tell; None if it may be.

    It looks at no file: this is told to everybody who may see the task, whatever they have put into its record.

    Args:
        path: that is on record.
        roots: see `configured`.
    """
    try:
        place = Place.of(path)
    except OutsideError:
        return "This page cannot play the file: its path on record is no absolute path and no URI."
    if any(place.is_below(root) for root in (*roots, *_resolved(roots))):
        return None
    folder = path.rpartition("/")[0] or "/"
    if roots:
        rule = "This page plays only files below [veo] page_roots (by default, [veo] storage)"
    else:
        rule = "This page plays nothing as long as neither [veo] page_roots nor [veo] storage is set"
    return f"{rule}. To play this file, add its folder to [veo] page_roots of the API server: {folder}"


def open_below(path: str, roots: tuple[Place, ...]) -> BinaryIO:
    """Open a file below one of some folders, with that folder's own connection.

    Args:
        path: that is on record.
        roots: see `configured`.

    Raises:
        OutsideError: it lies below none of them, links resolved.
        Exception: it cannot be opened: storage drivers raise whatever they like.
    """
    place = Place.of(path)
    if not place.storage:
        place = Place.of(os.path.realpath(path))
        roots = tuple(Place.of(os.path.realpath(root.path)) for root in roots if not root.storage)
    root = next((root for root in roots if place.is_below(root)), None)
    if root is None:
        raise OutsideError("below none of the folders that [veo] page_roots or [veo] storage names")
    return _open_object(place, root) if place.storage else _open_file(place, root)


def _open_object(place: Place, root: Place) -> BinaryIO:
    scheme, _, host = place.storage.partition("://")
    target = ObjectTarget(scheme, root.conn_id, host, "/".join(place.parts))
    if not target.is_literal():
        raise OutsideError("a path that its storage's driver reads in another way")
    opened: BinaryIO = target.open(block_size=_BLOCK)
    return opened


def _open_file(place: Place, root: Place) -> BinaryIO:
    """Open a resolved path step by step from its root: no link that somebody adds meanwhile is followed."""
    *folders, name = place.parts[len(root.parts) :]
    at = os.open(root.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        file = os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at), "rb")
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe or a device may never end
        file.close()
        raise OutsideError("no regular file")
    return file
