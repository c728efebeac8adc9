"""Download one video into a local file, over as many connections as it takes."""

from __future__ import annotations

import errno
import hashlib
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pendulum

from airflow_provider_veo.api.content.locate import ContentStream, Resume, explain_loss, make_gone_error
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
"""Size of the largest video that is downloaded by default. Videos of eight seconds have 5 to 50 MB."""

_FRUITLESS_ATTEMPTS = 5  # in a row
_MOST_ATTEMPTS = 100
_DRIP = 512 * 1024  # bytes: an attempt that ended because the server was too slow counts as fruitless below this
_TWICE = 2
_LONGEST_PAUSE = 30.0  # seconds that a worker waits here; after a longer pause Airflow's retries continue
_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class DownloadPolicy:
    """The limits of a download: its time and its bytes.

    Attributes:
        content_timeout: Seconds to wait for content that is not there yet although the job is `completed`.
        content_poll_interval: Seconds between two requests for such content. The gateways' documentation says 4.
        retry_pause: Seconds before a broken transfer continues. They double with each attempt that brings nothing.
        max_bytes: Size of the largest video that is downloaded.
    """

    content_timeout: float = 120.0
    content_poll_interval: float = 4.0
    retry_pause: float = 0.5
    max_bytes: int = DEFAULT_MAX_BYTES


class Log(Protocol):
    """The methods of a logger that a download needs. Airflow's loggers have them, those of `logging` and structlog."""

    def info(self, event: str, /, *args: Any) -> Any: ...

    def warning(self, event: str, /, *args: Any) -> Any: ...


class Content(Protocol):
    """The content of a video, on its server.

    Attributes:
        action: The download in words, for error messages.
        video_id: ID of the job, or None if it is not known.
        is_job: Whether each request asks the API where the file is. If False, there is only an address.
    """

    @property
    def action(self) -> str: ...

    @property
    def video_id(self) -> str | None: ...

    @property
    def is_job(self) -> bool: ...

    def open(self, resume: Resume | None = None) -> AbstractContextManager[ContentStream]:
        """Start a transfer, or continue a broken one.

        Args:
            resume: Place where an earlier transfer broke off, or None.

        Raises:
            VeoError: The server refuses, or cannot be reached; see `api.errors`.
        """


@dataclass(frozen=True)
class Downloaded:
    """A whole video in a local file.

    Attributes:
        bytes: Size of the file.
        sha256: SHA-256 of the file, in hexadecimal.
    """

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Download:
    """The download of one video.

    Attributes:
        content: The content on its server.
        policy: Limits of the download: its time and its bytes.
        log: Logger of the task.
    """

    content: Content
    policy: DownloadPolicy
    log: Log

    @property
    def video_id(self) -> str | None:
        """ID of the job, or None if it is not known."""
        return self.content.video_id

    def ask_length(self) -> int | None:
        """Ask the server for the size of the video; None if it does not answer with one, or has deleted the video."""
        try:
            with self.content.open() as stream:
                return stream.total
        except VeoError:
            return None

    def into(self, part: Path) -> Downloaded:
        """Write the video into a file, and check that it is whole.

        A broken transfer continues where it broke off if the server supports that; else it starts again. The download
        is given up after five attempts that brought no byte further than the ones before. Each attempt asks again
        where the file is, since an address that the API has named may have become invalid.

        Args:
            part: An existing, empty file.

        Raises:
            ContentGoneError: The server has deleted the video, or names only an address that refuses it.
            VideoFailedError: There is no video.
            AddressRefusedError: The server names a new address each time, and each address refuses the file.
            ContentNotReadyError: The content did not come in time.
            ContentTooLargeError: The video is larger than `max_bytes`.
            ContentError: The file is not a whole video.
            StorageFullError: The disk has no room for the video.
            VeoError: The server refuses, or cannot be reached.
        """
        retries = DownloadRetries(self.policy, is_job=self.content.is_job)
        with part.open("r+b") as file:
            received = Received(file, self.policy.max_bytes, part.parent, self.content.action)
            while True:
                try:
                    with self.content.open(received.resume()) as stream:
                        received.take(stream)
                    return received.check()
                except (ApiError, ContentError, TransportError) as error:
                    if isinstance(error, ContentChangedError):
                        received.restart()
                    pause = retries.choose_pause(error, received.furthest, time.monotonic())
                    if pause is None:
                        if explained := retries.explain(error, self.content.action):
                            raise explained from error
                        raise
                    self.log.info("%s Trying again in %g s; %d bytes are there.", error, pause, received.size)
                time.sleep(pause)


class Received:
    """The bytes of a video that have arrived so far.

    Args:
        file: An empty file, open for reading and writing, with a position that can be set.
        max_bytes: Size of the largest video that is taken.
        folder: A folder on the file's disk.
        action: The download in words, for error messages.

    Attributes:
        size: Bytes that are in the file.
        furthest: Most bytes that were ever in the file.
    """

    def __init__(self, file: BinaryIO, max_bytes: int, folder: Path, action: str) -> None:
        self._file = file
        self._action = action
        self._max_bytes = max_bytes
        self._folder = folder
        self.furthest = 0
        self.restart()

    def restart(self) -> None:
        """Remove the bytes that are there, since the next ones belong to another file."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self._total: int | None = None
        self._version: str | None = None
        self.size = 0

    def resume(self) -> Resume | None:
        """Return where the transfer broke off; None if no byte is there."""
        return Resume(self.size, self._total, self._version) if self.size else None

    def take(self, stream: ContentStream) -> None:
        """Write the bytes of a stream into the file.

        Raises:
            ContentCutError: The stream ended too early.
            ContentTooLargeError: The video is larger than allowed.
            StorageFullError: The disk has no room for it.
            VeoError: The stream has raised it.
        """
        if stream.offset != self.size:
            self.restart()
        self._total, self._version = stream.total, stream.version
        self._check_room()
        try:
            with _disk_full_errors(self._total):
                self._write(stream.chunks)
        finally:
            self.furthest = max(self.furthest, self.size)
        if self._total is not None and self.size != self._total:
            raise ContentCutError(f"{self._action}: {self.size} of {self._total} bytes arrived.")

    def check(self) -> Downloaded:
        """Check that the file is a whole video, and return its size and hash.

        Raises:
            ContentChangedError: It is not a whole video, so the transfer cannot continue from here.
        """
        try:
            self._file.flush()
            mp4.check_whole(self._file)
        except mp4.IncompleteError as error:
            raise ContentChangedError(f"{self._action}: the server's file is not a whole video: {error}.") from None
        return Downloaded(self.size, self._digest.hexdigest())

    def _write(self, chunks: Iterator[bytes]) -> None:
        write, update, size, most = self._file.write, self._digest.update, self.size, self._max_bytes
        try:
            for chunk in chunks:
                write(chunk)
                update(chunk)
                size += len(chunk)
                if size > most:
                    raise _make_too_large_error(f"more than {size}", most)
        finally:
            self.size = size

    def _check_room(self) -> None:
        if self._total is None:
            return
        if self._total > self._max_bytes:
            raise _make_too_large_error(str(self._total), self._max_bytes)
        free, needed = shutil.disk_usage(self._folder).free, self._total - self.size
        if needed > free:
            raise StorageFullError(f"The disk is too full for the video: {needed} bytes are needed, {free} are free.")


class DownloadRetries:
    """Decide whether and when a download is tried again, and explain why the file never came.

    Args:
        policy: Limits of the download: its time and its bytes.
        is_job: Whether each request asks the API where the file is. If False, there is only an address.
    """

    def __init__(self, policy: DownloadPolicy, *, is_job: bool = True) -> None:
        self._policy = policy
        self._is_job = is_job
        self._missing_since: float | None = None
        self._refusals: Counter[str] = Counter()
        self._gone = 0
        self._furthest = 0
        self._fruitless = 0
        self._attempts = 0

    def choose_pause(self, error: VeoError, furthest: int, now: float) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up.

        Args:
            error: Failure of the last attempt.
            furthest: Most bytes that were ever there.
            now: Seconds of a monotonic clock.
        """
        if isinstance(error, ContentGoneError):
            self._gone += 1  # one of several servers behind an address may not know the job yet
            return self._policy.retry_pause if self._is_job and self._gone < _TWICE else None
        if isinstance(error, (AddressRefusedError, ContentNotReadyError)):
            return self._pause_for_content(error, now)
        self._missing_since = None
        return self._pause_for_trouble(error, furthest) if _may_pass(error) else None

    def _pause_for_content(self, error: ContentError, now: float) -> float | None:
        self._missing_since = now if self._missing_since is None else self._missing_since
        is_final = now >= self._missing_since + self._policy.content_timeout
        if isinstance(error, AddressRefusedError):
            self._refusals[error.address] += 1
            is_final |= error.is_over and self._refusals[error.address] >= _TWICE
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

    def explain(self, error: VeoError, action: str) -> VeoError | None:
        """Return an error that says why the file never came; None if the last attempt's error says enough.

        Args:
            error: Failure of the last attempt.
            action: The download in words, for error messages.
        """
        if isinstance(error, AddressRefusedError):
            if not self._is_job:
                return _make_invalid_address_error(error)
            if self._refusals[error.address] >= _TWICE:
                why = str(error).removeprefix(f"{action}: ")
                return make_gone_error(action, f"The server names the same address again, which does not work. {why}")
        if isinstance(error, ContentNotReadyError) and isinstance(error.__cause__, VeoError) and not self._is_job:
            return explain_loss(error.__cause__, action, pendulum.now("UTC"))
        return None


def _may_pass(error: VeoError) -> bool:
    if isinstance(error, ApiError):
        return error.reason in (Reason.SERVER, Reason.RATE_LIMITED)
    return isinstance(error, (TransportError, ContentChangedError, ContentCutError))


def _make_invalid_address_error(error: AddressRefusedError) -> ContentGoneError:
    return ContentGoneError(
        f"{error} The address is not valid any more, or never was. Ask the API for a new one by the job's id: "
        "VeoDownloadOperator(video_id=...). Gateways keep a video for a day at most; to have another one made, clear "
        "the task that ordered it, which is charged again."
    )


@contextmanager
def _disk_full_errors(total: int | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_IS_FULL:
            size = "of unknown size" if total is None else f"of {total} bytes"
            raise StorageFullError(f"The disk has become full while a video {size} was written: {error}.") from error
        raise


def _make_too_large_error(size: str, most: int) -> ContentTooLargeError:
    return ContentTooLargeError(
        f"The video has {size} bytes, and max_bytes={most} allows no more. Raise max_bytes if the size is right."
    )
