"""The bytes of a stored file: read from where a task has stored it, in a few threads of their own."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

import anyio
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.mp4 import is_video
from airflow_provider_veo.records import VIDEO
from airflow_provider_veo.storage.places import Target, resolve

_BLOCK = 2**18  # bytes read at once
_THREADS = anyio.CapacityLimiter(8)
"""All players together. Airflow's own routes have other threads, so a slow storage does not hold up its UI."""

_BEGINNINGS: Mapping[str, Callable[[bytes], bool]] = {
    VIDEO: is_video,
    "image/png": lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": lambda head: head.startswith(b"\xff\xd8\xff"),
}

T = TypeVar("T")


class ContentError(Exception):
    """A file cannot be played.

    Attributes:
        status: of the HTTP answer.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True)
class Media:
    """An open file.

    Attributes:
        file: at whatever position.
        size: in bytes.
        media_type: what it surely is.
        etag: changes with the content.
        name: for a browser that saves it.
    """

    file: BinaryIO
    size: int
    media_type: str
    etag: str
    name: str


async def opened(outcome: Mapping[str, Any]) -> Media:
    """Open what a task has stored.

    The record is written by a task, so by whoever writes Dags; and this process may read files that they may not. So
    only what has the beginning and the size of the recorded video or picture is ever shown.

    Args:
        outcome: of the task; see `records.stored`.

    Raises:
        ContentError: there is nothing, or it is not what was recorded.
    """
    return await _in_thread(lambda: _open(outcome))


async def blocks(media: Media, wanted: range) -> AsyncIterator[bytes]:
    """Yield some bytes of a file in blocks, and close it."""
    with closing(media.file):
        await _in_thread(lambda: media.file.seek(wanted.start))
        left = len(wanted)
        while left > 0:
            block = await _in_thread(lambda: media.file.read(min(_BLOCK, left)))  # noqa: B023 - called at once
            if not block:
                return
            left -= len(block)
            yield block


async def _in_thread(call: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(call, limiter=_THREADS)


def _open(outcome: Mapping[str, Any]) -> Media:
    path, media_type, size = outcome.get("path"), outcome.get("media_type"), outcome.get("bytes")
    if not (isinstance(path, str) and path and isinstance(media_type, str) and isinstance(size, int)):
        raise ContentError(404, "This task has stored nothing.")
    begins_well = _BEGINNINGS.get(media_type)
    if begins_well is None:
        raise ContentError(415, f"This page shows no {media_type}.")
    try:
        target = resolve(path)
        file = _open_file(target)
    except FileNotFoundError:
        raise ContentError(410, f"{path} is not there any more, or not where the API server can see it.") from None
    except InvalidInputError as error:
        raise ContentError(502, f"The API server cannot read {path}: {error}") from error
    except Exception as error:  # storage drivers raise whatever they like
        raise ContentError(502, f"The API server cannot read {path}: {type(error).__name__}: {error}") from error
    try:
        there = file.seek(0, 2)
        file.seek(0)
        if there != size or not begins_well(file.read(16)):
            raise ContentError(409, f"{path} is not the file that this task has stored; something has replaced it.")
    except BaseException:
        file.close()
        raise
    return Media(file, there, media_type, _etag(outcome.get("sha256"), there), target.name)


def _etag(sha256: Any, size: int) -> str:
    is_hash = isinstance(sha256, str) and sha256.isascii() and sha256.isalnum()
    return f'"{sha256 if is_hash else size}"'


def _open_file(target: Target) -> BinaryIO:
    # asked this way round, since ObjectStoragePath is a pathlib.Path, too, before Airflow 3.2
    if isinstance(target, ObjectStoragePath):
        opened: BinaryIO = target.fs.open(target.path, "rb")
        return opened
    if not stat.S_ISREG(target.stat().st_mode):  # a pipe would never open, a device never end
        raise FileNotFoundError(target)
    return target.open("rb")
