"""Read the bytes of stored files for players, on a few threads of their own."""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

import anyio

from airflow_provider_veo.api.formats import images
from airflow_provider_veo.api.formats.mp4 import is_video
from airflow_provider_veo.observability.page import VIDEO
from airflow_provider_veo.storage.proof import make_proof
from airflow_provider_veo.ui.roots import open_below, read_roots

_BLOCK = 2**18  # bytes read at once
_THREADS = anyio.CapacityLimiter(8)
"""Threads of all players together. Airflow's own routes have other threads, so a slow storage does not block its UI."""

REFUSAL = 0.5
"""Seconds that a refusal takes: longer than a look at a storage, or its duration would show which files exist."""

_SHOWN_TYPES = (VIDEO, "image/png", "image/jpeg")

T = TypeVar("T")

log = logging.getLogger(__name__)


class NotServedError(Exception):
    """A file is not served. Only the log says why: users who can write entries must not learn which files exist."""


@dataclass(frozen=True)
class OpenFile:
    """An open file.

    Attributes:
        file: The file, at any position.
        size: Size of the file in bytes.
        media_type: Media type of the file, which was checked.
        etag: Entity tag, which changes with the content.
        name: Name under which a browser saves the file.
    """

    file: BinaryIO
    size: int
    media_type: str
    etag: str
    name: str


async def open_file(outcome: Mapping[str, Any]) -> OpenFile:
    """Open the file that a task has stored.

    A user who writes Dags or changes XComs may have written the entry, and this process may read files that the user
    may not read. So the file must be in a folder from which the page may open files, it must be a video or a picture,
    and the entry must prove that the task has held it.

    Args:
        outcome: Outcome entry of the task, of which nothing has been checked.

    Raises:
        NotServedError: The file is missing, or it is not the file of the task. This takes at least `REFUSAL` seconds.
    """
    answer_at = anyio.current_time() + REFUSAL
    try:
        return await _in_thread(lambda: _open(outcome))
    except Exception as error:  # storage drivers raise exceptions of any kind
        log.info("Not played: %.300r: %s: %.300r", outcome.get("path"), type(error).__name__, str(error))
        await anyio.sleep_until(answer_at)
        raise NotServedError from error


async def read_blocks(opened: OpenFile, wanted: range) -> AsyncIterator[bytes]:
    """Yield some bytes of a file in blocks, then close the file."""
    with closing(opened.file):
        await _in_thread(lambda: opened.file.seek(wanted.start))
        left = len(wanted)
        while left > 0:
            block = await _in_thread(lambda: opened.file.read(min(_BLOCK, left)))  # noqa: B023 - called at once
            if not block:
                return
            left -= len(block)
            yield block


async def _in_thread(call: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(call, limiter=_THREADS)


def _open(outcome: Mapping[str, Any]) -> OpenFile:
    path, media_type, proof = (outcome.get(name) for name in ("path", "media_type", "proof"))
    if not (isinstance(path, str) and isinstance(proof, str) and isinstance(media_type, str)):
        raise NotServedError("the entry names no file, or has no proof of it")
    file = open_below(path, read_roots())
    try:
        if not hmac.compare_digest(make_proof(file).encode(), proof.encode("utf-8", "replace")):
            raise NotServedError("not the file that the task has stored")
        file.seek(0)
        if media_type not in _SHOWN_TYPES or _media_type_of(file.read(16)) != media_type:
            raise NotServedError("not of a type that this page shows")
        size = file.seek(0, os.SEEK_END)
    except BaseException:
        file.close()
        raise
    return OpenFile(file, size, media_type, _etag(outcome.get("sha256"), size), path.rpartition("/")[2])


def _media_type_of(head: bytes) -> str | None:
    return VIDEO if is_video(head) else images.find_media_type(head)


def _etag(sha256: Any, size: int) -> str:
    is_hash = isinstance(sha256, str) and sha256.isascii() and sha256.isalnum()
    return f'"{sha256[:64] if is_hash else size}"'
