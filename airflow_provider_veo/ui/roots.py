"""The folders from which the page may open files. A page entry cannot name others.

Every user who may write Dags or change XComs can write an entry, and the API server may read files that these users may
not read. So the administrator configures the folders, and the connection with which an object is read.
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
from airflow_provider_veo.storage.destinations import read_file_uri
from airflow_provider_veo.storage.names import OURS
from airflow_provider_veo.storage.objects import ObjectTarget

_LONGEST = 4096  # letters of a path
_BLOCK = 2**20  # bytes that a storage's driver fetches at once; some would fetch 50 MB for the first byte

log = logging.getLogger(__name__)


class OutsideError(Exception):
    """A file is not in a folder from which the page may open files."""


@dataclass(frozen=True)
class Place:
    """A file or a folder, as a text names it.

    Attributes:
        storage: Scheme and host like `s3://bucket`; empty for local files.
        conn_id: Airflow connection that the text names.
        parts: Parts of the path.
    """

    storage: str
    conn_id: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Place:
        """Read an absolute path or a URI.

        Args:
            text: Path or URI to read.

        Raises:
            OutsideError: The text is neither, or a storage might understand it in another way.
        """
        scheme, is_uri, rest = text.partition("://")
        if len(text) > _LONGEST or "\0" in text or not (is_uri or text.startswith("/")):
            raise OutsideError("neither an absolute path nor a URI")
        if not is_uri:
            return cls("", "", _parts(os.path.normpath(text).lstrip("/")))
        place, _, key = rest.partition("/")
        conn_id, _, host = place.rpartition("@")
        parts = _parts(key)
        if {".", ".."}.intersection(_decode_parts(parts)):
            raise OutsideError("a path that a storage may understand in several ways")
        return cls(f"{scheme.lower()}://{host}", conn_id, parts)

    @property
    def path(self) -> str:
        """The absolute path of a local file or folder."""
        return "/" + "/".join(self.parts)

    def is_below(self, folder: Place) -> bool:
        """Return whether the file is in a folder, at any depth, and is not one of the provider's own files."""
        depth = len(folder.parts)
        is_inside = self.storage == folder.storage and self.parts[:depth] == folder.parts and len(self.parts) > depth
        return is_inside and OURS not in _decode_parts(self.parts)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")) if path else ()  # a whole bucket or disk has no parts


def _decode_parts(parts: tuple[str, ...]) -> list[str]:
    """Return the parts of a path as the most lenient storage would understand them."""
    text = "/".join(parts)
    while (decoded := unquote(text)) != text:
        text = decoded
    return text.replace("\\", "/").casefold().split("/")


def read_roots() -> tuple[Place, ...]:
    """Return the folders of `[veo] page_roots`; without it the folder of `[veo] storage`; without both none."""
    texts = re.split(r"[,\n]", conf.get("veo", "page_roots", fallback=None) or "")
    roots = tuple(text.strip() for text in texts if text.strip())
    storage = (conf.get("veo", "storage", fallback=None) or "").strip()
    return _read_folders(roots or ((storage,) if storage else ()))


@lru_cache(maxsize=8)
def _read_folders(texts: tuple[str, ...]) -> tuple[Place, ...]:
    found = []
    for text in texts:
        scheme, is_uri, _ = text.partition("://")
        is_local = not is_uri or scheme in ("file", "local")
        try:
            path = read_file_uri(text, "it") if is_uri and is_local else os.path.expanduser(text)  # noqa: PTH111 - Path would lose "//"
            place = Place.of(path if is_local else text.rstrip("/"))
        except (OutsideError, InvalidInputError) as error:
            log.warning(
                "[veo] page_roots or storage names %r, which is %s, so the Veo page plays nothing from there",
                text,
                error,
            )
            continue
        found.append(place)
    return tuple(found)


@lru_cache(maxsize=8)
def _resolve_links(roots: tuple[Place, ...]) -> tuple[Place, ...]:
    """Return the local folders with links resolved. They are resolved once, since a network disk may hang."""
    return tuple(Place.of(os.path.realpath(root.path)) for root in roots if not root.storage)


def explain_refusal(path: str, roots: tuple[Place, ...]) -> str | None:
    """Return why the page does not play a file; None if the path and the configuration allow it.

    No file is read: every user who may see the task gets this text, and may have written the path.

    Args:
        path: Path or URI in the outcome entry.
        roots: The folders of `read_roots`.
    """
    try:
        place = Place.of(path)
    except OutsideError:
        return "This page cannot play the file: the path in its entry is neither an absolute path nor a URI."
    if any(place.is_below(root) for root in (*roots, *_resolve_links(roots))):
        return None
    folder = path.rpartition("/")[0] or "/"
    if roots:
        rule = "This page plays only files below [veo] page_roots (by default, [veo] storage)"
    else:
        rule = "This page plays nothing as long as neither [veo] page_roots nor [veo] storage is set"
    return f"{rule}. To play this file, add its folder to [veo] page_roots of the API server: {folder}"


def open_below(path: str, roots: tuple[Place, ...]) -> BinaryIO:
    """Open a file in one of the folders, with the connection of that folder.

    Args:
        path: Path or URI in the outcome entry.
        roots: The folders of `read_roots`.

    Raises:
        OutsideError: The file is in none of the folders, with links resolved.
        Exception: The file cannot be opened. Storage drivers raise exceptions of any kind.
    """
    place = Place.of(path)
    if not place.storage:
        place = Place.of(os.path.realpath(path))
        roots = tuple(Place.of(os.path.realpath(root.path)) for root in roots if not root.storage)
    root = next((root for root in roots if place.is_below(root)), None)
    if root is None:
        raise OutsideError("in none of the folders that [veo] page_roots or [veo] storage names")
    return _open_object(place, root) if place.storage else _open_file(place, root)


def _open_object(place: Place, root: Place) -> BinaryIO:
    scheme, _, host = place.storage.partition("://")
    target = ObjectTarget(scheme, root.conn_id, host, "/".join(place.parts))
    if not target.is_literal():
        raise OutsideError("a path that the driver of its storage understands in another way")
    opened: BinaryIO = target.open(block_size=_BLOCK)
    return opened


def _open_file(place: Place, root: Place) -> BinaryIO:
    """Open a resolved path step by step from its root, so that a link that is added meanwhile is not followed."""
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
        raise OutsideError("not a regular file")
    return file
