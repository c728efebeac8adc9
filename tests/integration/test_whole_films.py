"""Films as real writers lay them out: cut anywhere they are refused, and whatever follows them is no fault."""

from __future__ import annotations

import io

import av
import pytest
from PIL import Image

from airflow_provider_veo.api.formats.mp4 import IncompleteError, NoPictureError, check_whole
from airflow_provider_veo.media.clip import examine
from airflow_provider_veo.media.concat import concat
from airflow_provider_veo.media.still import extract_frame
from tests.support import clips
from tests.support.mp4_boxes import box, large_box

LAYOUTS = {
    "index at the end": ["-movflags", "0"],
    "index first": ["-movflags", "+faststart"],
    "QuickTime": ["-f", "mov"],
    "fragments": ["-movflags", "frag_keyframe+empty_moov"],
    "fragments that count from their own start": ["-movflags", "frag_keyframe+empty_moov+default_base_moof"],
    "the first fragment in the index": ["-movflags", "frag_keyframe"],
    "a fragment for each frame": ["-movflags", "frag_every_frame+empty_moov+skip_trailer"],
    "a fragment for each track": ["-movflags", "frag_keyframe+empty_moov+separate_moof"],
    "fragments without places": ["-movflags", "frag_keyframe+empty_moov+omit_tfhd_offset"],
    "segments": ["-movflags", "dash+frag_keyframe"],
    "segments with one index": ["-movflags", "global_sidx+frag_keyframe+empty_moov+default_base_moof"],
    "CMAF": ["-movflags", "cmaf+frag_keyframe+skip_trailer"],
    "fragments that became one film": ["-movflags", "hybrid_fragmented+frag_keyframe"],
}
TRAILERS = {
    "a line break": b"\n",
    "zeros": bytes(64),
    "a tag": b"TAG" + bytes(125),
    "a page": b"<html>502 Bad Gateway</html>\r\n--boundary--\r\n" * 20,
    "a box that is cut": box(b"free", bytes(100))[:50],
    "a large box that is cut": large_box(b"mdat", bytes(100))[:50],
}


@pytest.fixture(scope="module", params=LAYOUTS)
def film(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    source = clips.make(folder / "source.mp4", range(12), gop=4)
    return clips.rewritten(folder / "film.mp4", source, after=LAYOUTS[request.param])


def is_whole(content):
    try:
        check_whole(io.BytesIO(content))
    except IncompleteError:
        return False
    return True


def fragment_starts(content):
    """Return where a fragment follows another: nothing tells that it is missing, nor its first seven bytes."""
    at, before, starts = 0, b"", []
    while at < len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if kind in (b"moof", b"sidx") and before == b"mdat":
            starts.append(at)
        at, before = at + size, kind
    return starts


def test_a_film_that_is_cut_in_a_sample_is_refused(film):
    content = film.read_bytes()
    with av.open(str(film)) as container:
        ends = {packet.pos + packet.size for packet in container.demux() if packet.size}
    end = max(ends)
    assert is_whole(content)
    assert is_whole(content[:end]) or content.rindex(b"moov") > end
    unseen = {start + more for start in fragment_starts(content) for more in range(8)}
    cuts = {at + more for at in {*ends, *range(0, end, 11)} for more in (-1, 0) if 0 <= at + more < end}
    taken = {cut for cut in cuts if is_whole(content[:cut])}
    assert taken <= unseen


@pytest.mark.parametrize("trailer", TRAILERS)
def test_a_film_with_a_trailer_is_whole_and_can_be_worked_with(film, tmp_path, trailer):
    path = tmp_path / "trailed.mp4"
    path.write_bytes(film.read_bytes() + TRAILERS[trailer])
    assert is_whole(path.read_bytes())
    assert examine(clips.source(path)).seconds == 0.5
    extract_frame(clips.source(path), tmp_path / "last.png", kind="png", at=None)
    with Image.open(tmp_path / "last.png") as picture:
        assert clips.number_of(picture) == 11
    if trailer != "a page":
        return
    concat([clips.source(path), clips.source(path)], tmp_path / "joined.mp4")
    assert clips.numbers_in(tmp_path / "joined.mp4") == [*range(12)] * 2


def test_sound_alone_and_a_cover_are_no_video(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "cover.png")
    film = clips.make(tmp_path / "film.mp4", range(12))
    sound, covered, still = (tmp_path / name for name in ("sound.mp4", "covered.m4a", "still.avif"))
    clips.ffmpeg("-i", film, "-vn", "-c", "copy", sound)
    cover = ("-i", tmp_path / "cover.png", "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic")
    clips.ffmpeg("-i", sound, *cover, "-f", "mp4", covered)
    for path in (sound, covered):
        with path.open("rb") as file, pytest.raises(NoPictureError, match="it has no picture"):
            check_whole(file)
    Image.new("RGB", (64, 64)).save(still)
    assert not is_whole(still.read_bytes())


def test_a_film_without_a_frame_is_no_video(tmp_path):
    with av.open(str(tmp_path / "empty.mp4"), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 128, 72, "yuv420p"
        container.start_encoding()
    assert not is_whole((tmp_path / "empty.mp4").read_bytes())
