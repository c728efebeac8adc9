"""The check that an MP4 file is complete, by its boxes alone."""

from __future__ import annotations

import contextlib
import io
import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_veo.api.formats import mp4
from airflow_provider_veo.api.formats.mp4 import IncompleteError, NoPictureError, check_whole, count_samples, is_video
from airflow_provider_veo.emulator.render import Scene, render
from tests.support.mp4_boxes import FTYP, box, large_box, make_video, moov, numbers, track, track_of


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
    def index(start):
        return moov(track([start], [len(media)], [(1, 1)], **options))

    return FTYP + index(len(FTYP + index(0)) + 8) + box(b"mdat", media)


def fragment(media=b"picture", *, track=1, flags=0x20000, head=(), run=0x201, first=(), offset=None):
    """Return a fragment; `flags` and `run` are those of its `tfhd` and `trun`, `head` and `first` their own numbers.

    `offset` is the position of the media by its base; by default it is that behind the fragment's own head.
    """

    def moof(offset):
        offsets = [offset] if run & 1 else []
        sizes = [len(media) - 1, 1] if run & 0x200 else []
        return box(
            b"moof",
            box(b"mfhd", numbers(0, 1)),
            box(
                b"traf",
                box(b"tfhd", numbers(flags, track, *head)),
                box(b"trun", numbers(run, 2, *offsets, *first, *sizes)),
            ),
        )

    return moof(len(moof(0)) + 8 if offset is None else offset) + box(b"mdat", media)


def in_fragments(*fragments, size=0):
    extends = box(b"mvex", box(b"trex", numbers(0, 1, 1, 0, size, 0)))
    return FTYP + moov(track([], [], []), track([], [], [], handler=b"soun", number=2), extends) + b"".join(fragments)


INDEX = moov(track([len(FTYP)], [8], [(1, 1)]))  # its sample lies at the start of the file
WHOLE = {
    "index at the end": make_video(),
    "index first": with_index_first(),
    "64-bit offsets": with_index_first(wide=True),
    "samples of one size": with_index_first(same_size=1000),
    "more boxes": make_video() + box(b"free", b"x"),
    "a large box": FTYP + INDEX + large_box(b"mdat", bytes(10)),
    "media up to the end": FTYP + INDEX + numbers(0) + b"mdat" + bytes(10),
    "an empty track beside the picture": FTYP + moov(track([len(FTYP)], [8], [(1, 1)]), track([], [], [])),
    "an end of the atoms as QuickTime writes it": FTYP + box(b"mdat") + moov(track([9], [8], [(1, 1)]), numbers(0)),
    "fragments": in_fragments(fragment(), fragment()),
    "fragments of samples of one size": in_fragments(fragment(b"ab", run=1), fragment(b"cd", run=1), size=1),
    "fragments with sound first": in_fragments(fragment(track=2), fragment(), fragment(track=2)),
    "a fragment of one byte": in_fragments(fragment(b"x")),
    "an empty fragment at the end": in_fragments(fragment(), box(b"moof")),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_complete_file_is_accepted(name):
    check(WHOLE[name])


@pytest.mark.parametrize(
    "name",
    ["index at the end", "index first", "64-bit offsets", "samples of one size", "fragments of samples of one size"],
)
def test_a_video_cut_anywhere_is_refused(name):
    content = WHOLE[name]
    # that a whole fragment is missing cannot be seen, nor that the first bytes of its head are all that is left
    first = len(content) - len(fragment(b"cd", run=1)) if "fragments" in name else len(content)
    for size in range(len(content)):
        if not first <= size < first + 8:
            with pytest.raises(IncompleteError):
                check(content[:size])


TRAILERS = {
    "a line break": b"\n",
    "a line break of Windows": b"\r\n",
    "zeros": bytes(8),
    "two zeros": bytes(2),
    "many zeros": bytes(5000),
    "a tag of a music player": b"TAG" + bytes(125),
    "another tag": b"APETAGEX\xd0\x07\0\0" + bytes(20),
    "a comment of a proxy": b"<!-- served by proxy 7 -->",
    "a page about an error": b"<html><h1>502 Bad Gateway</h1></html>" * 9,
    "the end of a form": b"\r\n--boundary--\r\n",
    "the end of an answer in chunks": b"0\r\n\r\n",
    "a trailer of a phone": b"SEFT" + bytes([40, 0, 0, 0]) + b"x" * 40,
    "a box that is cut": box(b"free", bytes(100))[:50],
    "a large box that is cut": large_box(b"uuid", bytes(100))[:50],
    "a random index that is cut": box(b"mfra", bytes(100))[:50],
    "the first bytes of a box": numbers(100) + b"uu",
    "a box that is too short": numbers(7) + b"free" + bytes(99),
}


@pytest.mark.parametrize("trailer", TRAILERS)
@pytest.mark.parametrize("name", [name for name in WHOLE if name != "media up to the end"])
def test_bytes_behind_the_last_sample_are_allowed(name, trailer):
    check(WHOLE[name] + TRAILERS[trailer])
    with pytest.raises(IncompleteError):
        check(FTYP + TRAILERS[trailer])


@given(st.sampled_from(["index at the end", "index first", "fragments"]), st.binary(max_size=100))
def test_any_bytes_may_follow_a_complete_video(name, trailer):
    """After a video in fragments, the head of a fragment belongs to that video, which is then cut."""
    assume(name != "fragments" or trailer[4:8] not in (b"moof", b"sidx", b"styp", b"ssix", b"prft", b"emsg"))
    check(WHOLE[name] + trailer)


def test_a_video_may_be_followed_by_another_that_is_cut():
    for name in ("index at the end", "index first"):
        for size in (50, 500):
            check(WHOLE[name] + make_video()[:size])


@pytest.mark.parametrize("kind", [b"moof", b"sidx", b"styp", b"emsg", b"prft"])
def test_a_cut_head_of_a_fragment_makes_a_video_in_fragments_incomplete(kind):
    check(WHOLE["index at the end"] + box(kind, bytes(100))[:50])
    with pytest.raises(IncompleteError, match=f"its '{kind.decode()}' box is cut"):
        check(WHOLE["fragments"] + box(kind, bytes(100))[:50])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "does not begin with an 'ftyp' box"),
        (moov() + FTYP, "does not begin with an 'ftyp' box"),
        (FTYP, "^its 'moov' box is missing$"),
        (FTYP + box(b"mdat", bytes(9)), "its 'moov' box is missing"),
        (FTYP + b"xyz" + INDEX, "its 'moov' box is missing"),
        (FTYP + numbers(4) + b"free" + INDEX, "its 'moov' box is missing"),
        (FTYP + numbers(1) + b"free" + bytes(4) + INDEX, "its 'moov' box is missing"),
        (FTYP + box(b"mdat", bytes(9))[:-1], r"its 'mdat' box is cut: it ends at byte \d+, and there are \d+"),
        (FTYP + INDEX[:-1], r"its 'moov' box is cut: it ends at byte \d+, and there are \d+"),
        (FTYP + moov(track([10_000], [1], [(1, 1)])) + box(b"mdat"), "its index points to byte 10001, and it has"),
        (in_fragments(fragment(), fragment()[:-8]), r"its index points to byte \d+, and it has"),
        (in_fragments(fragment(), fragment()[:-15]), r"its index points to byte \d+, and it has"),
        (in_fragments(fragment(), box(b"styp")), "^its last segment is missing$"),
        (in_fragments(), "the fragments with its picture are missing"),
        (in_fragments(fragment(track=2)), "the fragments with its picture are missing"),
        (in_fragments(fragment(b"", run=1)), "the fragments with its picture are missing"),
        (FTYP + box(b"moov", b"\xff" * 20) + box(b"mdat"), r"is cut: it ends at byte \d+, and there are \d+$"),
        (
            FTYP + moov(track_of(box(b"stbl", b"\0\0\0\x7fstsz"))),
            r"its 'stsz' box is cut: it ends at byte \d+, and there are \d+$",
        ),
    ],
)
def test_an_incomplete_file_is_refused_with_the_fault(content, complaint):
    with pytest.raises(IncompleteError, match=complaint) as caught:
        check(content)
    assert not isinstance(caught.value, NoPictureError)


@pytest.mark.parametrize(
    "index",
    [
        moov(),
        moov(track([], [], [])),
        moov(track([9], [], [(1, 1)])),
        moov(track([9], [0, 0], [(1, 2)])),
        moov(track([9], [8], [(1, 1)], handler=b"soun")),
        moov(track([9], [8], [(1, 1)], handler=b"pict")),
        moov(track([9], [8], [(1, 1)], handler=b"soun"), track([], [], [], number=2)),
        moov(box(b"trak", box(b"mdia"))),
    ],
)
def test_a_file_without_a_picture_is_not_a_video(index):
    with pytest.raises(NoPictureError, match=r"^it has no picture$"):
        check(FTYP + box(b"mdat", bytes(99)) + index)


def cut_by_one(content):
    """Check that a video is whole and no byte too long."""
    check(content)
    with pytest.raises(IncompleteError, match=f"index points to byte {len(content)}, and it has {len(content) - 1}"):
        check(content[:-1])


@pytest.mark.parametrize("first", [(), (9,)])
@pytest.mark.parametrize(
    ("flags", "head"), [(0x20000, ()), (0, ()), (0x2003A, (1, 1, 99, 1)), (0x20038, (1, 99, 1)), (0x20020, (1,))]
)
def test_the_end_of_the_samples_of_a_fragment_is_found(flags, head, first):
    run = 0x205 if first else 0x201
    cut_by_one(in_fragments(fragment(flags=flags, head=head, run=run, first=first)))


def test_a_fragment_may_give_one_size_for_all_its_samples():
    cut_by_one(in_fragments(fragment(b"ab" * 5, flags=0x2001A, head=(1, 99, 5), run=1)))
    cut_by_one(in_fragments(fragment(b"ab" * 5, flags=0x20010, head=(5,), run=1), size=7))
    cut_by_one(in_fragments(fragment(b"ab" * 7, run=1), size=7))


@pytest.mark.parametrize(
    ("flags", "more"),
    [(0x10, ()), (0x12, (0xFFFF,)), (0x18, (0xFFFF,)), (0x1A, (0xFFFF, 0xFFFF))],
)
@pytest.mark.parametrize("at_start", [True, False])
def test_the_size_of_all_samples_of_a_fragment_stands_behind_its_other_fields(flags, more, at_start):
    base = (0, len(in_fragments())) if at_start else ()
    head = (*base, *more, 260, 0xFFFF)
    cut_by_one(in_fragments(fragment(bytes(2 * 260), flags=flags | 0x20 | at_start, head=head, run=1), size=7))


def test_a_fragment_may_count_from_any_position_of_the_file():
    start = len(in_fragments()) + len(fragment(flags=0x29, head=(0, 0, 9, 9))) - len(b"picture")
    moof = fragment(flags=0x29, head=(0, start, 9, 9), offset=0)
    cut_by_one(in_fragments(moof))
    same_size = fragment(bytes(14), flags=0x29, head=(0, start - 8, 9, 9), run=1, offset=0)
    cut_by_one(in_fragments(same_size, size=7))


@pytest.mark.parametrize(
    ("offset", "bytes_from_base"), [(2**31 - 1, 2**31 - 1), (2**31, -(2**31)), (2**32 - 1, -1), (0, 0)]
)
def test_the_position_of_a_fragment_may_lie_before_its_base(offset, bytes_from_base):
    with pytest.raises(IncompleteError, match=f"index points to byte {2**33 + bytes_from_base + 7},"):
        check(in_fragments(fragment(b"picture", flags=0x1, head=(2, 0), offset=offset)))


def test_the_sizes_of_samples_may_have_all_bits():
    huge = 2**32 - 1
    run = box(b"trun", numbers(0x201, 2, 5, huge, huge))
    moof = box(b"moof", box(b"traf", box(b"tfhd", numbers(0x1, 1, 0, 100)), run))
    with pytest.raises(IncompleteError, match=f"index points to byte {105 + 2 * huge},"):
        check(in_fragments(moof))
    one_chunk = box(b"stsc", numbers(0, 1, 1, huge, 1)), box(b"stco", STCO)
    assert end_by(*one_chunk, box(b"stsz", numbers(0, huge, huge))) == 10_000 + huge**2
    assert end_by(*one_chunk, box(b"stsz", numbers(0, 0, 1, huge))) == 10_000 + huge


def test_a_chunk_has_no_more_samples_than_the_table_of_sizes():
    two_chunks = box(b"stsc", STSC), box(b"stco", numbers(0, 2, 10_000, 20_000))
    assert end_by(*two_chunks, box(b"stsz", numbers(0, 7, 1))) == 20_000
    one_chunk = box(b"stsc", numbers(0, 1, 1, 5, 1)), box(b"stco", STCO)
    assert end_by(*one_chunk, box(b"stsz", STSZ, numbers(9, 9))) == 10_300


def test_each_track_of_a_fragment_may_count_from_the_head_of_the_fragment():
    def moof(start):
        tracks = (
            box(b"traf", box(b"tfhd", numbers(0x20000, number)), box(b"trun", numbers(0x201, 1, start + number, 5)))
            for number in (1, 2)
        )
        return box(b"moof", *tracks)

    cut_by_one(in_fragments(moof(len(moof(0)) + 8), box(b"mdat", bytes(2 + 5))))


def test_a_track_of_a_fragment_without_a_head_counts_from_the_head_of_the_fragment():
    def moof(offset):
        return box(b"moof", box(b"traf", box(b"trun", numbers(0x201, 1, offset, 5))))

    cut_by_one(in_fragments(fragment(), moof(len(moof(0)) + 8), box(b"mdat", bytes(5))))


def test_the_number_of_a_track_may_stand_behind_times_of_64_bits():
    head = box(b"tkhd", numbers(1 << 24, 0, 3, 0, 3, 5, 0))
    picture = box(b"trak", head, box(b"mdia", box(b"hdlr", numbers(0, 0), b"vide", bytes(13))))
    check(FTYP + moov(picture, box(b"mvex")) + fragment(track=5))


def test_samples_without_a_size_have_no_bytes():
    check(in_fragments(fragment(), fragment(b"", track=2, run=1)))


def test_runs_and_tracks_of_a_fragment_follow_each_other():
    def moof(start):
        picture = (
            box(b"tfhd", numbers(0, 1)),
            box(b"trun", numbers(0x301, 2, start, 99, 10, 99, 20)),
            box(b"trun", numbers(0xF00, 1, 99, 30, 99, 99)),
        )
        sound = box(b"tfhd", numbers(0x10, 2, 4)), box(b"trun", numbers(0, 10))
        return box(b"moof", box(b"traf", *picture), box(b"traf", *sound))

    cut_by_one(in_fragments(moof(len(moof(0)) + 8), box(b"mdat", bytes(10 + 20 + 30 + 4 * 10))))
    check(in_fragments(box(b"mdat", bytes(100)), moof(2**32 - 100)))  # an offset may be negative


def test_little_is_read_of_videos_in_many_fragments(monkeypatch):
    monkeypatch.setattr(mp4, "_MOST_BOXES", 2_100)
    check(in_fragments(fragment() * 1_000))


@pytest.mark.parametrize("path", [[], [b"moov"], [b"moov", b"trak"], [b"moov", b"trak", b"mdia", b"minf"]])
def test_the_boxes_of_all_levels_are_counted(monkeypatch, path):
    boxes = box(b"free") * 1000
    for kind in reversed(path):
        boxes = box(kind, boxes)
    content = FTYP + boxes + INDEX
    monkeypatch.setattr(mp4, "_MOST_BOXES", 999)
    with pytest.raises(IncompleteError, match="more than 999 boxes"):
        check(content)
    monkeypatch.setattr(mp4, "_MOST_BOXES", 100_000)
    with contextlib.suppress(NoPictureError):
        check(content)


def test_a_file_may_have_as_many_boxes_as_the_limit(monkeypatch):
    monkeypatch.setattr(mp4, "_MOST_BOXES", 9)
    with pytest.raises(IncompleteError, match="its 'moov' box is missing"):
        check(FTYP + box(b"free") * 8)
    with pytest.raises(IncompleteError, match="more than 9 boxes"):
        check(FTYP + box(b"free") * 9)


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


def test_a_file_that_becomes_shorter_during_the_check_is_incomplete():
    class File(io.BytesIO):
        def read(self, size=-1):
            return super().read(size)[: 5 if size > 16 else None]

    check_whole(File(make_video()))


@pytest.mark.parametrize("version", [0, 1])
def test_a_segment_index_shows_missing_segments(version):
    segment = fragment()
    times = bytes(8) if version == 0 else bytes(16)
    head = numbers(version << 24, 1, 1000) + times + numbers(2)  # reserved, and the count
    index = box(b"sidx", head, *[numbers(len(segment), 1000, 0)] * 2)
    check(in_fragments(index, segment, segment))
    with pytest.raises(IncompleteError, match="index points to byte"):
        check(in_fragments(index, segment))


@pytest.mark.parametrize(("version", "offset"), [(0, 0x01020304), (1, 0x0102030405060708)])
def test_a_segment_index_gives_the_end_of_the_last_segment(version, offset):
    sizes = range(1, 259)
    times = numbers(0, offset) if version == 0 else struct.pack(">QQ", 0, offset)
    segments = b"".join(
        numbers(1 << 31 | size, 1000, 0) for size in sizes
    )  # the first bit is the kind of the reference
    index = box(b"sidx", numbers(version << 24, 1, 1000), times, numbers(len(sizes)), segments, numbers(9, 9, 9))
    for content, start in (
        (in_fragments(index, fragment()), len(in_fragments(index))),
        (FTYP + index + in_fragments(fragment())[len(FTYP) :], len(FTYP + index)),
    ):
        with pytest.raises(IncompleteError, match=f"index points to byte {start + offset + sum(sizes)},"):
            check(content)


def video_of(*tables):
    """Return a video with these sample tables, and with hardly any media."""
    index = moov(track_of(box(b"stbl", *tables)))
    return FTYP + index + box(b"mdat", b"\xff" * 8)


def end_by(*tables):
    """Return the byte behind the end of that video that its index points to."""
    with pytest.raises(IncompleteError, match="index points to byte") as caught:
        check(video_of(*tables))
    return int(str(caught.value).split()[5].rstrip(","))


STSC, STSZ, STCO = numbers(0, 1, 1, 1, 1), numbers(0, 0, 1, 300), numbers(0, 1, 10_000)  # one chunk with one sample


def test_an_index_points_to_the_end_of_the_last_sample():
    assert end_by(box(b"stsc", STSC), box(b"stsz", STSZ), box(b"stco", STCO)) == 10_300
    for far in (2**33 + 1, 2**64 - 1):
        chunk = box(b"co64", numbers(0, 1), struct.pack(">Q", far))
        assert end_by(box(b"stsc", STSC), box(b"stsz", STSZ), chunk) == far + 300
    assert end_by(box(b"stsc", numbers(0, 1, 1, 3, 1)), box(b"stsz", numbers(0, 7, 3)), box(b"stco", STCO)) == 10_021
    assert end_by(box(b"stsc", STSC), box(b"stsz", numbers(0, 2**24, 1)), box(b"stco", STCO)) == 10_000 + 2**24


def test_the_boxes_in_a_box_with_a_long_size_are_read():
    index = large_box(b"moov", track([10_000], [300], [(1, 1)]))
    with pytest.raises(IncompleteError, match="index points to byte 10300,"):
        check(FTYP + index + box(b"mdat"))


def test_an_index_without_a_size_reaches_to_the_end_of_the_file():
    check(FTYP + box(b"mdat", bytes(9)) + numbers(0) + INDEX[4:])


def test_a_box_with_a_huge_size_is_cut():
    head = numbers(1) + b"mdat" + struct.pack(">Q", 2**60 + 5)
    with pytest.raises(IncompleteError, match=f"its 'mdat' box is cut: it ends at byte {len(FTYP) + 2**60 + 5},"):
        check(FTYP + head)


def test_the_check_reads_only_the_index():
    class File(io.BytesIO):
        def read(self, size=-1):
            assert 0 <= size < 100
            return super().read(size)

    check_whole(File(make_video()))


@pytest.mark.parametrize(("last", "samples"), [(0, (0, 2)), (1, (2, 4)), (2, (4, 5)), (3, (5, 6)), (4, (6, 9))])
def test_the_last_chunk_of_the_file_may_stand_anywhere_in_the_table(last, samples):
    runs = numbers(0, 3, 1, 2, 1, 3, 1, 1, 5, 3, 1)  # two samples in chunks 1 and 2, one in 3 and 4, three in 5
    runs += numbers(4, 9, 1)  # beyond what the table says
    sizes = [2**power for power in range(9)]
    offsets = [20_000 if chunk == last else 10_000 for chunk in range(5)]
    end = end_by(box(b"stsc", runs), box(b"stsz", numbers(0, 0, 9, *sizes)), box(b"stco", numbers(0, 5, *offsets)))
    assert end == 20_000 + sum(sizes[slice(*samples)])


def test_a_table_ends_at_its_count_or_at_the_end_of_its_box():
    more, cut = numbers(99_999, 1, 1, 1), b"\xff\xff\xff"
    say_less = box(b"stsc", STSC, numbers(1, 9, 9)), box(b"stsz", STSZ, more), box(b"stco", STCO, more)
    assert end_by(*say_less) == 10_300
    many = numbers(0, 2**24)
    say_more = box(b"stsc", many, STSC[8:]), box(b"stsz", STSZ, cut), box(b"stco", many, STCO[8:], cut)
    assert end_by(*say_more) == 10_300


def test_a_cut_run_of_chunks_counts_like_the_previous_run():
    tables = box(b"stsc", numbers(0, 2, 1, 1, 1, 2)), box(b"stsz", numbers(0, 0, 2, 300, 400))
    assert end_by(*tables, box(b"stco", numbers(0, 2, 10_000, 20_000))) == 20_400


@pytest.mark.parametrize("lacking", [b"stsc", b"stsz", b"stco"])
def test_without_one_of_its_tables_a_track_has_no_samples(lacking):
    tables = {b"stsc": STSC, b"stsz": STSZ, b"stco": STCO}
    tables.pop(lacking)
    with pytest.raises(NoPictureError):
        check(video_of(*(box(kind, content) for kind, content in tables.items())))


def test_a_table_of_chunks_without_an_entry_gives_no_samples_to_a_chunk():
    assert end_by(box(b"stsc", numbers(0, 0)), box(b"stsz", STSZ), box(b"stco", STCO)) == 10_000


def test_a_table_that_ends_before_its_count_has_no_samples():
    with pytest.raises(NoPictureError):
        check(video_of(box(b"stsc", STSC), box(b"stsz", numbers(0, 7)), box(b"stco", STCO)))


@pytest.mark.parametrize(("bits", "letter", "largest"), [(8, "B", 255), (16, "H", 65_535)])
def test_sizes_of_samples_may_have_fewer_bits(bits, letter, largest):
    sizes = box(b"stz2", numbers(0, bits, 4), struct.pack(f">4{letter}", 1, 2, 200, largest))
    runs = box(b"stsc", numbers(0, 1, 1, 2, 1))
    assert end_by(runs, sizes, box(b"stco", numbers(0, 2, 10_000, 20_000))) == 20_200 + largest
    with pytest.raises(NoPictureError):
        check(video_of(runs, box(b"stz2", numbers(0, bits, 4), bytes(8)), box(b"stco", STCO)))


def test_an_index_larger_than_any_video_needs_is_refused(monkeypatch):
    monkeypatch.setattr(mp4, "_LARGEST_INDEX", len(STSC))
    assert end_by(box(b"stsc", STSC), box(b"stsz", STSZ), box(b"stco", STCO)) == 10_300
    with pytest.raises(IncompleteError, match="its 'stsc' box is larger than any video needs"):
        check(video_of(box(b"stsc", STSC, b"x"), box(b"stsz", STSZ), box(b"stco", STCO)))


@pytest.mark.parametrize("runs", [[(8, 900)], [(8, 900), (9, 1)], [(1, 1), (5, 900), (2, 900)]])
def test_a_table_of_chunks_out_of_order_is_damage(runs):
    six_chunks = track([len(FTYP) + 8 + number for number in range(6)], [100] * 6, runs)
    with pytest.raises(IncompleteError, match=r"^its table of chunks is not in order$"):
        check(FTYP + box(b"mdat", bytes(1000)) + moov(six_chunks))


def count(content):
    return count_samples(io.BytesIO(content))


def test_the_samples_of_all_tracks_and_fragments_are_counted():
    two_tracks = moov(track([9], [1, 2, 3], [(1, 3)]), track([9], [4], [], handler=b"soun", number=2, same_size=4))
    assert count(FTYP + two_tracks) == 3 + 1
    few_bits = track_of(box(b"stbl", box(b"stz2", numbers(0, 8, 5), bytes(5))))
    assert count(FTYP + box(b"mdat") + moov(few_bits)) == 5
    assert count(in_fragments(fragment(), fragment(track=2, run=1), box(b"free"))) == 2 + 2
    assert count(FTYP + moov(track_of(box(b"stbl", box(b"stsz", numbers(0, 1, 2**32 - 1)))))) == 2**32 - 1
    assert count(b"") == 0


def test_the_samples_of_a_cut_index_are_not_counted():
    with pytest.raises(IncompleteError, match="its 'moov' box is cut"):
        count(make_video()[:-1])


@given(st.binary(max_size=200), st.integers(0, 1700))
def test_damage_raises_only_an_incomplete_error(noise, at):
    """Every content is either complete or raises this error."""
    content = make_video()
    with contextlib.suppress(IncompleteError):
        check(content[:at] + noise + content[at + len(noise) :])


@given(st.binary(max_size=50), st.integers(0, 800))
def test_damage_of_fragments_raises_only_an_incomplete_error(noise, at):
    content = WHOLE["fragments with sound first"]
    with contextlib.suppress(IncompleteError):
        check(content[:at] + noise + content[at + len(noise) :])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    render(Scene("a cat", "test", 64, 64, 1), path)
    return path.read_bytes()


def test_a_real_clip_is_complete(clip):
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
