"""Objects in storages as targets. Their keys are plain text: no letter has a meaning for a URI or a pattern."""

from __future__ import annotations

import errno
import inspect
import logging
import mimetypes
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec import AbstractFileSystem

from airflow_provider_veo.api.errors import InvalidInputError, StorageError
from airflow_provider_veo.storage import azure, checksums
from airflow_provider_veo.storage.names import NameRule, quote_path
from airflow_provider_veo.storage.parts import make_hidden_name, temporary_part
from airflow_provider_veo.storage.targets import OTHER_WRITER, Target, check_size

if TYPE_CHECKING:
    from typing_extensions import Self

_ANY = "veo"  # a key in which no driver finds anything to interpret
_LONGEST_KEY = 1024  # bytes
_EXTRA_OF_SCHEME = {
    "s3": "s3",
    "s3a": "s3",
    "s3n": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "abfs": "azure",
    "abfss": "azure",
    "adl": "azure",
}
# Options of an upload that keep the memory small: by default a block has 50 MB, and S3's driver sends ten at once.
_SMALL_BLOCKS = {"chunksize": checksums.BLOCK, "max_concurrency": 2}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ObjectTarget(Target):
    """An object in a storage. `ObjectStoragePath` takes its text.

    Attributes:
        scheme: Scheme of its address, such as `s3`.
        conn_id: ID of the Airflow connection, or "".
        host: Bucket, container or machine.
        key: Path of the object there, without a slash at the beginning.
    """

    scheme: str
    conn_id: str
    host: str
    key: str

    @classmethod
    def of(cls, uri: str) -> Self:
        """Read a URI. Nothing in it is decoded."""
        scheme, _, rest = uri.partition("://")
        place, _, key = rest.partition("/")
        conn_id, _, host = place.rpartition("@")
        return cls(scheme.lower(), conn_id, host, key)

    def __str__(self) -> str:
        return self._address(self.key)

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        stem, dot, ending = self.name.rpartition(".")
        return dot + ending if stem and ending else ""

    @property
    def parts(self) -> list[str]:
        return self.key.split("/")

    @property
    def uri(self) -> str:
        return f"{self.scheme}://{self.host}/{quote_path(self.key)}"

    def with_parts(self, parts: Sequence[str]) -> Self:
        return replace(self, key="/".join(parts))

    def rule(self, argument: str) -> NameRule:
        return NameRule(self.scheme, _LONGEST_KEY, f"{self.scheme}://{self.host}", argument)

    @cached_property
    def fs(self) -> Any:
        """The storage's driver.

        Raises:
            Exception: There is no driver, or no such connection. Drivers raise exceptions of any class.
        """
        return self._root.fs

    @property
    def fs_path(self) -> str:
        """The path that the driver's functions take."""
        return f"{self._root.path.removesuffix(_ANY)}{self.key}"

    def is_literal(self) -> bool:
        """Return whether the driver, and Airflow's `ObjectStoragePath`, read the key as it is written.

        Some drivers give a meaning to a `#` or a `?`.
        """
        fs, path = self.fs, self.fs_path
        if not self.key:
            return True
        read = [fs._strip_protocol(path), fs._strip_protocol(ObjectStoragePath(str(self)).path)]  # noqa: SLF001
        if hasattr(fs, "split_path"):
            read.append("/".join(fs.split_path(path)[:2]))
        return all(one.lstrip("/") == path.lstrip("/") for one in read)

    def check_driver(self, what: str) -> None:
        try:
            is_literal = self.is_literal()  # a driver is loaded at its first use
        except Exception as error:  # storage drivers raise exceptions of any class
            raise InvalidInputError(
                f"{what} cannot be used: {type(error).__name__}: {error}. {_advice(self.scheme, error)}"
            ) from error
        if not is_literal:
            raise InvalidInputError(
                f"{what} cannot be used: the driver of {self.scheme}:// reads the name in another way. Leave "
                "out '#' and '?', and slashes that follow each other."
            )

    def read_kind(self) -> str | None:
        info = self._read_info()
        return None if info is None else str(info.get("type"))

    def check_writable(self) -> None:
        """Check nothing: only an upload shows whether the storage takes an object."""

    def open(self, **options: Any) -> BinaryIO:
        """Open the object for reading. Airflow records no lineage for this.

        Args:
            options: Options of the driver's `open`.

        Raises:
            Exception: The object cannot be opened. Drivers raise exceptions of any class.
        """
        return cast("BinaryIO", self.fs.open(self.fs_path, "rb", **options))

    @contextmanager
    def local_copy(self) -> Iterator[Path]:
        with self._create_part() as copy:
            self.fs.get_file(self.fs_path, str(copy))  # fsspec copies in blocks
            yield copy

    def publish(self, part: Path, *, replace: bool) -> None:
        self._upload(part, replace=replace)
        self._check_stored(part)

    def _part_folder(self) -> Path:
        return Path(tempfile.gettempdir())

    def _create_part(self) -> AbstractContextManager[Path]:
        return temporary_part(self._part_folder(), self.name, 0o600)

    def _read_info(self) -> dict[str, Any] | None:
        """Ask the storage, not the driver's cache, about the object or folder; None if there is neither."""
        self.fs.invalidate_cache()
        try:
            info: dict[str, Any] = self.fs.info(self.fs_path)
        except FileNotFoundError:
            return None
        return info

    def _check_stored(self, part: Path) -> None:
        """Ask the storage what it holds now. The bytes are read only if the storage's checksum differs."""
        try:
            info = self._read_info()
        except PermissionError as error:
            log.warning(
                "%s was uploaded. This worker may not ask the storage whether the object is there: %s", self, error
            )
            return
        if info is None:
            raise StorageError(f"The storage took the upload of {self} without an error, and has no such object")
        if info.get("size") is not None:
            check_size(self, info["size"], part.stat().st_size)
        if checksums.agrees(info, self.scheme, part) is False:
            with self.open() as stored:
                if checksums.hash_stream(stored.read) != checksums.hash_file(part):
                    raise StorageError(f"{self} holds other bytes than were stored. {OTHER_WRITER}")

    def _check_absent(self) -> None:
        if self.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self))

    def _upload(self, part: Path, *, replace: bool) -> None:
        if not replace:
            self._check_absent()
        if self.scheme in checksums.AZURE:
            azure.upload(part, self.fs, self.fs_path, self._media_type(), replace=replace)
        elif self.scheme not in checksums.S3 + checksums.GCS:
            self._put_and_move(part)
        elif replace:
            self._put(part)
        else:
            self._put_if_absent(part)

    def _put_and_move(self, part: Path) -> None:
        """Upload under a hidden name, then rename: readers of such a storage see a file while it arrives."""
        folder = self.fs_path.rpartition("/")[0]
        hidden = f"{folder}/{make_hidden_name(self.name)}"
        self.fs.makedirs(folder, exist_ok=True)
        try:
            self.fs.put_file(str(part), hidden)
            _move(self.fs, hidden, self.fs_path)
        except BaseException:
            with suppress(Exception):
                self.fs.rm_file(hidden)
            raise

    def _put_if_absent(self, part: Path) -> None:
        try:
            self._put(part, mode="create")
        except FileExistsError:
            raise
        except Exception:  # noqa: BLE001 - some S3-like stores refuse the condition, each with an error of its own
            self._check_absent()
            self._put(part)

    def _put(self, part: Path, **more: Any) -> None:
        """Upload by one request, or in blocks that become an object at the end."""
        wanted = {**_SMALL_BLOCKS, "content_type": self._media_type(), **more}
        # versions of drivers differ in the options that they know; the public function would take any option
        known = inspect.signature(self.fs._put_file).parameters  # noqa: SLF001
        options = {name: value for name, value in wanted.items() if name in known}
        if self.scheme in checksums.S3:
            options["ContentType"] = self._media_type()
        self.fs.put_file(str(part), self.fs_path, **options)

    def _media_type(self) -> str:
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    @cached_property
    def _root(self) -> ObjectStoragePath:
        return ObjectStoragePath(self._address(_ANY))

    def _address(self, key: str) -> str:
        return f"{self.scheme}://{f'{self.conn_id}@' if self.conn_id else ''}{self.host}/{key}"


def _move(fs: Any, source: str, target: str) -> None:
    """Rename an object if the driver can; else copy it. fsspec's own `mv` reads a name with brackets as a pattern."""
    if hasattr(fs, "mv_file"):
        fs.mv_file(source, target)
    elif type(fs).mv is not AbstractFileSystem.mv:
        fs.mv(source, target)
    else:
        fs.cp_file(source, target)
        fs.rm_file(source)


def _advice(scheme: str, error: Exception) -> str:
    if not isinstance(error, (ValueError, ImportError)):
        return f"Check the Airflow connection that it names ({scheme}://conn_id@...)."
    extra = _EXTRA_OF_SCHEME.get(scheme)
    install = f"pip install 'airflow-provider-veo[{extra}]'" if extra else "the Airflow provider of that storage"
    return f"The driver comes with {install}, on the workers."
