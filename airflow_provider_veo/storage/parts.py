"""Temporary files that go with their process: what a killed one leaves is told from what a living one writes."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airflow_provider_veo.storage.names import PART_SUFFIX


def hidden_name(name: str) -> str:
    """Return a name for what is to become a file of that name, which nobody else has."""
    # file systems take 255 bytes, and a letter may have four
    return f".{name[:40]}.{secrets.token_hex(8)}{PART_SUFFIX}"


@contextmanager
def temporary_part(folder: Path, name: str, mode: int) -> Iterator[Path]:
    """Yield a new empty file, which is locked and goes at the end of the block.

    The lock tells a file in use from what a killed process has left: a lock ends with its process.
    """
    _sweep(folder)
    descriptor, part = _locked_file(folder, name, mode)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        os.close(descriptor)


def _locked_file(folder: Path, name: str, mode: int) -> tuple[int, Path]:
    while True:
        part = folder / hidden_name(name)
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with suppress(OSError):  # some network file systems know no locks; nothing is swept there
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if part.exists():  # nobody has swept it between the two calls
            return descriptor, part
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove the parts that no living process holds."""
    for entry in os.scandir(folder):
        if entry.name.endswith(PART_SUFFIX):
            with suppress(OSError):  # it is in use, or gone, or somebody else's
                descriptor = os.open(entry.path, os.O_RDWR)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    Path(entry.path).unlink()
                finally:
                    os.close(descriptor)
