from __future__ import annotations

import contextlib
import io
import struct

import pytest
from boxes import FTYP, box, film, large_box, moov, numbers, track
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api import mp4
from airflow_provider_veo.api.mp4 import IncompleteError, check_whole, is_video
from airflow_provider_veo.emulator.render import Scene, render


@pytest.mark.parametrize(
    ("head", "video"),
    [
        (b"\0\0\0\x20ftypisom", True),
        (b"\0\0\0\x14ftypqt  ", True),
        (b"<!doctype html", False),
        (b'{"url": "x"}', False),
        (b"", False),
        (b"ftyp", False),
    ],
)
def test_video_files_are_known_by_their_first_box(head, video):
    assert is_video(head) is video


def check(content):
    check_whole(io.BytesIO(content))


def with_index_first(media=bytes(1000), **options):
    size = len(FTYP) + len(moov(track([0], [len(media)], [(1, 1)], **options)))
    return FTYP + moov(track([size + 8], [len(media)], [(1, 1)], **options)) + box(b"mdat", media)


WHOLE = {
    "index at the end": film(),
    "index first": with_index_first(),
    "64-bit offsets": with_index_first(wide=True),
    "samples of one size": with_index_first(same_size=1000),
    "more boxes": film() + box(b"free", b"x"),
    "a large box": FTYP + moov() + large_box(b"mdat", bytes(10)),
    "media up to the end": FTYP + moov() + numbers(0) + b"mdat" + bytes(10),
    "no tracks": FTYP + moov() + box(b"mdat"),
    "an empty track": FTYP + moov(track([], [], [])) + box(b"mdat"),
    "fragments": FTYP + moov() + box(b"moof") + box(b"mdat", b"x") + box(b"moof") + box(b"mdat", b"x"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files(name):
    check(WHOLE[name])


@pytest.mark.parametrize("name", ["index at the end", "index first", "64-bit offsets", "samples of one size"])
def test_a_file_cut_anywhere_is_refused(name):
    for size in range(len(WHOLE[name])):
        with pytest.raises(IncompleteError):
            check(WHOLE[name][:size])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "does not begin with an 'ftyp' box"),
        (moov() + FTYP, "does not begin with an 'ftyp' box"),
        (FTYP, "its 'moov' box is missing"),
        (FTYP + moov(), "its 'mdat' box is missing"),
        (FTYP + moov() + box(b"mdat") + b"xyz", r"byte \d+ begins no box"),
        (FTYP + moov() + box(b"mdat") + numbers(4) + b"free", f"byte {len(FTYP + moov()) + 8} begins no box"),
        (
            FTYP + moov() + box(b"mdat") + numbers(1) + b"free" + bytes(4),
            f"byte {len(FTYP + moov()) + 8} begins no box",
        ),
        (FTYP + moov() + box(b"mdat", bytes(9))[:-1], r"its 'mdat' box is cut: it ends at byte \d+, and there are \d+"),
        (FTYP + moov(track([10_000], [1], [(1, 1)])) + box(b"mdat"), "its index points to byte 10001, and it has"),
        (FTYP + moov() + box(b"moof") + box(b"mdat") + box(b"moof"), "media data of its last fragment are missing"),
        (FTYP + box(b"moov", b"\xff" * 20) + box(b"mdat"), "begins no box|is cut"),
    ],
)
def test_files_that_are_not_whole(content, complaint):
    with pytest.raises(IncompleteError, match=complaint):
        check(content)


@pytest.mark.parametrize("path", [[], [b"moov"], [b"moov", b"trak", b"mdia", b"minf"]])
def test_the_boxes_of_all_levels_are_counted(monkeypatch, path):
    boxes = box(b"free") * 100
    for kind in reversed(path):
        boxes = box(kind, boxes)
    content = FTYP + boxes + moov() + box(b"mdat")
    count = 104 + len(path)  # moov() has one inside
    monkeypatch.setattr(mp4, "_MOST_BOXES", count)
    check(content)
    monkeypatch.setattr(mp4, "_MOST_BOXES", count - 1)
    with pytest.raises(IncompleteError, match=f"more than {count - 1} boxes"):
        check(content)


def test_tables_are_read_block_by_block(monkeypatch):
    monkeypatch.setattr(mp4, "_BLOCK", 24)
    for width in ({}, {"wide": True}):
        offsets = [*range(10_000, 10_050), 20_000, *range(9_000, 9_050)]
        runs = [(first, 1) for first in range(1, 102)]
        table = track(offsets, [*[1] * 50, 7, *[1] * 50], runs, **width)
        with pytest.raises(IncompleteError, match="index points to byte 20007,"):
            check(FTYP + moov(table) + box(b"mdat"))
    sizes = numbers(0, 0, 100, *range(100))
    tables = box(b"stsc", numbers(0, 1, 1, 100, 1)), box(b"stsz", sizes), box(b"stco", STCO)
    assert end_by(*tables) == 10_000 + sum(range(100))


def test_a_file_that_becomes_shorter_meanwhile_is_no_crash():
    class File(io.BytesIO):
        def read(self, size=-1):
            return super().read(size)[: 5 if size > 16 else None]

    check_whole(File(film()))


@pytest.mark.parametrize("version", [0, 1])
def test_a_segment_index_tells_of_missing_segments(version):
    segment = box(b"moof") + box(b"mdat", bytes(84))
    times = bytes(8) if version == 0 else bytes(16)
    head = numbers(version << 24, 1, 1000) + times + numbers(2)  # reserved, and the count
    index = box(b"sidx", head, *[numbers(len(segment), 1000, 0)] * 2)
    check(FTYP + moov() + index + segment * 2)
    with pytest.raises(IncompleteError, match="index points to byte"):
        check(FTYP + moov() + index + segment)


@pytest.mark.parametrize(("version", "offset"), [(0, 0x01020304), (1, 0x0102030405060708)])
def test_a_segment_index_says_where_the_last_segment_ends(version, offset):
    sizes = range(1, 259)
    times = numbers(0, offset) if version == 0 else struct.pack(">QQ", 0, offset)
    segments = b"".join(
        numbers(1 << 31 | size, 1000, 0) for size in sizes
    )  # the first bit is the kind of the reference
    index = box(b"sidx", numbers(version << 24, 1, 1000), times, numbers(len(sizes)), segments, numbers(9, 9, 9))
    end = len(FTYP + moov() + index) + offset + sum(sizes)
    with pytest.raises(IncompleteError, match=f"index points to byte {end},"):
        check(FTYP + moov() + index + box(b"mdat"))


def film_of(*tables):
    """Return a film with these sample tables, and with hardly any media."""
    index = moov(box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", *tables)))))
    return FTYP + index + box(b"mdat", b"\xff" * 8)


def end_by(*tables):
    """Return the byte behind the end of that film that its index points to."""
    with pytest.raises(IncompleteError, match="index points to byte") as caught:
        check(film_of(*tables))
    return int(str(caught.value).split()[5].rstrip(","))


STSC, STSZ, STCO = numbers(0, 1, 1, 1, 1), numbers(0, 0, 1, 300), numbers(0, 1, 10_000)  # one chunk with one sample


def test_an_index_points_to_the_end_of_the_last_sample():
    assert end_by(box(b"stsc", STSC), box(b"stsz", STSZ), box(b"stco", STCO)) == 10_300
    far = numbers(0, 1) + struct.pack(">Q", 2**33 + 1)
    assert end_by(box(b"stsc", STSC), box(b"stsz", STSZ), box(b"co64", far)) == 2**33 + 301
    assert end_by(box(b"stsc", numbers(0, 1, 1, 3, 1)), box(b"stsz", numbers(0, 7, 3)), box(b"stco", STCO)) == 10_021
    assert end_by(box(b"stsc", STSC), box(b"stsz", numbers(0, 2**24, 1)), box(b"stco", STCO)) == 10_000 + 2**24


def test_a_large_box_has_contents_too():
    index = large_box(b"moov", track([10_000], [300], [(1, 1)]))
    with pytest.raises(IncompleteError, match="index points to byte 10300,"):
        check(FTYP + index + box(b"mdat"))


def test_a_box_may_say_that_it_is_very_large():
    head = numbers(1) + b"mdat" + struct.pack(">Q", 2**60 + 5)
    with pytest.raises(IncompleteError, match=f"its 'mdat' box is cut: it ends at byte {len(FTYP) + 2**60 + 5},"):
        check(FTYP + head)


def test_only_the_index_is_read():
    class File(io.BytesIO):
        def read(self, size=-1):
            assert 0 <= size < 100
            return super().read(size)

    check_whole(File(film()))


@pytest.mark.parametrize(("last", "samples"), [(0, (0, 2)), (1, (2, 4)), (2, (4, 5)), (3, (5, 6)), (4, (6, 9))])
def test_the_last_chunk_may_be_any_and_have_any_number_of_samples(last, samples):
    runs = numbers(0, 3, 1, 2, 1, 3, 1, 1, 5, 3, 1)  # two samples in chunks 1 and 2, one in 3 and 4, three in 5
    runs += numbers(4, 9, 1)  # beyond what the table says
    sizes = [2**power for power in range(9)]
    offsets = [20_000 if chunk == last else 10_000 for chunk in range(5)]
    end = end_by(box(b"stsc", runs), box(b"stsz", numbers(0, 0, 9, *sizes)), box(b"stco", numbers(0, 5, *offsets)))
    assert end == 20_000 + sum(sizes[slice(*samples)])


def test_tables_are_read_as_far_as_they_say_and_as_far_as_they_go():
    more, cut = numbers(99_999, 1, 1, 1), b"\xff\xff\xff"
    say_less = box(b"stsc", STSC, numbers(1, 9, 9)), box(b"stsz", STSZ, more), box(b"stco", STCO, more)
    assert end_by(*say_less) == 10_300
    many = numbers(0, 2**24)
    say_more = box(b"stsc", many, STSC[8:]), box(b"stsz", STSZ, cut), box(b"stco", many, STCO[8:], cut)
    assert end_by(*say_more) == 10_300


def test_a_run_of_chunks_that_is_cut_is_taken_for_one_like_the_run_before():
    tables = box(b"stsc", numbers(0, 2, 1, 1, 1, 2)), box(b"stsz", numbers(0, 0, 2, 300, 400))
    assert end_by(*tables, box(b"stco", numbers(0, 2, 10_000, 20_000))) == 20_400


def test_a_track_may_lack_tables():
    assert end_by(box(b"stsc", STSC), box(b"stco", STCO)) == 10_000
    check(film_of(box(b"stsc", STSC), box(b"stsz", STSZ)))
    check(film_of(box(b"stsz", STSZ), box(b"stco", STCO)))


def test_no_index_is_larger_than_that_of_hours(monkeypatch):
    monkeypatch.setattr(mp4, "_LARGEST_INDEX", len(STSC))
    assert end_by(box(b"stsc", STSC), box(b"stsz", STSZ), box(b"stco", STCO)) == 10_300
    with pytest.raises(IncompleteError, match="its 'stsc' box is absurdly large"):
        check(film_of(box(b"stsc", STSC, b"x"), box(b"stsz", STSZ), box(b"stco", STCO)))


@pytest.mark.parametrize("runs", [[(8, 900)], [(8, 900), (9, 1)], [(1, 1), (5, 900), (2, 900)]])
def test_a_table_of_chunks_out_of_order_is_damage(runs):
    six_chunks = track([len(FTYP) + 8 + number for number in range(6)], [100] * 6, runs)
    with pytest.raises(IncompleteError, match=r"^its table of chunks is not in order$"):
        check(FTYP + box(b"mdat", bytes(1000)) + moov(six_chunks))


@given(st.binary(max_size=200), st.integers(0, 1700))
def test_damage_is_told_from_crashes(noise, at):
    """Whatever a file holds, it is whole or not; nothing else is raised."""
    content = film()
    with contextlib.suppress(IncompleteError):
        check(content[:at] + noise + content[at + len(noise) :])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    render(Scene("a cat", "test", 64, 64, 1), path)
    return path.read_bytes()


def test_a_real_clip_is_whole(clip):
    check(clip)


def test_a_real_clip_cut_at_any_box_or_nearby_is_refused(clip):
    starts = {0, len(clip) - 1}
    for kind in (b"ftyp", b"moov", b"mdat", b"free", b"trak", b"mdia", b"stbl", b"stco", b"udta"):
        at = clip.find(kind)
        while at >= 0:
            starts |= {at - 5, at - 4, at - 3, at + 4}
            at = clip.find(kind, at + 1)
    for cut in sorted(start for start in starts if 0 <= start < len(clip)):
        with pytest.raises(IncompleteError):
            check(clip[:cut])
