"""Local files as targets."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage.names import NameRule, quote_path
from airflow_provider_veo.storage.parts import temporary_part
from airflow_provider_veo.storage.targets import Target, check_size

if TYPE_CHECKING:
    from typing_extensions import Self

_LONGEST_PATH = 4095 - 255  # bytes: the limit of Linux, less the room for the name of a part file in the same folder
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
# raised by file systems that cannot sync a folder, and for folders that may be written to and not be opened
_NO_SYNC = (errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class LocalTarget(Target):
    """A local file.

    Attributes:
        path: Path of the local file.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def suffix(self) -> str:
        return self.path.suffix

    @property
    def parts(self) -> list[str]:
        return list(self.path.parts[1:])

    @property
    def uri(self) -> str:
        return f"file://{quote_path(str(self.path.absolute()))}"

    def with_parts(self, parts: Sequence[str]) -> Self:
        return type(self)(Path("/", *parts))

    def rule(self, argument: str) -> NameRule:
        return NameRule("", _LONGEST_PATH, "file://", argument)

    def check_driver(self, what: str) -> None:
        """Check nothing: local files have no driver."""

    def read_kind(self) -> str | None:
        if self.path.is_file():
            return "file"
        if self.path.is_dir():
            return "directory"
        return "other" if self.path.exists() else None

    def check_writable(self) -> None:
        # os.path, since methods of Path raise an error where a folder may not be looked into
        if os.path.isdir(self.path):  # noqa: PTH112
            raise InvalidInputError(f"destination {self} is a folder. End it with '/' to store a file in it.")
        folder = next(parent for parent in self.path.absolute().parents if os.path.exists(parent))  # noqa: PTH110
        if not folder.is_dir():
            raise InvalidInputError(f"destination {self} cannot be written: {folder} is a file.")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InvalidInputError(f"destination {self} cannot be written: this worker may not write to {folder}.")

    def open(self) -> BinaryIO:
        return self.path.open("rb")

    @contextmanager
    def local_copy(self) -> Iterator[Path]:
        yield self.path

    def publish(self, part: Path, *, replace: bool) -> None:
        with part.open("rb") as file:
            os.fsync(file.fileno())
            size = os.fstat(file.fileno()).st_size
        if replace:
            part.replace(self.path)
        else:
            self._link(part)
        _sync_folder(self.path.parent)
        check_size(self, self.path.stat().st_size, size)

    def _part_folder(self) -> Path:
        return self.path.parent  # on the same file system

    @contextmanager
    def _create_part(self) -> Iterator[Path]:
        self._part_folder().mkdir(parents=True, exist_ok=True)
        with temporary_part(self._part_folder(), self.name, 0o666) as part:
            yield part

    def _link(self, part: Path) -> None:
        """Publish a part file, if nothing is at the target."""
        try:
            os.link(part, self.path)  # which fails if a file is there; a rename does not
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if self.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self)) from None
            part.replace(self.path)


def _sync_folder(folder: Path) -> None:
    """Make the new name of a file survive a loss of power."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
