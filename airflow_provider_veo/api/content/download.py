"""One video on its way into a local file, over as many connections as it takes."""

from __future__ import annotations

import errno
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import pendulum

from airflow_provider_veo.api.content.locate import ContentStream, Resume, gone, lost
from airflow_provider_veo.api.errors import (
    AddressRefusedError,
    ApiError,
    ContentChangedError,
    ContentCutError,
    ContentError,
    ContentGoneError,
    ContentNotReadyError,
    ContentTooLargeError,
    Reason,
    StorageFullError,
    TooSlowError,
    TransportError,
    VeoError,
)
from airflow_provider_veo.api.formats import mp4

DEFAULT_MAX_BYTES = 2 * 2**30
"""Largest video taken unless the caller says otherwise: those of eight seconds have 5 to 50 MB."""

FreeSpace = Callable[[], int]
"""Returns the bytes that a file's disk has room for."""

_FRUITLESS_ATTEMPTS = 5  # in a row
_MOST_ATTEMPTS = 100
_DRIP = 512 * 1024  # bytes: an attempt that ended since the server was too slow must have brought more to count
_SAID_TWICE = 2
_LONGEST_PAUSE = 30.0  # seconds that a worker is held for; longer ones are a matter for Airflow's retries
_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class DownloadPolicy:
    """How long to try, and how much to take.

    Attributes:
        content_timeout: seconds to wait for content that lags behind `completed`.
        content_poll_interval: seconds between two looks for it.
        retry_pause: seconds before a broken transfer goes on; they double with each attempt that brings nothing.
        max_bytes: of the file.
    """

    content_timeout: float = 120.0
    content_poll_interval: float = 4.0
    retry_pause: float = 0.5
    max_bytes: int = DEFAULT_MAX_BYTES


@dataclass(frozen=True)
class Source:
    """Where a video comes from.

    Attributes:
        open: starts a transfer, or goes on with a broken one; raises errors of `api.errors`.
        what: the action, for error messages.
        is_job: each transfer asks the API anew where the file is; else there is only an address.
    """

    open: Callable[[Resume | None], AbstractContextManager[ContentStream]]
    what: str
    is_job: bool = True


@dataclass(frozen=True)
class Downloaded:
    """A whole video in a local file.

    Attributes:
        bytes: of the file.
        sha256: in hexadecimal.
    """

    bytes: int
    sha256: str


def download(
    source: Source, file: BinaryIO, policy: DownloadPolicy, free_space: FreeSpace, tell: Callable[[str], None]
) -> Downloaded:
    """Bring a video into a file, and check that it is whole.

    A broken transfer goes on where it broke off, if the server lets it, and else begins anew. It is given up after five
    attempts that brought no byte further than the ones before. Each attempt looks up anew where the file is: an address
    that the API has named may have become invalid.

    Args:
        source: where from.
        file: empty, seekable, open for reading and writing.
        policy: how long to try, and how much to take.
        free_space: returns the bytes that the file's disk has room for.
        tell: called with a line for people whenever something goes wrong and is tried again.

    Raises:
        ContentGoneError: the server has thrown the video away, or names nothing but an address that refuses it.
        VideoFailedError: there is no video.
        AddressRefusedError: the addresses that the server names refuse the file; they were others each time.
        ContentNotReadyError: it did not come in time.
        ContentTooLargeError: it is larger than `max_bytes`.
        ContentError: what comes is no whole video.
        StorageFullError: the disk has no room for it.
        VeoError: the server refuses, or cannot be reached.
    """
    received = Received(file, policy.max_bytes, free_space, source.what)
    patience = Patience(policy, is_job=source.is_job)
    while True:
        try:
            with source.open(received.resume()) as stream:
                received.take(stream)
            return received.checked()
        except (ApiError, ContentError, TransportError) as error:
            if isinstance(error, ContentChangedError):
                received.restart()
            pause = patience.pause(error, received.furthest, time.monotonic())
            if pause is None:
                if explained := patience.explained(error, source.what):
                    raise explained from error
                raise
            tell(f"{error} Trying again in {pause:g} s; {received.size} bytes are there.")
        time.sleep(pause)


class Received:
    """What has arrived so far.

    Args:
        file: empty, seekable, open for reading and writing.
        max_bytes: see `DownloadPolicy`.
        free_space: see `download`.
        what: the action, for error messages.

    Attributes:
        size: bytes that are there.
        furthest: most bytes that were ever there.
    """

    def __init__(self, file: BinaryIO, max_bytes: int, free_space: FreeSpace, what: str) -> None:
        self._file = file
        self._what = what
        self._max_bytes = max_bytes
        self._free_space = free_space
        self.furthest = 0
        self.restart()

    def restart(self) -> None:
        """Forget what is there: what comes next is another file."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self._total: int | None = None
        self._version: str | None = None
        self.size = 0

    def resume(self) -> Resume | None:
        """Return what to ask for the rest with; None if nothing is there."""
        return Resume(self.size, self._total, self._version) if self.size else None

    def take(self, stream: ContentStream) -> None:
        """Write what comes.

        Raises:
            ContentCutError: it ended too early.
            ContentTooLargeError: it is larger than allowed.
            StorageFullError: the disk has no room for it.
            VeoError: what the stream raises.
        """
        if stream.offset != self.size:
            self.restart()
        self._total, self._version = stream.total, stream.version
        self._check_room()
        try:
            with _full_disk(self._total):
                self._write(stream.chunks)
        finally:
            self.furthest = max(self.furthest, self.size)
        if self._total is not None and self.size != self._total:
            raise ContentCutError(f"{self._what}: {self.size} of {self._total} bytes arrived.")

    def checked(self) -> Downloaded:
        """Return what is there, if it is a whole video.

        Raises:
            ContentChangedError: it is not, so that going on with it makes no sense.
        """
        try:
            self._file.flush()
            mp4.check_whole(self._file)
        except mp4.IncompleteError as error:
            raise ContentChangedError(f"{self._what}: what the server sent is no whole video: {error}.") from None
        return Downloaded(self.size, self._digest.hexdigest())

    def _write(self, chunks: Iterator[bytes]) -> None:
        write, update, size, most = self._file.write, self._digest.update, self.size, self._max_bytes
        try:
            for chunk in chunks:
                write(chunk)
                update(chunk)
                size += len(chunk)
                if size > most:
                    raise _too_large(f"more than {size}", most)
        finally:
            self.size = size

    def _check_room(self) -> None:
        if self._total is None:
            return
        if self._total > self._max_bytes:
            raise _too_large(str(self._total), self._max_bytes)
        free, needed = self._free_space(), self._total - self.size
        if needed > free:
            raise StorageFullError(f"The disk is too full for the video: {needed} bytes are needed, {free} are free.")


class Patience:
    """Decides whether a download is tried again, and when; and why the file never came.

    Args:
        policy: see `DownloadPolicy`.
        is_job: see `Source`.
    """

    def __init__(self, policy: DownloadPolicy, *, is_job: bool = True) -> None:
        self._policy = policy
        self._is_job = is_job
        self._missing_since: float | None = None
        self._refused: Counter[str] = Counter()
        self._gone = 0
        self._furthest = 0
        self._fruitless = 0
        self._attempts = 0

    def pause(self, error: VeoError, furthest: int, now: float) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up.

        Args:
            error: why the last one failed.
            furthest: most bytes that were ever there.
            now: seconds of a monotonic clock.
        """
        if isinstance(error, ContentGoneError):
            self._gone += 1  # of several servers behind one address, one may not know the job yet
            return self._policy.retry_pause if self._is_job and self._gone < _SAID_TWICE else None
        if isinstance(error, (AddressRefusedError, ContentNotReadyError)):
            return self._pause_for_content(error, now)
        self._missing_since = None
        return self._pause_for_trouble(error, furthest) if _may_pass(error) else None

    def _pause_for_content(self, error: ContentError, now: float) -> float | None:
        self._missing_since = now if self._missing_since is None else self._missing_since
        is_final = now >= self._missing_since + self._policy.content_timeout
        if isinstance(error, AddressRefusedError):
            self._refused[error.address] += 1
            is_final |= error.is_over and self._refused[error.address] >= _SAID_TWICE
            is_final |= not (self._is_job or error.is_missing)
        return None if is_final else self._policy.content_poll_interval

    def _pause_for_trouble(self, error: VeoError, furthest: int) -> float | None:
        self._attempts += 1
        least = _DRIP if isinstance(error, TooSlowError) else 0
        self._fruitless = 1 if furthest > self._furthest + least else self._fruitless + 1
        self._furthest = furthest
        if self._fruitless >= _FRUITLESS_ATTEMPTS or self._attempts >= _MOST_ATTEMPTS:
            return None
        pause = self._policy.retry_pause * 2 ** (self._fruitless - 1)
        if isinstance(error, ApiError) and error.retry_after is not None:
            pause = max(pause, error.retry_after)
        return pause if pause <= _LONGEST_PAUSE else None

    def explained(self, error: VeoError, what: str) -> VeoError | None:
        """Say why the file never came; None where there is nothing more to say.

        Args:
            error: why the last attempt failed.
            what: the action, for error messages.
        """
        if isinstance(error, AddressRefusedError):
            if not self._is_job:
                return _invalid(error)
            if self._refused[error.address] >= _SAID_TWICE:
                why = str(error).removeprefix(f"{what}: ")
                return gone(what, f"The server names the same address again, which does not work. {why}")
        if isinstance(error, ContentNotReadyError) and isinstance(error.__cause__, VeoError) and not self._is_job:
            return lost(error.__cause__, what, pendulum.now("UTC"))
        return None


def _may_pass(error: VeoError) -> bool:
    if isinstance(error, ApiError):
        return error.reason in (Reason.SERVER, Reason.RATE_LIMITED)
    return isinstance(error, (TransportError, ContentChangedError, ContentCutError))


def _invalid(error: AddressRefusedError) -> ContentGoneError:
    return ContentGoneError(
        f"{error} The address is not valid any more, or never was. By the job's id the API is asked for a new one: "
        "VeoDownloadOperator(video_id=...). Gateways keep a video for a day at most; to have another one made, clear "
        "the task that ordered it, which is charged again."
    )


@contextmanager
def _full_disk(total: int | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_IS_FULL:
            size = "of unknown size" if total is None else f"of {total} bytes"
            raise StorageFullError(f"The disk has become full while a video {size} was written: {error}.") from error
        raise


def _too_large(size: str, most: int) -> ContentTooLargeError:
    return ContentTooLargeError(
        f"The video has {size} bytes, and max_bytes={most} allows no more. Raise max_bytes if it is right."
    )
