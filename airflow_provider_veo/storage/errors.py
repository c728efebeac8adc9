"""What can go wrong when something is to be stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_veo.api.errors import VeoError

if TYPE_CHECKING:
    from airflow_provider_veo.storage.files import StoredVideo


class StorageError(VeoError):
    """A file could not be stored, and that is the storage's fault: rights, a full disk, a driver that fails.

    Attributes:
        video_id: of the video; None where it is not known, or where the file is no video.
        kept: the video in `[veo] salvage`; None where it is not there.
    """

    def __init__(self, message: str, *, video_id: str | None = None, kept: StoredVideo | None = None) -> None:
        self.video_id = video_id
        self.kept = kept
        super().__init__(message)


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Let whatever a file system or a storage's driver raises be an error of this package.

    Args:
        what: failed, as the beginning of a sentence that names the path.

    Raises:
        StorageError: in place of an exception that is no `VeoError` and no `FileExistsError`.
    """
    try:
        yield
    except (VeoError, FileExistsError):
        raise
    except Exception as error:  # drivers raise whatever they like
        raise StorageError(f"{what}: {words_of(error)}.") from error


def words_of(error: Exception) -> str:
    """Return how an error is told within a sentence."""
    told = str(error) if isinstance(error, VeoError) else f"{type(error).__name__}: {error}"
    return told.strip().rstrip(".")
