"""An object in a storage, whose key is text: no letter of it means anything to a URI or to a pattern."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

_ANY = "veo"  # a key in which no driver finds anything to interpret


@dataclass(frozen=True)
class ObjectPlace:
    """Where an object is, or will be. `ObjectStoragePath` takes its text.

    Attributes:
        scheme: of its address.
        conn_id: the Airflow connection; "" where none is named.
        host: bucket, container or machine.
        key: its path there, without a slash at the beginning.
    """

    scheme: str
    conn_id: str
    host: str
    key: str

    @classmethod
    def of(cls, uri: str) -> ObjectPlace:
        """Read an address; nothing in it is decoded."""
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

    @cached_property
    def fs(self) -> Any:
        """The storage's driver.

        Raises:
            Exception: there is none, or no such connection: drivers raise whatever they like.
        """
        return self._root.fs

    @property
    def path(self) -> str:
        """The path that the driver's functions take."""
        return f"{self._root.path.removesuffix(_ANY)}{self.key}"

    def with_key(self, key: str) -> ObjectPlace:
        """Return the place of another object in the same storage."""
        return replace(self, key=key)

    def is_literal(self) -> bool:
        """Whether the driver, and Airflow's `ObjectStoragePath`, read the key as it is written.

        Some take what follows a `#` or a `?` for something else.
        """
        fs, path = self.fs, self.path
        if not self.key:
            return True
        read = [fs._strip_protocol(path), fs._strip_protocol(ObjectStoragePath(str(self)).path)]  # noqa: SLF001
        if hasattr(fs, "split_path"):
            read.append("/".join(fs.split_path(path)[:2]))
        return all(one.lstrip("/") == path.lstrip("/") for one in read)

    def info(self) -> dict[str, Any] | None:
        """Ask the storage, not the driver's memory of it, about the object or folder; None if there is neither."""
        self.fs.invalidate_cache()
        try:
            told: dict[str, Any] = self.fs.info(self.path)
        except FileNotFoundError:
            return None
        return told

    def open(self, **options: Any) -> Any:
        """Open it for reading; Airflow notes no lineage for that."""
        return self.fs.open(self.path, "rb", **options)

    @cached_property
    def _root(self) -> ObjectStoragePath:
        return ObjectStoragePath(self._address(_ANY))

    def _address(self, key: str) -> str:
        return f"{self.scheme}://{f'{self.conn_id}@' if self.conn_id else ''}{self.host}/{key}"
