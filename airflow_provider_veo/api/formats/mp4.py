"""Check that an MP4 or QuickTime file contains everything that a player reads (ISO/IEC 14496-12), without decoding."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, NamedTuple

SNIFF_BYTES = 12
"""Number of bytes at the beginning of a file that show whether it is a video."""

_MOST_BOXES = 100_000  # boxes on all levels; a video of a day in fragments of two seconds has fewer
_LARGEST_INDEX = 64 * 2**20  # bytes of one sample table; videos of many hours have smaller ones
_BLOCK = 12 * 4096  # bytes of a table that are read at once; a whole number of entries of every length fits in
_PATH_TO_TABLES = (b"mdia", b"minf", b"stbl")
_TABLES = (b"stsc", b"stsz", b"stz2", b"stco", b"co64")
_HEADS_OF_FRAGMENTS = (
    b"styp",
    b"sidx",
    b"ssix",
    b"prft",
    b"emsg",
    b"moof",
)  # boxes that come before the media data of a fragment
# paths of boxes that count samples, kinds of these boxes, and the position of the count in them (8.7.3, 8.8.8)
_SAMPLE_COUNTS = (
    ((b"moov", b"trak", *_PATH_TO_TABLES), (b"stsz", b"stz2"), 8),
    ((b"moof", b"traf"), (b"trun",), 4),
)


class IncompleteError(ValueError):
    """The file is cut, damaged or not a video. The message names the fault: "its 'mdat' box is cut"."""


class NoPictureError(IncompleteError):
    """The index of the file is complete and lists no picture. Fetching the file again would not help."""


@dataclass(frozen=True)
class Box:
    """A box of a file. Positions are bytes from the start of the file.

    Attributes:
        kind: The four letters of its type.
        head: Position of its head.
        start: Position of its content.
        end: End of its content according to its head. It may lie beyond the end of the file.
    """

    kind: bytes
    head: int
    start: int
    end: int


def is_video(head: bytes) -> bool:
    """Return whether a file with this beginning is an MP4 or QuickTime file: its first box is `ftyp`.

    The content type of an answer proves nothing, since some proxies send `video/mp4` with every answer.
    """
    return head[4:8] == b"ftyp"


def check_whole(file: BinaryIO) -> None:
    """Check that a player finds everything that it reads: the index, a picture, and all samples in the index.

    Bytes behind the last sample are allowed: a line break, zeros, a tag, a proxy's trailer. The segment index (`sidx`)
    of a video in fragments shows whether later fragments are missing. Without this index, a cut between two fragments
    cannot be detected. The time of the check is bounded, and its memory does not grow with the file.

    Args:
        file: A seekable file. Its position changes.

    Raises:
        IncompleteError: A part is missing.
        NoPictureError: No part is missing, and there is no picture.
    """
    size = file.seek(0, os.SEEK_END)
    boxes = _Boxes(file)
    if not is_video(boxes.read(0, SNIFF_BYTES)):
        raise IncompleteError("it does not begin with an 'ftyp' box")
    top_level = _read_top_level(boxes, size)
    index, end = None, 0
    for box in top_level:
        if box.kind == b"sidx":
            end = max(end, _find_end_of_segments(boxes, box))
        if box.kind == b"moov":
            index = _Index.of(boxes, box)
            break
    if index is None:
        raise IncompleteError("its 'moov' box is missing")
    media = index.media
    if index.is_fragmented:
        media = media.join(_read_fragments(boxes, top_level, index))
    end = max(end, media.end)
    if end > size:
        raise IncompleteError(f"its index points to byte {end}, and it has {size}")
    if not media.has_picture:
        if index.is_fragmented:
            raise IncompleteError("the fragments with its picture are missing")
        raise NoPictureError("it has no picture")


def count_samples(file: BinaryIO) -> int:
    """Return the number of samples (pictures, packets of sound) that a file claims. It may claim billions.

    Args:
        file: A seekable file. Its position changes.

    Raises:
        IncompleteError: A part of a box is missing.
    """
    boxes = _Boxes(file)
    counts = 0
    for box in _read_top_level(boxes, file.seek(0, os.SEEK_END)):
        for path, kinds, at in _SAMPLE_COUNTS:
            if box.kind == path[0]:
                for parent in boxes.find_all(box, *path[1:]):
                    children = boxes.read_between(parent.start, parent.end)
                    counts += sum(boxes.read_number(child, at) for child in children if child.kind in kinds)
    return counts


class _Boxes:
    """Reads the boxes of a file one by one, up to a limit over all levels."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seen = 0

    def read_between(self, start: int, end: int) -> Iterator[Box]:
        """Yield the boxes of a part of the file, up to the first bytes that are not a box. The last box may be cut."""
        while box := self._read_box(start, end):
            self._seen += 1
            if self._seen > _MOST_BOXES:
                raise IncompleteError(f"it has more than {_MOST_BOXES} boxes")
            yield box
            start = box.end

    def find_all(self, box: Box, *path: bytes) -> Iterator[Box]:
        """Yield the boxes at the end of a path of kinds."""
        if not path:
            yield box
            return
        for child in self.read_between(box.start, box.end):
            if child.end > box.end:
                raise _make_cut_error(child, box.end)
            if child.kind == path[0]:
                yield from self.find_all(child, *path[1:])

    def find_first(self, box: Box, *path: bytes) -> Box | None:
        """Return the first box at the end of a path of kinds."""
        return next(self.find_all(box, *path), None)

    def _read_box(self, start: int, end: int) -> Box | None:
        """Return the box that begins at a position; None if no box begins there."""
        header = self.read(start, min(16, max(0, end - start)))
        kind, length, content = header[4:8], int.from_bytes(header[:4], "big"), start + 8
        if length == 1:
            length, content = int.from_bytes(header[8:16], "big"), start + 16
        elif length == 0:  # the box reaches to the end
            length = end - start
        return Box(kind, start, content, start + length) if len(kind) == 4 and content <= start + length else None

    def read(self, start: int, size: int) -> bytes:
        """Return bytes of the file, at most up to its end."""
        self._file.seek(start)
        return self._file.read(size)

    def read_number(self, box: Box | None, at: int, width: int = 4) -> int:
        """Return the number at a position in the content of a box. A missing number counts as 0."""
        if box is None:
            return 0
        start = min(box.start + at, box.end)
        return int.from_bytes(self.read(start, min(width, box.end - start)), "big")

    def read_table(self, box: Box, at: int, count: int, entry: str) -> Iterator[tuple[int, ...]]:
        """Yield the numbers of a table block by block, so that the table need not fit into memory.

        Args:
            box: Box of the table.
            at: Position of the table in the content of the box.
            count: Number of entries that the box claims. There may be fewer.
            entry: Numbers of one entry, in the letters of `struct`; all have the same size.
        """
        width = struct.calcsize(f">{entry}")
        start = min(box.start + at, box.end)
        end = start + min(count, (box.end - start) // width) * width
        while start < end:
            block = self.read(start, min(_BLOCK, end - start))
            yield struct.unpack_from(f">{len(block) // width * len(entry)}{entry[0]}", block)
            start += _BLOCK


def _read_top_level(boxes: _Boxes, size: int) -> Iterator[Box]:
    """Yield the complete boxes of a file, up to the first bytes that are not a complete box.

    Raises:
        IncompleteError: The first incomplete box is one that a player needs.
    """
    needed: tuple[bytes, ...] = (b"moov", b"mdat")
    for box in boxes.read_between(0, size):
        if box.end > size:
            if box.kind in needed:
                raise _make_cut_error(box, size)
            return
        if box.kind == b"moov":  # it says how much media data there must be
            needed = _HEADS_OF_FRAGMENTS if boxes.find_first(box, b"mvex") else ()
        yield box


def _make_cut_error(box: Box, end: int) -> IncompleteError:
    return IncompleteError(f"its {_name(box.kind)} box is cut: it ends at byte {box.end}, and there are {end}")


def _name(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))


class _Media(NamedTuple):
    """A group of samples: the end of the last one in the file, and whether there are pictures among them."""

    end: int = 0
    has_picture: bool = False

    def join(self, other: _Media) -> _Media:
        return _Media(max(self.end, other.end), self.has_picture or other.has_picture)


@dataclass(frozen=True)
class _Index:
    """The index of a video: its `moov` box.

    Attributes:
        media: The samples that the index lists.
        is_fragmented: Whether fragments list further samples.
        pictures: Numbers of the tracks with pictures.
        sizes: Default size of a sample in a fragment, by the number of the track.
    """

    media: _Media
    is_fragmented: bool
    pictures: frozenset[int]
    sizes: Mapping[int, int]

    @classmethod
    def of(cls, boxes: _Boxes, moov: Box) -> _Index:
        media, pictures = _Media(), set()
        for track in boxes.find_all(moov, b"trak"):
            handler = boxes.find_first(track, b"mdia", b"hdlr")
            is_picture = boxes.read_number(handler, 8) == int.from_bytes(b"vide", "big")
            if is_picture:
                head = boxes.find_first(track, b"tkhd")
                pictures.add(boxes.read_number(head, 20 if boxes.read_number(head, 0, 1) == 1 else 12))
            for tables in boxes.find_all(track, *_PATH_TO_TABLES):
                end = _find_end_of_samples(boxes, tables)
                media = media.join(_Media(end, is_picture and end > 0))
        defaults = boxes.find_all(moov, b"mvex", b"trex")
        sizes = {boxes.read_number(default, 4): boxes.read_number(default, 16) for default in defaults}
        return cls(media, boxes.find_first(moov, b"mvex") is not None, frozenset(pictures), sizes)


def _read_fragments(boxes: _Boxes, top_level: Iterator[Box], index: _Index) -> _Media:
    """Return the samples of all fragments. Only the last fragment and those up to the first picture are read."""
    media, last, box = _Media(), None, None
    for box in top_level:
        if box.kind == b"sidx":
            media = media.join(_Media(_find_end_of_segments(boxes, box)))
        if box.kind == b"moof":
            last = box
            if not media.has_picture:
                media = media.join(_read_fragment(boxes, box, index))
    if box and box.kind == b"styp":
        raise IncompleteError("its last segment is missing")
    return media.join(_read_fragment(boxes, last, index)) if last else media


def _read_fragment(boxes: _Boxes, moof: Box, index: _Index) -> _Media:
    """Return the samples that a fragment lists (8.8.7, 8.8.8)."""
    media, end = _Media(), moof.head
    for track in boxes.find_all(moof, b"traf"):
        head = boxes.find_first(track, b"tfhd")
        flags, number = boxes.read_number(head, 0), boxes.read_number(head, 4)
        base = boxes.read_number(head, 8, 8) if flags & 1 else moof.head if flags & 0x20000 else end
        size = index.sizes.get(number, 0)
        if flags & 0x10:
            size = boxes.read_number(head, 8 + 8 * bool(flags & 1) + 4 * bool(flags & 2) + 4 * bool(flags & 8))
        end = base
        for run in boxes.find_all(track, b"trun"):
            if boxes.read_number(run, 0) & 1:
                offset = boxes.read_number(run, 8)
                end = base + (offset if offset < 2**31 else offset - 2**32)
            length = _add_sizes_of_run(boxes, run, size)
            end += length
            media = media.join(_Media(end, number in index.pictures and length > 0))
    return media


def _add_sizes_of_run(boxes: _Boxes, run: Box, same_for_all: int) -> int:
    flags, count = boxes.read_number(run, 0), boxes.read_number(run, 4)
    if not flags & 0x200:
        return same_for_all * count
    fields = (flags >> 8 & 0xF).bit_count()  # of duration, size, flags and offset of the time, the fields that exist
    at = 8 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
    return sum(sum(block[bool(flags & 0x100) :: fields]) for block in boxes.read_table(run, at, count, "I" * fields))


def _find_end_of_segments(boxes: _Boxes, sidx: Box) -> int:
    """Return the end of the last segment of a segment index (8.16.3). The segments follow the index."""
    is_wide = boxes.read_number(sidx, 0, 1) == 1
    first_offset = boxes.read_number(sidx, 20, 8) if is_wide else boxes.read_number(sidx, 16)
    at = 28 if is_wide else 20
    segments = boxes.read_table(sidx, at + 4, boxes.read_number(sidx, at + 2, 2), "III")
    return sidx.end + first_offset + sum(size & 0x7FFFFFFF for block in segments for size in block[::3])


def _find_end_of_samples(boxes: _Boxes, tables: Box) -> int:
    """Return the end of the last chunk of a track by its sample tables (8.7); 0 if its samples are empty."""
    found = {box.kind: box for box in boxes.read_between(tables.start, tables.end) if box.kind in _TABLES}
    for box in found.values():
        if box.end > tables.end:
            raise _make_cut_error(box, tables.end)
        if box.end - box.start > _LARGEST_INDEX:
            raise IncompleteError(f"its {_name(box.kind)} box is larger than any video needs")
    chunks, sizes = found.get(b"co64") or found.get(b"stco"), found.get(b"stsz") or found.get(b"stz2")
    last = _find_last_chunk(boxes, chunks) if chunks else None
    if last is None or sizes is None or b"stsc" not in found or not any(map(any, _read_sizes(boxes, sizes))):
        return 0
    first_sample, samples = _count_samples_of_chunk(boxes, found[b"stsc"], last.number)
    return last.offset + sum(map(sum, _read_sizes(boxes, sizes, first_sample, samples)))


class _Chunk(NamedTuple):
    offset: int
    number: int  # from 0


def _find_last_chunk(boxes: _Boxes, table: Box) -> _Chunk | None:
    """Return the chunk with the highest position in the file."""
    last, before = None, 0
    for block in boxes.read_table(table, 8, boxes.read_number(table, 4), "Q" if table.kind == b"co64" else "I"):
        offset = max(block)
        if last is None or offset > last.offset:
            last = _Chunk(offset, before + block.index(offset))
        before += len(block)
    return last


def _count_samples_of_chunk(boxes: _Boxes, table: Box, chunk: int) -> tuple[int, int]:
    """Return the number of samples before a chunk (counted from 0), and the number of samples in it."""
    runs = _read_runs(boxes, table)
    (first, count), before = next(runs, (0, 0)), 0
    for following, following_count in chain(runs, [(chunk + 1, 0)]):
        if first > min(chunk, following):  # otherwise billions of samples would come before the first one
            raise IncompleteError("its table of chunks is not in order")
        if following > chunk:
            break
        before += (following - first) * count
        first, count = following, following_count
    return before + (chunk - first) * count, count


def _read_runs(boxes: _Boxes, table: Box) -> Iterator[tuple[int, int]]:
    """Yield the runs of equal chunks: number of the first chunk (from 0), and samples per chunk."""
    for block in boxes.read_table(table, 8, boxes.read_number(table, 4), "III"):
        yield from ((first - 1, count) for first, count in zip(block[::3], block[1::3], strict=True))


def _read_sizes(boxes: _Boxes, table: Box, first: int = 0, count: int = 2**32) -> Iterator[tuple[int, ...]]:
    """Yield the sizes of some samples block by block; if all samples have the same size, their sum (8.7.3)."""
    count = min(count, max(0, boxes.read_number(table, 8) - first))
    if table.kind == b"stsz" and (same_for_all := boxes.read_number(table, 4)):
        yield (same_for_all * count,)
        return
    bits = 32 if table.kind == b"stsz" else boxes.read_number(table, 7, 1)
    if entry := {32: "I", 16: "H", 8: "B"}.get(bits):  # sizes of four bits exist, too, but no picture is so small
        yield from boxes.read_table(table, 12 + first * bits // 8, count, entry)
