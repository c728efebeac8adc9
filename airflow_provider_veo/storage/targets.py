"""The base of all targets: a local file (`local.LocalTarget`) or an object in a storage (`objects.ObjectTarget`).

`destinations` decides which of the two a text means. All other code uses the methods of `Target`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_veo.api.errors import InvalidInputError, StorageError
from airflow_provider_veo.storage.errors import storage_errors, text_of
from airflow_provider_veo.storage.names import NameRule

if TYPE_CHECKING:
    from typing_extensions import Self

OTHER_WRITER = "Does another task write to the same destination?"


class Target(ABC):
    """The place of a file that exists or will exist. `str(target)` is a path or a URI, as results hold it.

    Attributes:
        name: Name of the file, without its folder.
        suffix: Ending of the name with its dot, such as `.mp4`, or "".
        parts: Names of the folders and of the file. A folder of a storage may have empty names.
        uri: The address under which assets and lineage know the file: in ASCII, and without an Airflow connection.
            Percent-decoded, its path is that of the file.
    """

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    @abstractmethod
    def suffix(self) -> str: ...

    @property
    @abstractmethod
    def parts(self) -> list[str]: ...

    @property
    @abstractmethod
    def uri(self) -> str: ...

    @abstractmethod
    def with_parts(self, parts: Sequence[str]) -> Self:
        """Return another target in the same storage.

        Args:
            parts: Names of its folders and of its file.
        """

    def sibling(self, name: str) -> Self:
        """Return the target with another name in the same folder."""
        return self.with_parts([*self.parts[:-1], name])

    def below(self, *names: str) -> Self:
        """Return a target in this folder. Each letter of the names stands for itself."""
        return self.with_parts([*(part for part in self.parts if part), *names])

    @abstractmethod
    def rule(self, argument: str) -> NameRule:
        """Return the rule for names in this storage.

        Args:
            argument: The argument that names the target, for error messages.
        """

    @abstractmethod
    def check_driver(self, what: str) -> None:
        """Check that the storage has a driver here, and that the driver reads the name as it is written.

        Args:
            what: The argument and its value, as the beginning of an error message.

        Raises:
            InvalidInputError: The target cannot be used.
        """

    @abstractmethod
    def read_kind(self) -> str | None:
        """Return "file", "directory" or another kind of thing that is there; None if there is nothing.

        Raises:
            Exception: The storage cannot be asked. Drivers raise exceptions of any class.
        """

    def exists(self) -> bool:
        """Return whether a file is there.

        Raises:
            InvalidInputError: A folder is there.
            Exception: The storage cannot be asked. Drivers raise exceptions of any class.
        """
        kind = self.read_kind()
        if kind == "directory":
            raise InvalidInputError(f"destination {self} is a folder. End it with '/' to store a file in it.")
        return kind is not None

    @abstractmethod
    def check_writable(self) -> None:
        """Check that a file can be made, where that can be known without making one.

        Raises:
            InvalidInputError: No file can be made.
        """

    @abstractmethod
    def open(self) -> BinaryIO:
        """Open the file for reading.

        Raises:
            Exception: The file cannot be opened. Drivers raise exceptions of any class.
        """

    @abstractmethod
    def local_copy(self) -> AbstractContextManager[Path]:
        """Yield a local file with the same content: the file itself, or a copy that is removed afterwards.

        Raises:
            Exception: The file cannot be read. Drivers raise exceptions of any class.
        """

    @contextmanager
    def staged(self, *, replace: bool = True) -> Iterator[Path]:
        """Yield an empty part file to fill, and publish it at the end of the block in one step.

        Readers see the whole file or nothing. If the block ends in an error, nothing stays. If the process is killed,
        its part file is removed when the next file is stored in the same folder.

        Args:
            replace: Whether a file that is there already is replaced.

        Raises:
            FileExistsError: A file is there, and `replace` is False.
            StorageError: The storage does not take the file.
        """
        with ExitStack() as stack:
            with storage_errors(f"No file can be made in {self._part_folder()}"):
                part = stack.enter_context(self._create_part())
            yield part
            try:
                with storage_errors(f"{self} cannot be written", allowed=() if replace else (FileExistsError,)):
                    self.publish(part, replace=replace)
            except InvalidInputError as error:  # a folder has appeared there, for which the arguments are not to blame
                raise StorageError(f"{self} cannot be written: {text_of(error)}.") from error

    @abstractmethod
    def publish(self, part: Path, *, replace: bool) -> None:
        """Let a file appear at the target in one step, and check that it is there.

        Args:
            part: The file. For a local target it is in the same folder. Afterwards it may have another name.
            replace: Whether a file that is there already is replaced.

        Raises:
            FileExistsError: A file is there, and `replace` is False.
            StorageError: Another file is there afterwards.
            Exception: The storage does not take the file. Drivers raise exceptions of any class.
        """

    @abstractmethod
    def _part_folder(self) -> Path:
        """Return the local folder for the part file."""

    @abstractmethod
    def _create_part(self) -> AbstractContextManager[Path]:
        """Yield an empty part file, which is removed at the end of the block unless it was published."""


def check_size(target: Target, found: int, wanted: int) -> None:
    """Check the size of a published file.

    Args:
        target: The target of the file.
        found: Bytes that the storage has.
        wanted: Bytes that were stored.

    Raises:
        StorageError: The sizes differ.
    """
    if found != wanted:
        raise StorageError(f"{target} has {found} bytes, and {wanted} were stored. {OTHER_WRITER}")
