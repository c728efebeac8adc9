"""The bytes of a stored file: read from where a task has stored it, in a few threads of their own."""

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
from airflow_provider_veo.storage.proof import proof_of
from airflow_provider_veo.ui.roots import configured, open_below

_BLOCK = 2**18  # bytes read at once
_THREADS = anyio.CapacityLimiter(8)
"""All players together. Airflow's own routes have other threads, so a slow storage does not hold up its UI."""

REFUSAL = 0.5
"""Seconds that a refusal takes: longer than a look at a storage, or its time would tell what was found."""

_SHOWN_TYPES = (VIDEO, "image/png", "image/jpeg")

T = TypeVar("T")

log = logging.getLogger(__name__)


class NotServedError(Exception):
    """A file is not served. The log says why: a person who can write records must not learn which files there are."""


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

    The record may have been written by somebody who writes Dags or changes XComs; and this process may read files that
    they may not. So a file is opened only where the page may open files, and only a video or picture is shown that the
    task has proved to have held.

    Args:
        outcome: of the task; see `records.stored`.

    Raises:
        NotServedError: there is nothing, or something else. It takes `REFUSAL` seconds at least, whatever was found.
    """
    answer_at = anyio.current_time() + REFUSAL
    try:
        return await _in_thread(lambda: _open(outcome))
    except Exception as error:  # storage drivers raise whatever they like
        log.info("Not played: %.300r: %s: %.300r", outcome.get("path"), type(error).__name__, str(error))
        await anyio.sleep_until(answer_at)
        raise NotServedError from error


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
    path, media_type, proof = (outcome.get(name) for name in ("path", "media_type", "proof"))
    if not (isinstance(path, str) and isinstance(proof, str) and isinstance(media_type, str)):
        raise NotServedError("the record names no file, or holds no proof of it")
    file = open_below(path, configured())
    try:
        if not hmac.compare_digest(proof_of(file).encode(), proof.encode("utf-8", "replace")):
            raise NotServedError("not the file that the task has stored")
        file.seek(0)
        if media_type not in _SHOWN_TYPES or _media_type_of(file.read(16)) != media_type:
            raise NotServedError("not of a type that this page shows")
        size = file.seek(0, os.SEEK_END)
    except BaseException:
        file.close()
        raise
    return Media(file, size, media_type, _etag(outcome.get("sha256"), size), path.rpartition("/")[2])


def _media_type_of(head: bytes) -> str | None:
    return VIDEO if is_video(head) else images.media_type_of(head)


def _etag(sha256: Any, size: int) -> str:
    is_hash = isinstance(sha256, str) and sha256.isascii() and sha256.isalnum()
    return f'"{sha256[:64] if is_hash else size}"'
