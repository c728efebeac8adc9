"""Whether an MP4 or QuickTime file is whole, by its boxes (ISO/IEC 14496-12). Nothing is decoded."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, NamedTuple

SNIFF_BYTES = 12
"""How much of a body tells whether it is a video file."""

_MOST_BOXES = 100_000  # on all levels; a film of a day in fragments of two seconds has fewer
_LARGEST_INDEX = 64 * 2**20  # bytes of one sample table: more than any video of hours has
_BLOCK = 12 * 4096  # bytes that are read at once of a table; its entries are 4, 8 or 12 bytes long
_PATH_TO_TABLES = (b"trak", b"mdia", b"minf", b"stbl")
_TABLES = (b"stsc", b"stsz", b"stco", b"co64")
# where boxes are that count samples, their kinds, and where in them the count is (8.7.3, 8.8.8)
_SAMPLE_COUNTS = (
    ((b"moov", *_PATH_TO_TABLES), (b"stsz", b"stz2"), 8),
    ((b"moof", b"traf"), (b"trun",), 4),
)


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
    two fragments cannot be seen. The time that it takes is bounded, and the memory does not grow with the file.

    Args:
        file: seekable; its position changes.

    Raises:
        IncompleteError: something is missing.
    """
    size = file.seek(0, os.SEEK_END)
    boxes = _Boxes(file)
    kinds: set[bytes] = set()
    lacks_media, end = False, 0
    for box in boxes.between(0, size):
        if not kinds and box.kind != b"ftyp":
            break
        kinds.add(box.kind)
        lacks_media = box.kind == b"moof" or (lacks_media and box.kind != b"mdat")
        end = max(end, _end_of_media(boxes, box))
    if not kinds:
        raise IncompleteError("it does not begin with an 'ftyp' box")
    for kind in (b"moov", b"mdat"):
        if kind not in kinds:
            raise IncompleteError(f"its {_name(kind)} box is missing")
    if lacks_media:
        raise IncompleteError("the media data of its last fragment are missing")
    if end > size:
        raise IncompleteError(f"its index points to byte {end}, and it has {size}")


def count_samples(file: BinaryIO) -> int:
    """Return how many samples (pictures, packets of sound) a film says that it has. A few bytes may say billions.

    Args:
        file: seekable; its position changes.

    Raises:
        IncompleteError: something of its boxes is missing.
    """
    boxes = _Boxes(file)
    counts = 0
    for box in boxes.between(0, file.seek(0, os.SEEK_END)):
        for path, kinds, at in _SAMPLE_COUNTS:
            if box.kind == path[0]:
                for parent in boxes.within(box, path[1:]):
                    children = boxes.between(parent.start, parent.end)
                    counts += sum(boxes.number(child, at) for child in children if child.kind in kinds)
    return counts


def _name(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))


class _Boxes:
    """The boxes of a file, one at a time: as many as a film may have, over all levels."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seen = 0

    def between(self, start: int, end: int) -> Iterator[Box]:
        """Yield the boxes that fill a part of the file."""
        while start != end:
            self._seen += 1
            if self._seen > _MOST_BOXES:
                raise IncompleteError(f"it has more than {_MOST_BOXES} boxes")
            box = self._box(start, end)
            yield box
            start = box.end

    def within(self, box: Box, path: tuple[bytes, ...]) -> Iterator[Box]:
        """Yield the boxes at the end of a path of kinds."""
        if not path:
            yield box
            return
        for child in self.between(box.start, box.end):
            if child.kind == path[0]:
                yield from self.within(child, path[1:])

    def _box(self, start: int, end: int) -> Box:
        header = self.read(start, min(16, end - start))
        kind, length, content = header[4:8], int.from_bytes(header[:4], "big"), start + 8
        if length == 1:
            length, content = int.from_bytes(header[8:16], "big"), start + 16
        elif length == 0:  # up to the end
            length = end - start
        if len(kind) < 4 or content > start + length:
            raise IncompleteError(f"byte {start} begins no box")
        if start + length > end:
            raise IncompleteError(
                f"its {_name(kind)} box is cut: it ends at byte {start + length}, and there are {end}"
            )
        return Box(kind, content, start + length)

    def read(self, start: int, size: int) -> bytes:
        """Return a part of the file, up to its end."""
        self._file.seek(start)
        return self._file.read(size)

    def number(self, box: Box, at: int, width: int = 4) -> int:
        """Return a number of a box, by its place in the content; what lies behind the end of the box counts as 0."""
        start = min(box.start + at, box.end)
        return int.from_bytes(self.read(start, min(width, box.end - start)), "big")

    def table(self, box: Box, at: int, count: int, entry: str = "I") -> Iterator[tuple[int, ...]]:
        """Yield the numbers of a table block by block, so that it need not fit into memory.

        Args:
            box: where it is.
            at: where it begins in the box.
            count: how many entries it says that it has; there may be fewer.
            entry: how one is made of numbers of one size, in the letters of `struct`.
        """
        width = struct.calcsize(f">{entry}")
        start = min(box.start + at, box.end)
        end = start + min(count, (box.end - start) // width) * width
        while start < end:
            block = self.read(start, min(_BLOCK, end - start))
            yield struct.unpack_from(f">{len(block) // width * len(entry)}{entry[0]}", block)
            start += _BLOCK


def _end_of_media(boxes: _Boxes, box: Box) -> int:
    """Return where the last byte that a top-level box points to must be, or 0."""
    if box.kind == b"sidx":
        return _end_of_segments(boxes, box)
    if box.kind != b"moov":
        return 0
    return max((_end_of_samples(boxes, tables) for tables in boxes.within(box, _PATH_TO_TABLES)), default=0)


def _end_of_segments(boxes: _Boxes, sidx: Box) -> int:
    """Return where the last segment of a segment index ends (8.16.3); they follow the index."""
    is_wide = boxes.number(sidx, 0, 1) == 1
    first_offset = boxes.number(sidx, 20, 8) if is_wide else boxes.number(sidx, 16)
    at = 28 if is_wide else 20
    segments = boxes.table(sidx, at + 4, boxes.number(sidx, at + 2, 2), "III")
    return sidx.end + first_offset + sum(size & 0x7FFFFFFF for block in segments for size in block[::3])


def _end_of_samples(boxes: _Boxes, tables: Box) -> int:
    """Return where the last chunk of a track ends, by its sample tables (8.7)."""
    found = {box.kind: box for box in boxes.between(tables.start, tables.end) if box.kind in _TABLES}
    for box in found.values():
        if box.end - box.start > _LARGEST_INDEX:
            raise IncompleteError(f"its {_name(box.kind)} box is absurdly large")
    chunks = found.get(b"co64") or found.get(b"stco")
    last = _last_chunk(boxes, chunks) if chunks else None
    if last is None or b"stsc" not in found:
        return 0
    first_sample, samples = _samples_of_chunk(boxes, found[b"stsc"], last.number)
    sizes = found.get(b"stsz")
    return last.offset + (_size_of_samples(boxes, sizes, first_sample, samples) if sizes else 0)


class _Chunk(NamedTuple):
    offset: int
    number: int  # from 0


def _last_chunk(boxes: _Boxes, table: Box) -> _Chunk | None:
    """Return the chunk that lies last in the file."""
    last, before = None, 0
    for block in boxes.table(table, 8, boxes.number(table, 4), "Q" if table.kind == b"co64" else "I"):
        offset = max(block)
        if last is None or offset > last.offset:
            last = _Chunk(offset, before + block.index(offset))
        before += len(block)
    return last


def _samples_of_chunk(boxes: _Boxes, table: Box, chunk: int) -> tuple[int, int]:
    """Return how many samples come before a chunk (from 0), and how many are in it."""
    runs = _runs(boxes, table)
    (first, count), before = next(runs, (0, 0)), 0
    for following, following_count in chain(runs, [(chunk + 1, 0)]):
        if first > min(chunk, following):  # else there would be samples before the first one, and billions of them
            raise IncompleteError("its table of chunks is not in order")
        if following > chunk:
            break
        before += (following - first) * count
        first, count = following, following_count
    return before + (chunk - first) * count, count


def _runs(boxes: _Boxes, table: Box) -> Iterator[tuple[int, int]]:
    """Yield the first chunk (from 0) and the samples in a chunk of each run of equal chunks."""
    for block in boxes.table(table, 8, boxes.number(table, 4), "III"):
        yield from ((first - 1, count) for first, count in zip(block[::3], block[1::3], strict=True))


def _size_of_samples(boxes: _Boxes, table: Box, first: int, count: int) -> int:
    same_for_all = boxes.number(table, 4)
    return same_for_all * count or sum(map(sum, boxes.table(table, 12 + first * 4, count)))
