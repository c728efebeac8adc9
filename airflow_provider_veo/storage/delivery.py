"""Deliver one video from its server to its target, or find it there."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from airflow_provider_veo.api.content.download import Download, Downloaded
from airflow_provider_veo.api.errors import InvalidInputError, StorageError, VeoError
from airflow_provider_veo.storage.destinations import read_target
from airflow_provider_veo.storage.errors import storage_errors, text_of
from airflow_provider_veo.storage.files import (
    StoredVideo,
    copy_open_video,
    copy_video,
    describe_stored,
    disk_errors,
    find_stored,
)
from airflow_provider_veo.storage.targets import Target

IfExists = Literal["skip", "overwrite", "fail"]
IF_EXISTS: tuple[IfExists, ...] = get_args(IfExists)

_ONLY_ON_SERVER = (
    "The video is on its server only, which deletes it within a day: make the destination writable in time."
)
_NEXT_TRY = (
    "Make the destination writable, or make room on its disk. The next try takes the video from there and does not ask "
    "the server."
)


def deliver(
    download: Download, target: Target, salvage: Target | None, *, if_exists: IfExists, sha256: str | None
) -> StoredVideo:
    """Store a video, unless it is at its target already.

    If an earlier try has put the video into the salvage folder, it is taken from there.

    Args:
        download: The download of the video.
        target: Target that is to take the video.
        salvage: Target in the salvage folder, for a video that `target` does not take; None without a salvage folder.
        if_exists: Treatment of a file that is at the target already: `skip`, `overwrite` or `fail`.
        sha256: SHA-256 of the video in hexadecimal, or None if it is not known.

    Raises:
        InvalidInputError: The file that is at the target is another one, or `if_exists` is "fail".
        StorageError: The target does not take the video. It is in the salvage folder now, if that takes it.
        VeoError: The video cannot be downloaded, see `Download.into`.
    """
    if if_exists not in IF_EXISTS:
        raise InvalidInputError(f"if_exists is {if_exists!r}; it must be one of {IF_EXISTS}.")
    saved: StoredVideo | None = None
    original: BinaryIO | None = None
    with ExitStack() as files:
        try:
            if present := _find_present(download, target, if_exists, sha256):
                return present
            saved = _find_saved(download, salvage, sha256)
            try:
                with target.staged(replace=if_exists == "overwrite") as part:
                    content = copy_video(read_target(saved.path), part) if saved else _download(download, part)
                    # opened before it is published, since it has another name afterwards
                    original = files.enter_context(part.open("rb"))
                    stored = describe_stored(target, content, original)
            except FileExistsError as error:  # another task was faster
                if present := _find_present(download, target, if_exists, sha256):
                    return present
                raise StorageError(f"{target} cannot be written: {text_of(error)}.") from error
        except StorageError as error:
            raise _rescue(error, download, target, salvage, saved, original) from error
    download.log.info("Stored %s: %d bytes, sha256 %s", stored.path, stored.bytes, stored.sha256)
    return stored


def find_unchanged(place: Target, size: int, sha256: str, target: Target) -> StoredVideo | None:
    """Return a video that an earlier try has stored; None if it is not there, or has changed.

    Args:
        place: Target at which the video was stored.
        size: Size of the video, in bytes.
        sha256: SHA-256 of the video, in hexadecimal.
        target: Target at which the video is wanted now. The video is copied there if this is another target.

    Raises:
        VeoError: The storage does not show whether the video is there.
        StorageError: The video is there, and cannot be copied.
    """
    try:
        present = find_stored(place)
    except InvalidInputError:  # another file is there now
        return None
    except Exception as error:  # storage drivers raise exceptions of any class
        raise VeoError(
            f"An earlier try has stored the video at {place}, which cannot be read now, so nothing was ordered: "
            f"{type(error).__name__}: {error}. Correct this, then retry or clear the task. If that storage is gone for "
            "good, set on_clear='new' and clear the task: it then orders another video, which is charged again."
        ) from error
    if present is None or (present.bytes, present.sha256) != (size, sha256):
        return None
    if str(target) == str(place):
        return present
    try:
        with target.staged() as part:
            content = copy_video(place, part)
            with part.open("rb") as copy:
                return describe_stored(target, content, copy)
    except VeoError as error:
        raise StorageError(
            f"An earlier try has stored the video at {place}, and it could not be copied to {target}: "
            f"{text_of(error)}. Nothing was ordered. {_NEXT_TRY}",
            kept=present,
        ) from error


def _find_present(download: Download, target: Target, if_exists: IfExists, sha256: str | None) -> StoredVideo | None:
    """Return the video at the target, if it is to be kept; None if the video is to be stored.

    Raises:
        InvalidInputError: The file there is another one, or `if_exists` is "fail".
        StorageError: The storage cannot be asked.
    """
    with storage_errors(f"It cannot be found out whether {target} exists"):
        if if_exists == "overwrite" or not target.exists():
            return None
        if if_exists == "fail":
            raise InvalidInputError(f"destination {target} exists already, and if_exists is 'fail'.")
        present = find_stored(target)
    if present:
        length = download.ask_length()
        if length not in (None, present.bytes) or sha256 not in (None, present.sha256):
            wanted = f"{length or 'an unknown number of'} bytes" + (f", sha256 {sha256}" if sha256 else "")
            raise InvalidInputError(
                f"destination {target} exists already and is another video: {present.bytes} bytes, sha256 "
                f"{present.sha256}; this one has {wanted}. Write {{video_id}} into the destination, or let "
                "if_exists='overwrite' replace it."
            )
        download.log.info("%s exists already (%d bytes); not downloaded again", present.path, present.bytes)
    return present


def _find_saved(download: Download, salvage: Target | None, sha256: str | None) -> StoredVideo | None:
    """Return the video that an earlier try has put into the salvage folder; None if there is none."""
    if salvage is None:
        return None
    try:
        found = find_stored(salvage)
    except Exception as error:  # noqa: BLE001 - the server still has the video
        download.log.warning("%s cannot be read, so the server is asked for the video. %s", salvage, text_of(error))
        return None
    if found is None or sha256 not in (None, found.sha256):
        return None
    download.log.info("The video is taken from %s, where an earlier try has put it", found.path)
    return found


def _download(download: Download, part: Path) -> Downloaded:
    with disk_errors(part):
        return download.into(part)


def _rescue(
    error: StorageError,
    download: Download,
    target: Target,
    salvage: Target | None,
    saved: StoredVideo | None,
    original: BinaryIO | None,
) -> StorageError:
    """Put the video into the salvage folder, unless it is there, and return the error to raise.

    Args:
        error: Reason why the target does not take the video.
        download: The download of the video.
        target: Target that should have taken the video.
        salvage: Target in the salvage folder, or None.
        saved: The video in the salvage folder, if an earlier try has put it there.
        original: A file with the whole video, or None if there is none yet.
    """
    video = f"Video {download.video_id}" if download.video_id else "The video"
    text = f"{video} could not be stored at {target}: {text_of(error)}."
    kind = type(error)
    try:
        kept = saved or (_save(download, salvage, original) if salvage else None)
    except Exception as failure:  # noqa: BLE001 - the first error is the one that matters
        text = f"{text} Nor could it be kept in [veo] salvage, at {salvage}: {text_of(failure)}."
        return kind(f"{text} {_ONLY_ON_SERVER}", video_id=download.video_id)
    if kept is None:
        text = f"{text} {_ONLY_ON_SERVER} Set [veo] salvage, or [veo] storage, and such videos are kept there."
        return kind(text, video_id=download.video_id)
    text = f"{text} It is safe at {kept.path} ({kept.bytes} bytes). {_NEXT_TRY}"
    return kind(text, video_id=download.video_id, kept=kept)


def _save(download: Download, salvage: Target, original: BinaryIO | None) -> StoredVideo:
    with salvage.staged() as part, disk_errors(part):
        content = copy_open_video(original, part) if original else download.into(part)
        with part.open("rb") as file:
            return describe_stored(salvage, content, file)
