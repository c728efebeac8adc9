"""Read the `Range` header of a request (RFC 9110, section 14)."""

from __future__ import annotations

import re


class UnsatisfiableError(ValueError):
    """No byte of the file is in the range."""


def parse_range(header: str | None, size: int) -> range | None:
    """Return the bytes that a `Range` header asks for; None for all of them.

    A header that cannot be understood, or asks for several ranges, is ignored, as the RFC allows.

    Args:
        header: Value of the header, for example `bytes=0-99` or `bytes=-500`; None if there is none.
        size: Size of the file in bytes.

    Raises:
        UnsatisfiableError: The range begins behind the end of the file.
    """
    match = re.fullmatch(r"bytes=(\d{0,20})-(\d{0,20})", header.strip()) if header else None
    if not match or not (match[1] or match[2]):
        return None
    if not match[1]:
        wanted = range(max(0, size - int(match[2])), size)
    else:
        first, last = int(match[1]), int(match[2]) if match[2] else size - 1
        if match[2] and last < first:
            return None
        wanted = range(first, min(last + 1, size))
    if not wanted:
        raise UnsatisfiableError(header)
    return wanted
