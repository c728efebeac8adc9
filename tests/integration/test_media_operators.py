"""The media operators with local files and objects."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from PIL import Image

from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.emulator.render import Scene, render
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator
from tests.support import clips
from tests.support.pictures import psnr


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    make = clips.make
    return [
        make(folder / "one.mp4", range(24)),
        make(folder / "two.mp4", range(24, 48)),
        make(folder / "mute.mp4", range(48, 72), sound=None),
    ]


@pytest.fixture(params=["local", "file", "object"])
def base(request, tmp_path):
    """Return the place of a test's files: a folder, a `file://` URI or an object storage."""
    if request.param == "object":
        try:
            from airflow.sdk.io import attach
        except ImportError:  # Airflow 2
            from airflow.io.store import attach
        attach("memory", fs=fsspec.filesystem("memory"))
        yield "memory://bucket/media"
        fsspec.filesystem("memory").store.clear()
    else:
        yield f"file://{tmp_path}" if request.param == "file" else str(tmp_path)


@pytest.fixture
def places(base, originals):
    """Store the clips, and return their addresses."""
    addresses = [f"{base}/{path.name}" for path in originals]
    for address, path in zip(addresses, originals, strict=True):
        at(address).write_bytes(path.read_bytes())
    return addresses


def at(address):
    return ObjectStoragePath(address) if "://" in address else Path(address)


def run(operator):
    result = operator.execute({})
    assert json.loads(json.dumps(result)) == result
    content = at(result["path"]).read_bytes()
    assert (result["bytes"], result["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    return result, content


def extract(source, destination, **arguments):
    return VeoExtractFrameOperator(task_id="extract", source=source, destination=destination, **arguments)


def concat(sources, destination):
    return VeoConcatOperator(task_id="concat", sources=sources, destination=destination)


@pytest.mark.parametrize(("at_", "number", "seconds"), [("last", 23, 23 / 24), ("first", 0, 0.0), ("0.5", 12, 0.5)])
@pytest.mark.parametrize(("suffix", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("JPEG", "JPEG")])
def test_a_frame_is_extracted(places, base, at_, number, seconds, suffix, kind):
    result, content = run(extract(places[0], f"{base}/new/frame.{suffix}", at=at_))
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.size, clips.parse_number(picture)) == (kind, (128, 72), number)
    assert (result["width"], result["height"], result["seconds"]) == (128, 72, round(seconds, 6))


def test_a_source_may_be_a_path_a_result_or_an_object(places, base):
    as_result = {"id": "video_1", "path": places[1], "bytes": 1}
    video, _ = run(concat(iter([places[0], as_result, at(places[0])]), f"{base}/video.mp4"))
    assert (video["seconds"], video["clips"], video["reencoded"]) == (3.0, 3, False)
    frame, content = run(extract(video, f"{base}/frame.png"))
    assert clips.parse_number(Image.open(io.BytesIO(content))) == 23
    assert frame["seconds"] == round(71 / 24, 6)


def test_clips_that_differ_are_reencoded(places, base):
    video, _ = run(concat(places, f"{base}/video.mp4"))
    assert (video["seconds"], video["clips"], video["reencoded"]) == (3.0, 3, True)


def test_a_joined_video_can_replace_one_of_its_clips(places):
    video, _ = run(concat(places[:2], places[0]))
    assert video["seconds"] == 2.0


def test_a_failure_keeps_the_existing_file(places, base):
    at(places[1]).write_bytes(at(places[1]).read_bytes()[:3000])
    at(f"{base}/video.mp4").write_bytes(b"old")
    with pytest.raises(VeoFailException, match=r"two\.mp4 .*(damaged|cut short)"):
        run(concat(places, f"{base}/video.mp4"))
    assert at(f"{base}/video.mp4").read_bytes() == b"old"
    names = sorted(path.name for path in at(base).iterdir() if path.is_file())
    assert names == ["mute.mp4", "one.mp4", "two.mp4", "video.mp4"]


def test_a_time_after_the_end_is_refused(places, base):
    with pytest.raises(VeoFailException, match=r"at is 1 s, and .*one\.mp4 is 1\.000 s long"):
        run(extract(places[0], f"{base}/frame.png", at=1))
    assert not at(f"{base}/frame.png").exists()


@pytest.mark.parametrize(
    ("before", "after", "size"),
    [
        (["-display_hflip"], [], (128, 72)),
        (["-display_rotation", 90, "-display_hflip"], [], (72, 128)),
        ([], ["-aspect", "3:1"], (216, 72)),
    ],
)
def test_the_next_video_begins_with_the_frame_as_players_show_it(base, tmp_path_factory, before, after, size):
    folder = tmp_path_factory.mktemp("chain")
    original = clips.make(folder / "original.mp4", range(4), pictures=clips.cornered)
    video = clips.rewritten(folder / "video.mp4", original, before=before, after=after)
    at(f"{base}/video.mp4").write_bytes(video.read_bytes())
    result, content = run(extract(f"{base}/video.mp4", f"{base}/frame.png"))
    assert (result["width"], result["height"]) == size
    assert Frame.from_bytes(content, "frame.png").media_type == "image/png"
    render(Scene("a cat", "label", *size, 1, first_frame=content), folder / "next.mp4")
    assert psnr(clips.on_screen(folder / "next.mp4"), clips.on_screen(video)) > 25
