"""One video from its server to its place, or the one that is there already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, get_args

from airflow_provider_veo.api.download import Downloaded, DownloadPolicy, FreeSpace, Source, download
from airflow_provider_veo.api.errors import InvalidInputError, VeoError
from airflow_provider_veo.storage.files import StoredVideo, copy, existing, store
from airflow_provider_veo.storage.places import Target
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
            f"{type(error).__name__}: {error}"
        ) from error
    if present is None or (present.bytes, present.sha256) != (size, sha256):
        return None
    return present if str(target) == str(place) else copy(place, target)


@dataclass(frozen=True)
class Delivery:
    """A video and where it goes.

    Attributes:
        source: where it comes from.
        target: where it goes.
        policy: how long to try, and how much to take.
        log: a logger.
    """

    source: Source
    target: Target
    policy: DownloadPolicy
    log: Any

    def deliver(self, if_exists: IfExists, sha256: str | None) -> StoredVideo:
        """Store the video, unless it is there.

        Args:
            if_exists: what to do about a file that is there already.
            sha256: hash of the video, in hexadecimal, where it is known.

        Raises:
            VeoError: as `VeoHook.download_video`.
        """
        if if_exists not in IF_EXISTS:
            raise InvalidInputError(f"if_exists is {if_exists!r}; it must be one of {IF_EXISTS}.")
        try:
            return self._kept(if_exists, sha256) or self._stored(replace=if_exists == "overwrite")
        except FileExistsError:  # somebody else was faster
            if kept := self._kept(if_exists, sha256):
                return kept
            raise

    def _stored(self, *, replace: bool) -> StoredVideo:
        def fetch(file: BinaryIO, free_space: FreeSpace) -> Downloaded:
            return download(self.source, file, self.policy, free_space, self.log.info)

        stored = store(self.target, fetch, replace=replace)
        self.log.info("Stored %s: %d bytes, sha256 %s", stored.path, stored.bytes, stored.sha256)
        return stored

    def _kept(self, if_exists: IfExists, sha256: str | None) -> StoredVideo | None:
        """Return what is there already, if that is what is wanted; None if the video is to be fetched."""
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
