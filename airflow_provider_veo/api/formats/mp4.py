"""Whether all that a player reads of an MP4 or QuickTime file is there (ISO/IEC 14496-12). Nothing is decoded."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, NamedTuple

SNIFF_BYTES = 12
"""How much of a body tells whether it is a video file."""

_MOST_BOXES = 100_000  # on all levels; a film of a day in fragments of two seconds has fewer
_LARGEST_INDEX = 64 * 2**20  # bytes of one sample table: more than any video of hours has
_BLOCK = 12 * 4096  # bytes that are read at once of a table; a whole number of entries of each length fits in
_PATH_TO_TABLES = (b"mdia", b"minf", b"stbl")
_TABLES = (b"stsc", b"stsz", b"stz2", b"stco", b"co64")
_HEADS_OF_FRAGMENTS = (b"styp", b"sidx", b"ssix", b"prft", b"emsg", b"moof")  # they come before its media data
# where boxes are that count samples, their kinds, and where in them the count is (8.7.3, 8.8.8)
_SAMPLE_COUNTS = (
    ((b"moov", b"trak", *_PATH_TO_TABLES), (b"stsz", b"stz2"), 8),
    ((b"moof", b"traf"), (b"trun",), 4),
)


class IncompleteError(ValueError):
    """The file is cut, damaged or no video; the message says why, as in "its 'mdat' box is cut"."""


class NoPictureError(IncompleteError):
    """The index of the file is whole and lists no picture: the same file is no video when it is fetched again."""


@dataclass(frozen=True)
class Box:
    """A box.

    Attributes:
        kind: its four letters.
        head: where it begins, in bytes from the start of the file.
        start: of its content.
        end: of its content, as its head says; this may be more than there is.
    """

    kind: bytes
    head: int
    start: int
    end: int


def is_video(head: bytes) -> bool:
    """Whether a file that starts like this is an MP4 or QuickTime file: its first box is `ftyp`.

    Content types are not asked: proxies put `video/mp4` on whatever they forward.
    """
    return head[4:8] == b"ftyp"


def check_whole(file: BinaryIO) -> None:
    """Check that a player finds all that it reads: the index, a picture, and every sample that is listed.

    Bytes behind these are no fault: a line break, zeros, a tag, a proxy's trailer. A film in fragments tells by its
    segment index (`sidx`) that later fragments are missing. Without one, a cut between two fragments cannot be seen.
    The time that it takes is bounded, and the memory does not grow with the file.

    Args:
        file: seekable; its position changes.

    Raises:
        IncompleteError: something is missing.
        NoPictureError: nothing is missing, and there is no picture.
    """
    size = file.seek(0, os.SEEK_END)
    boxes = _Boxes(file)
    if not is_video(boxes.read(0, SNIFF_BYTES)):
        raise IncompleteError("it does not begin with an 'ftyp' box")
    top_level = _top_level(boxes, size)
    index, end = None, 0
    for box in top_level:
        if box.kind == b"sidx":
            end = max(end, _end_of_segments(boxes, box))
        if box.kind == b"moov":
            index = _Index.of(boxes, box)
            break
    if index is None:
        raise IncompleteError("its 'moov' box is missing")
    media = index.media
    if index.is_fragmented:
        media = media.joined(_fragments(boxes, top_level, index))
    end = max(end, media.end)
    if end > size:
        raise IncompleteError(f"its index points to byte {end}, and it has {size}")
    if not media.has_picture:
        if index.is_fragmented:
            raise IncompleteError("the fragments with its picture are missing")
        raise NoPictureError("it has no picture")


def count_samples(file: BinaryIO) -> int:
    """Return how many samples (pictures, packets of sound) a film says that it has. A few bytes may say billions.

    Args:
        file: seekable; its position changes.

    Raises:
        IncompleteError: something of its boxes is missing.
    """
    boxes = _Boxes(file)
    counts = 0
    for box in _top_level(boxes, file.seek(0, os.SEEK_END)):
        for path, kinds, at in _SAMPLE_COUNTS:
            if box.kind == path[0]:
                for parent in boxes.within(box, *path[1:]):
                    children = boxes.between(parent.start, parent.end)
                    counts += sum(boxes.number(child, at) for child in children if child.kind in kinds)
    return counts


class _Boxes:
    """The boxes of a file, one at a time: as many as a film may have, over all levels."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seen = 0

    def between(self, start: int, end: int) -> Iterator[Box]:
        """Yield the boxes of a part of the file, up to where none begins. The last one may be cut."""
        while box := self._box(start, end):
            self._seen += 1
            if self._seen > _MOST_BOXES:
                raise IncompleteError(f"it has more than {_MOST_BOXES} boxes")
            yield box
            start = box.end

    def within(self, box: Box, *path: bytes) -> Iterator[Box]:
        """Yield the boxes at the end of a path of kinds."""
        if not path:
            yield box
            return
        for child in self.between(box.start, box.end):
            if child.end > box.end:
                raise _cut(child, box.end)
            if child.kind == path[0]:
                yield from self.within(child, *path[1:])

    def first(self, box: Box, *path: bytes) -> Box | None:
        """Return the first box at the end of a path of kinds."""
        return next(self.within(box, *path), None)

    def _box(self, start: int, end: int) -> Box | None:
        """Return the box that begins at a byte, or None where none does."""
        header = self.read(start, min(16, max(0, end - start)))
        kind, length, content = header[4:8], int.from_bytes(header[:4], "big"), start + 8
        if length == 1:
            length, content = int.from_bytes(header[8:16], "big"), start + 16
        elif length == 0:  # up to the end
            length = end - start
        return Box(kind, start, content, start + length) if len(kind) == 4 and content <= start + length else None

    def read(self, start: int, size: int) -> bytes:
        """Return a part of the file, up to its end."""
        self._file.seek(start)
        return self._file.read(size)

    def number(self, box: Box | None, at: int, width: int = 4) -> int:
        """Return a number of a box, by its place in the content; a missing one counts as 0."""
        if box is None:
            return 0
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


def _top_level(boxes: _Boxes, size: int) -> Iterator[Box]:
    """Yield the whole boxes of a file, up to the first bytes that are none: no player needs those.

    Raises:
        IncompleteError: the first box that is not whole is one that a player needs.
    """
    needed: tuple[bytes, ...] = (b"moov", b"mdat")
    for box in boxes.between(0, size):
        if box.end > size:
            if box.kind in needed:
                raise _cut(box, size)
            return
        if box.kind == b"moov":  # it tells how much there must be of the media data
            needed = _HEADS_OF_FRAGMENTS if boxes.first(box, b"mvex") else ()
        yield box


def _cut(box: Box, end: int) -> IncompleteError:
    return IncompleteError(f"its {_name(box.kind)} box is cut: it ends at byte {box.end}, and there are {end}")


def _name(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))


class _Media(NamedTuple):
    """Samples: where the last one ends in the file, and whether some are pictures."""

    end: int = 0
    has_picture: bool = False

    def joined(self, other: _Media) -> _Media:
        return _Media(max(self.end, other.end), self.has_picture or other.has_picture)


@dataclass(frozen=True)
class _Index:
    """The index of a film: its `moov` box.

    Attributes:
        media: the samples that it lists.
        is_fragmented: others are listed by fragments.
        pictures: the numbers of the tracks that are for pictures.
        sizes: of a sample in a fragment that does not say it, by the number of its track.
    """

    media: _Media
    is_fragmented: bool
    pictures: frozenset[int]
    sizes: Mapping[int, int]

    @classmethod
    def of(cls, boxes: _Boxes, moov: Box) -> _Index:
        media, pictures = _Media(), set()
        for track in boxes.within(moov, b"trak"):
            handler = boxes.first(track, b"mdia", b"hdlr")
            is_picture = boxes.number(handler, 8) == int.from_bytes(b"vide", "big")
            if is_picture:
                head = boxes.first(track, b"tkhd")
                pictures.add(boxes.number(head, 20 if boxes.number(head, 0, 1) == 1 else 12))
            for tables in boxes.within(track, *_PATH_TO_TABLES):
                end = _end_of_samples(boxes, tables)
                media = media.joined(_Media(end, is_picture and end > 0))
        defaults = boxes.within(moov, b"mvex", b"trex")
        sizes = {boxes.number(default, 4): boxes.number(default, 16) for default in defaults}
        return cls(media, boxes.first(moov, b"mvex") is not None, frozenset(pictures), sizes)


def _fragments(boxes: _Boxes, top_level: Iterator[Box], index: _Index) -> _Media:
    """Return the media of a film's fragments; only the last one and those up to the first picture are read."""
    media, last, box = _Media(), None, None
    for box in top_level:
        if box.kind == b"sidx":
            media = media.joined(_Media(_end_of_segments(boxes, box)))
        if box.kind == b"moof":
            last = box
            if not media.has_picture:
                media = media.joined(_media_of_fragment(boxes, box, index))
    if box and box.kind == b"styp":
        raise IncompleteError("its last segment is missing")
    return media.joined(_media_of_fragment(boxes, last, index)) if last else media


def _media_of_fragment(boxes: _Boxes, moof: Box, index: _Index) -> _Media:
    """Return the samples that a fragment lists (8.8.7, 8.8.8)."""
    media, end = _Media(), moof.head
    for track in boxes.within(moof, b"traf"):
        head = boxes.first(track, b"tfhd")
        flags, number = boxes.number(head, 0), boxes.number(head, 4)
        base = boxes.number(head, 8, 8) if flags & 1 else moof.head if flags & 0x20000 else end
        size = index.sizes.get(number, 0)
        if flags & 0x10:
            size = boxes.number(head, 8 + 8 * bool(flags & 1) + 4 * bool(flags & 2) + 4 * bool(flags & 8))
        end = base
        for run in boxes.within(track, b"trun"):
            if boxes.number(run, 0) & 1:
                offset = boxes.number(run, 8)
                end = base + (offset if offset < 2**31 else offset - 2**32)
            length = _size_of_run(boxes, run, size)
            end += length
            media = media.joined(_Media(end, number in index.pictures and length > 0))
    return media


def _size_of_run(boxes: _Boxes, run: Box, same_for_all: int) -> int:
    flags, count = boxes.number(run, 0), boxes.number(run, 4)
    if not flags & 0x200:
        return same_for_all * count
    fields = (flags >> 8 & 0xF).bit_count()  # duration, size, flags, offset of the time: those that are there
    at = 8 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
    return sum(sum(block[bool(flags & 0x100) :: fields]) for block in boxes.table(run, at, count, "I" * fields))


def _end_of_segments(boxes: _Boxes, sidx: Box) -> int:
    """Return where the last segment of a segment index ends (8.16.3); they follow the index."""
    is_wide = boxes.number(sidx, 0, 1) == 1
    first_offset = boxes.number(sidx, 20, 8) if is_wide else boxes.number(sidx, 16)
    at = 28 if is_wide else 20
    segments = boxes.table(sidx, at + 4, boxes.number(sidx, at + 2, 2), "III")
    return sidx.end + first_offset + sum(size & 0x7FFFFFFF for block in segments for size in block[::3])


def _end_of_samples(boxes: _Boxes, tables: Box) -> int:
    """Return where the last chunk of a track ends, by its sample tables (8.7); 0 if there is nothing in its samples."""
    found = {box.kind: box for box in boxes.between(tables.start, tables.end) if box.kind in _TABLES}
    for box in found.values():
        if box.end > tables.end:
            raise _cut(box, tables.end)
        if box.end - box.start > _LARGEST_INDEX:
            raise IncompleteError(f"its {_name(box.kind)} box is absurdly large")
    chunks, sizes = found.get(b"co64") or found.get(b"stco"), found.get(b"stsz") or found.get(b"stz2")
    last = _last_chunk(boxes, chunks) if chunks else None
    if last is None or sizes is None or b"stsc" not in found or not any(map(any, _sizes(boxes, sizes))):
        return 0
    first_sample, samples = _samples_of_chunk(boxes, found[b"stsc"], last.number)
    return last.offset + sum(map(sum, _sizes(boxes, sizes, first_sample, samples)))


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


def _sizes(boxes: _Boxes, table: Box, first: int = 0, count: int = 2**32) -> Iterator[tuple[int, ...]]:
    """Yield the sizes of some samples block by block; where all have one size, their sum (8.7.3)."""
    count = min(count, max(0, boxes.number(table, 8) - first))
    if table.kind == b"stsz" and (same_for_all := boxes.number(table, 4)):
        yield (same_for_all * count,)
        return
    bits = 32 if table.kind == b"stsz" else boxes.number(table, 7, 1)
    if entry := {32: "I", 16: "H", 8: "B"}.get(bits):  # there is one of four bits, too: no picture is so small
        yield from boxes.table(table, 12 + first * bits // 8, count, entry)
