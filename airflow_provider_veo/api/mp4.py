"""Whether an MP4 or QuickTime file is whole, by its boxes (ISO/IEC 14496-12). Nothing is decoded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

SNIFF_BYTES = 12
"""How much of a body tells whether it is a video file."""

_MOST_BOXES = 100_000  # on one level; a film of a day in fragments of a second has fewer
_LARGEST_INDEX = 64 * 2**20  # bytes of one sample table: more than any video of hours has
_PATH_TO_TABLES = (b"trak", b"mdia", b"minf", b"stbl")


class IncompleteError(ValueError):
    """The file is cut or damaged; the message says where, as in "its 'mdat' box is cut"."""


@dataclass(frozen=True)
class Box:
    """A box.

    Attributes:
        kind: its four letters.
        start: of its content, in bytes from the start of the file.
        end: of its content.
    """

    kind: bytes
    start: int
    end: int


def is_video(head: bytes) -> bool:
    """Whether a file that starts like this is an MP4 or QuickTime file: its first box is `ftyp`.

    Content types are not asked: proxies put `video/mp4` on whatever they forward.
    """
    return head[4:8] == b"ftyp"


def check_whole(file: BinaryIO) -> None:
    """Check that nothing of a file is missing: its boxes fill it exactly, and its index points into it.

    A film in fragments tells by its segment index (`sidx`) that later fragments are missing. Without one, a cut between
    two fragments cannot be seen.

    Args:
        file: seekable; its position changes.

    Raises:
        IncompleteError: something is missing.
    """
    size = file.seek(0, os.SEEK_END)
    boxes = list(_boxes(file, 0, size))
    kinds = [box.kind for box in boxes]
    if not kinds or kinds[0] != b"ftyp":
        raise IncompleteError("it does not begin with an 'ftyp' box")
    for kind in (b"moov", b"mdat"):
        if kind not in kinds:
            raise IncompleteError(f"its {_name(kind)} box is missing")
    if b"moof" in kinds and b"mdat" not in kinds[_last(kinds, b"moof") :]:
        raise IncompleteError("the media data of its last fragment are missing")
    end = max(_end_of_media(file, box) for box in boxes)
    if end > size:
        raise IncompleteError(f"its index points to byte {end}, and it has {size}")


def _last(kinds: list[bytes], kind: bytes) -> int:
    return len(kinds) - 1 - kinds[::-1].index(kind)


def _name(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    for _ in range(_MOST_BOXES):
        if start == end:
            return
        box = _box(file, start, end)
        yield box
        start = box.end
    raise IncompleteError(f"it has more than {_MOST_BOXES} boxes")


def _box(file: BinaryIO, start: int, end: int) -> Box:
    header = _read(file, start, min(16, end - start))
    kind, length, content = header[4:8], int.from_bytes(header[:4], "big"), start + 8
    if length == 1:
        length, content = int.from_bytes(header[8:16], "big"), start + 16
    elif length == 0:  # up to the end
        length = end - start
    if len(kind) < 4 or content > start + length:
        raise IncompleteError(f"byte {start} begins no box")
    if start + length > end:
        raise IncompleteError(f"its {_name(kind)} box is cut: it ends at byte {start + length}, and there are {end}")
    return Box(kind, content, start + length)


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _end_of_media(file: BinaryIO, box: Box) -> int:
    """Return where the last byte that a top-level box points to must be, or 0."""
    if box.kind == b"sidx":
        return _end_of_segments(_content(file, box), box.end)
    if box.kind != b"moov":
        return 0
    tracks = [box]
    for kind in _PATH_TO_TABLES:
        tracks = [child for parent in tracks for child in _boxes(file, parent.start, parent.end) if child.kind == kind]
    return max((_end_of_samples(file, tables) for tables in tracks), default=0)


def _content(file: BinaryIO, box: Box) -> bytes:
    if box.end - box.start > _LARGEST_INDEX:
        raise IncompleteError(f"its {_name(box.kind)} box is absurdly large")
    return _read(file, box.start, box.end - box.start)


def _numbers(table: bytes, start: int, count: int, width: int = 4) -> list[int]:
    """Return big-endian numbers; fewer, where the table is shorter than it says."""
    ends = range(start + width, min(start + count * width, len(table)) + 1, width)
    return [int.from_bytes(table[end - width : end], "big") for end in ends]


def _end_of_segments(sidx: bytes, anchor: int) -> int:
    """Return where the last segment of a segment index ends (8.16.3); they follow the index."""
    wide = sidx[:1] == b"\1"
    at = 28 if wide else 20
    first_offset = int.from_bytes(sidx[20:28] if wide else sidx[16:20], "big")
    count = int.from_bytes(sidx[at + 2 : at + 4], "big")
    sizes = _numbers(sidx, at + 4, count * 3)[::3]
    return anchor + first_offset + sum(size & 0x7FFFFFFF for size in sizes)


def _end_of_samples(file: BinaryIO, tables: Box) -> int:
    """Return where the last chunk of a track ends, by its sample tables (8.7)."""
    found = {box.kind: box for box in _boxes(file, tables.start, tables.end)}
    table = {kind: _content(file, found[kind]) for kind in (b"stsc", b"stsz", b"stco", b"co64") if kind in found}
    width = 8 if b"co64" in table else 4
    chunks = table.get(b"co64") or table.get(b"stco", b"")
    offsets = _numbers(chunks, 8, int.from_bytes(chunks[4:8], "big"), width)
    if not offsets or b"stsc" not in table:
        return 0
    last = max(range(len(offsets)), key=offsets.__getitem__)
    first_sample, samples = _samples_of_chunk(table[b"stsc"], last)
    return offsets[last] + _size_of_samples(table.get(b"stsz", b""), first_sample, samples)


def _samples_of_chunk(stsc: bytes, chunk: int) -> tuple[int, int]:
    """Return how many samples come before a chunk (from 0), and how many are in it."""
    runs = _numbers(stsc, 8, int.from_bytes(stsc[4:8], "big") * 3)
    firsts, counts = [first - 1 for first in runs[::3]], runs[1::3]
    before = count = 0
    for first, count, following in zip(firsts, counts, [*firsts[1:], chunk + 1], strict=False):
        if first > min(chunk, following):  # else there would be samples before the first one, and billions of them
            raise IncompleteError("its table of chunks is not in order")
        if following > chunk:
            return before + (chunk - first) * count, count
        before += (following - first) * count
    return before, count


def _size_of_samples(stsz: bytes, first: int, count: int) -> int:
    same_for_all = int.from_bytes(stsz[4:8], "big")
    return same_for_all * count or sum(_numbers(stsz, 12 + first * 4, count))
