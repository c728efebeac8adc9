"""MP4 files by hand: boxes, and a small film of zeros whose index points to where its samples are."""

from __future__ import annotations

import struct


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def large_box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


FTYP = box(b"ftyp", b"isom", numbers(0x200), b"isommp41")


def track(offsets, sizes, per_chunk, *, wide=False, same_size=0, handler=b"vide", number=1) -> bytes:
    """Return a track whose chunks lie at `offsets`; `per_chunk` holds (first chunk from 1, samples in each)."""
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


def track_of(tables: bytes, *, handler=b"vide", number=1) -> bytes:
    """Return a track with these sample tables."""
    kind = box(b"hdlr", numbers(0, 0), handler, bytes(13))
    return box(b"trak", box(b"tkhd", numbers(7, 0, 0, number)), box(b"mdia", kind, box(b"minf", tables)))


def moov(*tracks: bytes) -> bytes:
    return box(b"moov", box(b"mvhd", bytes(100)), *tracks)


def film(media: bytes = bytes(1000)) -> bytes:
    """Return a whole film with the index at its end: a picture, and sound that ends with the media."""
    start = len(FTYP) + 8
    first = track([start], [100, 200], [(1, 2)])
    second = track(
        [start + 300, start + 500], [100, 100, len(media) - 500], [(1, 2), (2, 1)], handler=b"soun", number=2
    )
    return FTYP + box(b"mdat", media) + moov(first, second)
