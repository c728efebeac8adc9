"""A proof that a task has held a file.

The proof is made from the bytes and the size of the file, not from the hash that results and asset events show. So a
person who knows the path and the SHA-256 cannot make the proof.
"""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

_EDGE = (
    2**16
)  # bytes at either end. Two videos differ there: the sizes and positions of their samples are stored there.


def make_proof(file: BinaryIO) -> str:
    """Return the proof of a file, in hexadecimal. It reads at most 128 KiB.

    Args:
        file: The file, open for reading, with a position that can be set.
    """
    size = file.seek(0, os.SEEK_END)
    digest = hashlib.sha256(b"airflow-provider-veo: a task held this file\0%d\0" % size)
    for start in (0, max(0, size - _EDGE)):
        file.seek(start)
        digest.update(file.read(_EDGE))
    return digest.hexdigest()
