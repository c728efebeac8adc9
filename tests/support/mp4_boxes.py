"""MP4 files made of single boxes, and a small video of zeros whose index points to its samples."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def large_box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


FTYP = box(b"ftyp", b"isom", numbers(0x200), b"isommp41")


def track(
    offsets: Sequence[int],
    sizes: Sequence[int],
    per_chunk: Sequence[tuple[int, int]],
    *,
    wide: bool = False,
    same_size: int = 0,
    handler: bytes = b"vide",
    number: int = 1,
) -> bytes:
    """Return a track.

    Args:
        offsets: Positions of the chunks in the file.
        sizes: Sizes of the samples in bytes.
        per_chunk: Runs of equal chunks: number of the first chunk (from 1), and samples in each chunk.
        wide: Write positions of 64 bits.
        same_size: Size of all samples; 0 if `sizes` holds them one by one.
        handler: Type of the track: `vide` or `soun`.
        number: Number of the track.
    """
    width = "Q" if wide else "I"
    chunks = numbers(0, len(offsets)) + struct.pack(f">{len(offsets)}{width}", *offsets)
    runs = [number for first, count in per_chunk for number in (first, count, 1)]
    table = box(
        b"stbl",
        box(b"stsd", numbers(0, 0)),
        box(b"stsc", numbers(0, len(per_chunk), *runs)),
        box(b"stsz", numbers(0, same_size, len(sizes), *([] if same_size else sizes))),
        box(b"co64" if wide else b"stco", chunks),
    )
    return track_of(table, handler=handler, number=number)


def track_of(tables: bytes, *, handler: bytes = b"vide", number: int = 1) -> bytes:
    """Return a track with these sample tables."""
    kind = box(b"hdlr", numbers(0, 0), handler, bytes(13))
    return box(b"trak", box(b"tkhd", numbers(7, 0, 0, number)), box(b"mdia", kind, box(b"minf", tables)))


def moov(*tracks: bytes) -> bytes:
    return box(b"moov", box(b"mvhd", bytes(100)), *tracks)


def make_video(media: bytes = bytes(1000)) -> bytes:
    """Return a complete video with its index at the end: a picture, and sound that ends with the media."""
    start = len(FTYP) + 8
    first = track([start], [100, 200], [(1, 2)])
    second = track(
        [start + 300, start + 500], [100, 100, len(media) - 500], [(1, 2), (2, 1)], handler=b"soun", number=2
    )
    return FTYP + box(b"mdat", media) + moov(first, second)
