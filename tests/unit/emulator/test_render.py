"""Real videos: frames, scenes and file names."""

from __future__ import annotations

import io
from dataclasses import replace

import av
import pytest
from PIL import Image

from airflow_provider_veo.emulator.render import FRAME_RATE, Scene, render

SCENE = Scene("a cat", "label", 128, 96, 1)


def frame(colour, size=(128, 96)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def pictures(scene, folder):
    path = folder / f"{scene.key}.mp4"
    render(scene, path)
    assert list(folder.glob("*.part")) == []
    with av.open(str(path)) as container:
        return [picture.to_image() for picture in container.decode(video=0)]


def colours(picture):
    """Return the darkest and the brightest value of each channel."""
    return picture.getextrema()


def near(colour):
    return tuple((pytest.approx(value, abs=10), pytest.approx(value, abs=10)) for value in colour)


@pytest.mark.parametrize("size", [(128, 96), (300, 100), (50, 400)])
def test_frames_fill_the_first_and_the_last_picture(tmp_path, size):
    red, blue = (200, 30, 30), (30, 30, 200)
    shown = pictures(replace(SCENE, first_frame=frame(red, size), last_frame=frame(blue, size)), tmp_path)
    assert len(shown) == FRAME_RATE
    assert (colours(shown[0]), colours(shown[-1])) == (near(red), near(blue))


def test_a_video_with_a_first_frame_fades_into_its_scene(tmp_path):
    with_frame = pictures(replace(SCENE, first_frame=frame("white")), tmp_path)
    without = pictures(SCENE, tmp_path)
    assert colours(with_frame[0]) == near((255, 255, 255))
    assert colours(with_frame[-1]) == tuple(
        (pytest.approx(low, abs=12), pytest.approx(high, abs=12)) for low, high in colours(without[-1])
    )


def test_the_name_of_a_file_depends_on_everything_in_the_scene():
    one, other = frame("red"), frame("blue")
    scenes = [
        SCENE,
        replace(SCENE, prompt="a dog"),
        replace(SCENE, width=64),
        replace(SCENE, first_frame=one),
        replace(SCENE, first_frame=other),
        replace(SCENE, first_frame=one, last_frame=other),
        replace(SCENE, first_frame="https://example.com/a.png"),
    ]
    assert len({scene.key for scene in scenes}) == len(scenes)
    assert replace(SCENE, first_frame=frame("red")).key == scenes[3].key


def test_the_smallest_size_can_be_rendered(tmp_path):
    assert pictures(replace(SCENE, width=64, height=64), tmp_path)[0].size == (64, 64)
