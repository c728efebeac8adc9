"""A proof that somebody has held a file.

It is made of the file's bytes and size, and of no hash that results and asset events tell. So nobody can make it from
the file's path or SHA-256 alone.
"""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

_EDGE = 2**16  # bytes at either end; films differ in both: their sizes and positions of samples stand there


def proof_of(file: BinaryIO) -> str:
    """Return the proof of a file, in hexadecimal; it reads 128 KiB at most, however large the file is.

    Args:
        file: open for reading, and able to seek.
    """
    size = file.seek(0, os.SEEK_END)
    digest = hashlib.sha256(b"airflow-provider-veo: a task held this file\0%d\0" % size)
    for start in (0, max(0, size - _EDGE)):
        file.seek(start)
        digest.update(file.read(_EDGE))
    return digest.hexdigest()
