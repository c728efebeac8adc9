"""Inputs and expected files of each example Dag, for offline runs in the demo and in tests."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
from PIL import Image, ImageDraw

from airflow_provider_veo.emulator.jobs import Jobs
from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS
from dev.airflow_lab import AirflowLab, LabError
from dev.waiting import wait_until

PREFIX = "example_veo_"
POOL = {"name": "veo_gateway", "slots": 2, "description": "videos in flight", "include_deferred": True}
RUN_TIMEOUT = 600.0
GATEWAY = "veo-gateway"
BACKENDS = ("vertex", "gemini", "openrouter")
"""Dialects of the backends that have an example of their own, which has the name of the backend."""

Conf = Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """An example Dag.

    Attributes:
        name: ID of the Dag without `example_veo_`.
        conf: Function that returns the conf of a run. It may write files into the folder that it gets.
        videos: Number of charged videos, by chat call or as jobs.
        files: Suffix, width, height and seconds (0 for a picture) of each stored file.
        scheduled: Whether the schedule starts the only run, as soon as the Dag is unpaused.
        started_by: ID of the Dag whose asset starts this one; None if a person starts it.
        dialect: Dialect of the emulator that takes the orders of this example.
        extra: Further fields in the extra of its connection.
    """

    name: str
    videos: int
    files: tuple[tuple[str, int, int, int], ...]
    conf: Callable[[Path], Conf] = field(default=lambda _folder: {})
    scheduled: bool = False
    started_by: str | None = None
    dialect: str = GATEWAY
    extra: Conf = field(default_factory=dict)

    @property
    def conn_id(self) -> str:
        """ID of its connection."""
        return "veo_default" if self.dialect == GATEWAY else f"veo_{self.dialect}"

    @property
    def dag_id(self) -> str:
        """ID of the Dag."""
        return PREFIX + self.name


def frames(folder: Path) -> Conf:
    """Draw two pictures, and return the conf that names them."""
    places = {}
    for name, colour in (("first_frame", "peachpuff"), ("last_frame", "midnightblue")):
        picture = Image.new("RGB", (1280, 720), colour)
        ImageDraw.Draw(picture).ellipse((540, 260, 740, 460), fill="gold" if name == "first_frame" else "white")
        places[name] = str(folder / f"{name}.png")
        picture.save(places[name])
    return places


LANDSCAPE = (".mp4", 1280, 720, 8)
PORTRAIT = (".mp4", 720, 1280, 8)
EXAMPLES = {
    example.dag_id: example
    for example in (
        Example("text_to_video", 1, (LANDSCAPE,), scheduled=True),
        Example("taskflow", 2, (LANDSCAPE,) * 2),
        Example("batch", 3, (PORTRAIT,) * 3),
        Example("sensor", 1, (PORTRAIT,)),
        Example("first_and_last_frame", 1, (LANDSCAPE,), frames),
        Example("story", 4, (*[(".mp4", 1280, 720, 8)] * 4, (".mp4", 1280, 720, 32), *[(".png", 1280, 720, 0)] * 3)),
        Example("approval", 1, (LANDSCAPE,) * 2),
        Example("chat", 2, (PORTRAIT,) * 2),
        # the judge refuses the first video of the emulator, and takes the second
        Example("until_good", *((2, (LANDSCAPE,) * 2) if AIRFLOW_V_3_4_PLUS else (1, (LANDSCAPE,)))),
        Example("on_new_video", 1, ((".jpg", 1280, 720, 0),), started_by=f"{PREFIX}text_to_video"),
        Example("vertex", 1, ((".mp4", 1280, 720, 4),), dialect="vertex", extra={"output_uri": "gs://my-bucket/veo/"}),
        Example("gemini", 1, ((".mp4", 720, 1280, 5),), dialect="gemini"),
        Example("openrouter", 1, ((".mp4", 1280, 720, 4),), dialect="openrouter"),
    )
}


def named(name: str) -> Example:
    """Return an example by the id of its Dag, with or without `example_veo_`.

    Raises:
        LabError: There is no example of that name.
    """
    example = EXAMPLES.get(PREFIX + name.removeprefix(PREFIX))
    if example is None:
        raise LabError(f"There is no example {name!r}. There are: {', '.join(sorted(EXAMPLES))}.")
    return example


def prepare(lab: AirflowLab) -> None:
    """Create the pool that the example `batch` needs."""
    with contextlib.suppress(httpx.HTTPStatusError):  # the pool exists already
        lab.request("POST", "/pools", POOL)


def start(lab: AirflowLab, example: Example, conf: Conf) -> str:
    """Start an example by a request, its schedule or an asset, and return the id of its run.

    Raises:
        LabError: The example does not start.
    """
    if example.started_by:
        lab.unpause(example.dag_id)
        start(lab, EXAMPLES[example.started_by], conf)
    elif example.scheduled:
        lab.unpause(example.dag_id)
    else:
        return lab.trigger(example.dag_id, conf)
    try:
        what = f"a run of {example.dag_id} to start"
        return wait_until(what, lambda: lab.run_ids(example.dag_id), RUN_TIMEOUT, pause=0.5)[0]
    except TimeoutError as error:
        raise LabError(str(error)) from None


def charged(jobs: Jobs) -> int:
    """Return the number of videos that the emulator has charged."""
    return int(jobs.report()["charged"]) + jobs.counters.chat_videos


def files(example: Example, storage: Path) -> list[Path]:
    """Return the files that an example has stored, in all its runs."""
    return sorted(path for path in (storage / example.dag_id).rglob("*") if path.is_file())


def check(example: Example, paths: list[Path]) -> None:
    """Open all files of a run, as a player would.

    Raises:
        LabError: The files are not the expected ones.
    """
    found = sorted(look_at(path) for path in paths)
    if found != sorted(example.files):
        raise LabError(f"{example.dag_id} has stored {found} instead of {sorted(example.files)}.")


def look_at(path: Path) -> tuple[str, int, int, int]:
    """Return suffix, width, height and seconds of a file. A video must have picture and sound from start to end.

    Raises:
        LabError: The file cannot be played.
    """
    if path.suffix != ".mp4":
        with Image.open(io.BytesIO(path.read_bytes())) as picture:
            picture.load()
            return (path.suffix, *picture.size, 0)
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        codecs = (video.codec_context.name, audio.codec_context.name)
        seconds = float((container.duration or 0) / av.time_base)
        if codecs != ("h264", "aac") or sum(1 for _ in container.decode(video)) < 20 * seconds:
            raise LabError(f"{path} is not a whole video: {codecs}, {seconds} s.")
        return path.suffix, video.width, video.height, round(seconds)
