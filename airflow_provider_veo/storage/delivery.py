"""One video from its server to its place, or the one that is there already."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from airflow_provider_veo.api.content.download import Downloaded, DownloadPolicy, FreeSpace, Source, download
from airflow_provider_veo.api.errors import InvalidInputError, StorageError, VeoError
from airflow_provider_veo.storage.errors import storage_errors, words_of
from airflow_provider_veo.storage.files import (
    Fetched,
    StoredVideo,
    copying,
    existing,
    fetched_into,
    part_for,
    published,
    staged,
    store,
)
from airflow_provider_veo.storage.places import Target, place_of
from airflow_provider_veo.storage.publishing import exists

IfExists = Literal["skip", "overwrite", "fail"]
IF_EXISTS: tuple[IfExists, ...] = get_args(IfExists)


def unchanged(place: Target, size: int, sha256: str, target: Target) -> StoredVideo | None:
    """Return a video that was stored earlier, or None if it is not there as it was.

    Args:
        place: where it was stored.
        size: of the file, in bytes.
        sha256: of the file, in hexadecimal.
        target: where it is wanted now; it is copied if that is another place.

    Raises:
        VeoError: nobody can tell whether it is there.
    """
    try:
        present = existing(place)
    except InvalidInputError:  # something else is there by now
        return None
    except Exception as error:  # storage drivers raise whatever they like
        raise VeoError(
            f"An earlier try has stored the video at {place}, which cannot be read now, so nothing was ordered: "
            f"{type(error).__name__}: {error}. Mend that, then retry or clear the task. If that storage is gone for "
            "good, delete the key veo_submission of the task's state store first: the next try then orders another "
            "video, which is charged again."
        ) from error
    if present is None or (present.bytes, present.sha256) != (size, sha256):
        return None
    if str(target) == str(place):
        return present
    try:
        return store(target, copying(place), replace=True)
    except VeoError as error:
        raise StorageError(
            f"An earlier try has stored the video at {place}, and it could not be copied to {target}: "
            f"{words_of(error)}. Nothing was ordered. {_THEN}",
            kept=present,
        ) from error


_AT_ITS_SERVER = "It is at its server only, which forgets it within a day: make the destination writable in time."
_THEN = (
    "Make the destination writable, or make room on its disk: the next try takes it from there, and its server is not "
    "asked."
)


@dataclass(frozen=True)
class Delivery:
    """A video and where it goes.

    Attributes:
        source: where it comes from.
        target: where it goes.
        salvage: where it goes if the target does not take it, and where an earlier try may have put it; or None.
        video_id: of the job, where it is known.
        policy: how long to try, and how much to take.
        log: a logger.
    """

    source: Source
    target: Target
    salvage: Target | None
    video_id: str | None
    policy: DownloadPolicy
    log: Any

    def deliver(self, if_exists: IfExists, sha256: str | None) -> StoredVideo:
        """Store the video, unless it is there.

        Args:
            if_exists: what to do about a file that is there already.
            sha256: hash of the video, in hexadecimal, where it is known.

        Raises:
            StorageError: the destination does not take it; it is in salvage then, if that takes it.
            VeoError: as `VeoHook.download_video`.
        """
        if if_exists not in IF_EXISTS:
            raise InvalidInputError(f"if_exists is {if_exists!r}; it must be one of {IF_EXISTS}.")
        saved, fill = None, partial(fetched_into, fetch=self._download)
        with ExitStack() as parts:
            try:
                if kept := self._kept(if_exists, sha256):
                    return kept
                saved = self._in_salvage(sha256)
                part = parts.enter_context(part_for(self.target))
                fetched = fetched_into(part, copying(place_of(saved.path)) if saved else self._download)
                # held open, since a part that was published has another name
                fill = partial(_duplicated, parts.enter_context(part.open("rb")), fetched)
                if kept := self._published(part, if_exists, sha256):
                    return kept
            except StorageError as error:
                raise self._rescued(error, saved, fill) from error
        stored = fetched.stored_at(self.target)
        self.log.info("Stored %s: %d bytes, sha256 %s", stored.path, stored.bytes, stored.sha256)
        return stored

    def _published(self, part: Path, if_exists: IfExists, sha256: str | None) -> StoredVideo | None:
        """Publish a part; return what somebody else has published meanwhile, if that is what is wanted."""
        try:
            published(part, self.target, replace=if_exists == "overwrite")
        except FileExistsError as error:
            if kept := self._kept(if_exists, sha256):
                return kept
            raise StorageError(f"{self.target} cannot be written: {words_of(error)}.") from error
        return None

    def _download(self, file: BinaryIO, free_space: FreeSpace) -> Downloaded:
        return download(self.source, file, self.policy, free_space, self.log.info)

    def _in_salvage(self, sha256: str | None) -> StoredVideo | None:
        """Return the video that an earlier try has put into salvage, whole; None if there is none."""
        if self.salvage is None:
            return None
        try:
            found = existing(self.salvage)
        except Exception as error:  # noqa: BLE001 - it is a second way only
            self.log.warning("%s cannot be read, so the server is asked. %s", self.salvage, words_of(error))
            return None
        if found is None or sha256 not in (None, found.sha256):
            return None
        self.log.info("The video is taken from %s, where an earlier try has put it", found.path)
        return found

    def _rescued(
        self, trouble: StorageError, saved: StoredVideo | None, fill: Callable[[Path], Fetched]
    ) -> StorageError:
        """Put the video into salvage, unless it is there, and return the error to raise.

        Args:
            trouble: with the destination.
            saved: the video in salvage.
            fill: brings the video into a part.
        """
        kind, video = type(trouble), f"Video {self.video_id}" if self.video_id else "The video"
        told = f"{video} could not be stored at {self.target}: {words_of(trouble)}."
        try:
            kept = saved or self._saved(fill)
        except Exception as error:  # noqa: BLE001 - the first error is the one that matters
            told = f"{told} Nor could it be kept in [veo] salvage, at {self.salvage}: {words_of(error)}."
            return kind(f"{told} {_AT_ITS_SERVER}", video_id=self.video_id)
        if kept is None:
            told = f"{told} {_AT_ITS_SERVER} Set [veo] salvage, or [veo] storage, and such videos are kept there."
            return kind(told, video_id=self.video_id)
        told = f"{told} It is safe at {kept.path} ({kept.bytes} bytes). {_THEN}"
        return kind(told, video_id=self.video_id, kept=kept)

    def _saved(self, fill: Callable[[Path], Fetched]) -> StoredVideo | None:
        if self.salvage is None:
            return None
        with staged(self.salvage) as part:
            fetched = fill(part)
        return fetched.stored_at(self.salvage)

    def _kept(self, if_exists: IfExists, sha256: str | None) -> StoredVideo | None:
        """Return what is there already, if that is what is wanted; None if the video is to be fetched."""
        with storage_errors(f"Nobody can tell whether {self.target} is there"):
            if if_exists == "overwrite" or not exists(self.target):
                return None
            if if_exists == "fail":
                raise InvalidInputError(f"destination {self.target} exists already, and if_exists is 'fail'.")
            present = existing(self.target)
        if present:
            self._check_same(present, sha256)
            self.log.info("%s exists already (%d bytes); not downloaded again", present.path, present.bytes)
        return present

    def _check_same(self, present: StoredVideo, sha256: str | None) -> None:
        length = self._length()
        if length in (None, present.bytes) and sha256 in (None, present.sha256):
            return
        wanted = f"{length or 'an unknown number of'} bytes" + (f", sha256 {sha256}" if sha256 else "")
        raise InvalidInputError(
            f"destination {self.target} exists already and is another video: {present.bytes} bytes, sha256 "
            f"{present.sha256}; this one has {wanted}. Write {{video_id}} into the destination, or let "
            "if_exists='overwrite' replace it."
        )

    def _length(self) -> int | None:
        """Return the size of the video as its server names it, or None: it may have forgotten the video by now."""
        try:
            with self.source.open(None) as stream:
                return stream.total
        except VeoError:
            return None


def _duplicated(original: BinaryIO, fetched: Fetched, copy: Path) -> Fetched:
    original.seek(0)
    with copy.open("wb") as file:
        shutil.copyfileobj(original, file)
    return fetched
