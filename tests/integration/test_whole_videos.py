"""Videos in the layouts of real writers: a cut video is refused, and bytes behind a whole one are accepted."""

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
    "fragments without offsets": ["-movflags", "frag_keyframe+empty_moov+omit_tfhd_offset"],
    "segments": ["-movflags", "dash+frag_keyframe"],
    "segments with one index": ["-movflags", "global_sidx+frag_keyframe+empty_moov+default_base_moof"],
    "CMAF": ["-movflags", "cmaf+frag_keyframe+skip_trailer"],
    "fragments that became one video": ["-movflags", "hybrid_fragmented+frag_keyframe"],
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
def video(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    source = clips.make(folder / "source.mp4", range(12), gop=4)
    return clips.rewritten(folder / "video.mp4", source, after=LAYOUTS[request.param])


def is_whole(content):
    try:
        check_whole(io.BytesIO(content))
    except IncompleteError:
        return False
    return True


def fragment_starts(content):
    """Return the places where a fragment follows another: a cut there or seven bytes later cannot be noticed."""
    at, before, starts = 0, b"", []
    while at < len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if kind in (b"moof", b"sidx") and before == b"mdat":
            starts.append(at)
        at, before = at + size, kind
    return starts


def test_a_video_that_is_cut_in_a_sample_is_refused(video):
    content = video.read_bytes()
    with av.open(str(video)) as container:
        ends = {packet.pos + packet.size for packet in container.demux() if packet.size}
    end = max(ends)
    assert is_whole(content)
    assert is_whole(content[:end]) or content.rindex(b"moov") > end
    unseen = {start + more for start in fragment_starts(content) for more in range(8)}
    cuts = {at + more for at in {*ends, *range(0, end, 11)} for more in (-1, 0) if 0 <= at + more < end}
    taken = {cut for cut in cuts if is_whole(content[:cut])}
    assert taken <= unseen


@pytest.mark.parametrize("trailer", TRAILERS)
def test_a_video_with_a_trailer_is_whole_and_usable(video, tmp_path, trailer):
    path = tmp_path / "trailed.mp4"
    path.write_bytes(video.read_bytes() + TRAILERS[trailer])
    assert is_whole(path.read_bytes())
    assert examine(clips.source(path)).seconds == 0.5
    extract_frame(clips.source(path), tmp_path / "last.png", kind="png", at=None)
    with Image.open(tmp_path / "last.png") as picture:
        assert clips.parse_number(picture) == 11
    if trailer != "a page":
        return
    concat([clips.source(path), clips.source(path)], tmp_path / "joined.mp4")
    assert clips.numbers_in(tmp_path / "joined.mp4") == [*range(12)] * 2


def test_sound_with_or_without_a_cover_is_not_a_video(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "cover.png")
    video = clips.make(tmp_path / "video.mp4", range(12))
    sound, covered, still = (tmp_path / name for name in ("sound.mp4", "covered.m4a", "still.avif"))
    clips.ffmpeg("-i", video, "-vn", "-c", "copy", sound)
    cover = ("-i", tmp_path / "cover.png", "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic")
    clips.ffmpeg("-i", sound, *cover, "-f", "mp4", covered)
    for path in (sound, covered):
        with path.open("rb") as file, pytest.raises(NoPictureError, match="it has no picture"):
            check_whole(file)
    Image.new("RGB", (64, 64)).save(still)
    assert not is_whole(still.read_bytes())


def test_a_file_without_a_frame_is_not_a_video(tmp_path):
    with av.open(str(tmp_path / "empty.mp4"), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 128, 72, "yuv420p"
        container.start_encoding()
    assert not is_whole((tmp_path / "empty.mp4").read_bytes())
