"""Huge videos, and videos with huge tables: they are checked within seconds and in little memory."""

from __future__ import annotations

import pytest

from tests.support.memory_growth import measure_memory_growth

MOST_MB = 64
PREPARE = """
import struct
from tests.support.mp4_boxes import *
from airflow_provider_veo.api.formats.mp4 import check_whole

MANY = 10_000
PICTURE = box(b"hdlr", numbers(0, 0), b"vide", bytes(13))
INDEX = moov(track([9], [8], [(1, 1)]))
EXTENDED = moov(track([], [], []), box(b"mvex"))
path = {path!r}

def head(kind, size):
    return struct.pack(">I4sQ", 1, kind, 16 + size)

def nested(path, content_size):
    heads = b""
    for kind in reversed(path):
        heads = head(kind, content_size + len(heads)) + heads
    return heads

def write(*pieces):
    with open(path, "wb") as file:
        for piece, times in pieces:
            for _ in range(times):
                file.write(piece)

def tables(size, fill):
    return [(numbers(0, size // len(fill)), 1), (fill * MANY, size // len(fill) // MANY)]

"""

VIDEOS = {
    "a million empty boxes": """
write((FTYP, 1), (box(b"free") * MANY, 1250), (moov() + box(b"mdat"), 1))""",
    "a million boxes of 100 bytes": """
write((FTYP, 1), (box(b"free", bytes(92)) * MANY, 100), (moov() + box(b"mdat"), 1))""",
    "a million tracks": """
write((FTYP, 1), (nested([b"moov"], 100 * MANY * 100), 1), (box(b"trak", bytes(92)) * MANY, 100))""",
    "a million empty media boxes": """
write((FTYP, 1), (nested([b"moov", b"trak"], 8 * MANY * 1250), 1), (box(b"mdia") * MANY, 1250),
    (box(b"mdat"), 1))""",
    "a million kinds of boxes in a table": """
kinds = [box(struct.pack(">I", n)) for n in range(1_000_000)]
write((FTYP, 1), (nested([b"moov", b"trak", b"mdia", b"minf", b"stbl"], 8_000_000), 1), (b"".join(kinds), 1))
del kinds""",
    "huge tables": """
size = 60_000_000
content = 3 * (16 + 8 + size) + 4
inner = PICTURE + nested([b"minf", b"stbl"], content)
write((FTYP, 1), (nested([b"moov", b"trak", b"mdia"], content + len(inner)), 1), (inner, 1),
    (head(b"stsc", size + 8), 1), *tables(size, numbers(1, 1, 1)),
    (head(b"stsz", size + 12), 1), (numbers(0), 1), *tables(size, numbers(1)),
    (head(b"stco", size + 8), 1), *tables(size, numbers(100)), (box(b"mdat"), 1))""",
    "a huge table that is never read": """
write((FTYP, 1), (INDEX, 1), (head(b"mdat", 2**30), 1))
with open(path, "r+b") as file:
    file.truncate(file.seek(0, 2) + 2**30)""",
    "a million boxes behind everything that is read": """
write((FTYP, 1), (INDEX, 1), (box(b"free") * MANY, 100))""",
    "a million fragments": """
write((FTYP, 1), (EXTENDED, 1), (box(b"moof") * MANY, 100))""",
    "a million tracks of a fragment": """
write((FTYP, 1), (EXTENDED, 1), (nested([b"moof"], 100 * MANY * 8), 1), (box(b"traf") * MANY, 100))""",
    "a fragment of fifteen million pictures": """
size = 60_000_000
content = 16 + 8 + size
track = box(b"tfhd", numbers(0x20000, 1))
write((FTYP, 1), (EXTENDED, 1), (nested([b"moof", b"traf"], len(track) + content), 1), (track, 1),
    (head(b"trun", 8 + size), 1), (numbers(0x200, size // 4), 1), (numbers(1) * MANY, size // 4 // MANY))""",
}
VERDICTS = {
    "huge tables": "done",
    "a huge table that is never read": "done",
    "a million boxes behind everything that is read": "done",
    "a fragment of fifteen million pictures": "done",
}


@pytest.mark.parametrize("name", VIDEOS)
def test_a_huge_video_is_checked_in_little_memory(name, tmp_path):
    prepare = PREPARE.format(path=str(tmp_path / "video.mp4")) + VIDEOS[name]
    said, growth = measure_memory_growth(prepare, "check_whole(open(path, 'rb'))")
    assert said == VERDICTS.get(name, "IncompleteError: it has more than 100000 boxes")
    assert growth < MOST_MB
