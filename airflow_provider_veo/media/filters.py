"""FFmpeg's filters in a row: frames go in at one end and come out at the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import av
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

Step = tuple[str, str]
"""Name and arguments of a filter, as in https://ffmpeg.org/ffmpeg-filters.html."""


def chain(graph: Graph, source: FilterContext, steps: Iterable[Step], sink: str) -> None:
    """Link filters in a row behind a source and make the graph ready."""
    last = source
    for name, arguments in [*steps, (sink, "")]:
        following = graph.add(name, arguments)
        last.link_to(following)
        last = following
    graph.configure()


def through(graph: Graph, frame: VideoFrame | AudioFrame | None) -> Iterator[VideoFrame | AudioFrame]:
    """Put a frame in, or None for the end, and yield what comes out."""
    with suppress(av.error.EOFError):  # the graph has had enough
        graph.push(frame)
    yield from ready(graph)


def ready(graph: Graph) -> Iterator[VideoFrame | AudioFrame]:
    """Yield what has come out so far."""
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
