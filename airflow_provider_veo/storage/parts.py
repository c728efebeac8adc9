"""Part files that are locked by their process, so that the ones of killed processes can be found and removed."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airflow_provider_veo.storage.names import PART_SUFFIX


def make_hidden_name(name: str) -> str:
    """Return a unique name for the part file of a file.

    Args:
        name: Name of the complete file.
    """
    # file systems take 255 bytes, and a letter may have four
    return f".{name[:40]}.{secrets.token_hex(8)}{PART_SUFFIX}"


@contextmanager
def temporary_part(folder: Path, name: str, mode: int) -> Iterator[Path]:
    """Yield a new, empty, locked file, which is removed at the end of the block.

    A lock ends with its process. So a part file without a lock is one that a killed process has left.

    Args:
        folder: The folder of the part file.
        name: Name of the complete file.
        mode: Access rights of the part file, before the umask.
    """
    _remove_abandoned_parts(folder)
    descriptor, part = _create_locked_file(folder, name, mode)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        os.close(descriptor)


def _create_locked_file(folder: Path, name: str, mode: int) -> tuple[int, Path]:
    while True:
        part = folder / make_hidden_name(name)
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with suppress(OSError):  # some network file systems have no locks; there no part file is ever removed
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if part.exists():  # no other process has removed it between the two calls
            return descriptor, part
        os.close(descriptor)


def _remove_abandoned_parts(folder: Path) -> None:
    for entry in os.scandir(folder):
        if entry.name.endswith(PART_SUFFIX):
            with suppress(OSError):  # it is in use, or already removed, or belongs to another user
                descriptor = os.open(entry.path, os.O_RDWR)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    Path(entry.path).unlink()
                finally:
                    os.close(descriptor)
