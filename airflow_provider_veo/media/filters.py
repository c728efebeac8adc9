"""Chains of FFmpeg's filters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import av
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

Step = tuple[str, str]
"""Name and arguments of a filter (https://ffmpeg.org/ffmpeg-filters.html)."""


def link_filters(graph: Graph, source: FilterContext, steps: Iterable[Step], sink: str) -> None:
    """Link a source to filters and a sink, and configure the graph."""
    last = source
    for name, arguments in [*steps, (sink, "")]:
        following = graph.add(name, arguments)
        last.link_to(following)
        last = following
    graph.configure()


def push_frame(graph: Graph, frame: VideoFrame | AudioFrame | None) -> Iterator[VideoFrame | AudioFrame]:
    """Push a frame, or None for the end, and yield the filtered frames that are available."""
    with suppress(av.error.EOFError):  # the graph needs no more frames
        graph.push(frame)
    yield from pull_frames(graph)


def pull_frames(graph: Graph) -> Iterator[VideoFrame | AudioFrame]:
    """Yield the filtered frames that are available."""
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
