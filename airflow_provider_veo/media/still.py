"""Write one frame of a video as a picture: the first, the last, or the frame on screen at a time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.media import limits
from airflow_provider_veo.media.clip import (
    Measure,
    OpenVideo,
    Source,
    decode_packet,
    get_time_unit,
    open_video,
    round_to_even,
)
from airflow_provider_veo.media.filters import link_filters
from airflow_provider_veo.media.orientation import Orientation, read_matrix

PictureType = Literal["png", "jpeg"]

_RESOLUTION = Fraction(1, 1_000_000)
"""Resolution of times in seconds: a float such as 1/24 lies slightly below the time of its frame."""

_DECODE_EARLY = 1
"""Seconds by which decoding begins early: files are indexed by decoding times, which lie before the shown times."""

_ACCURATE = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_JPEG_QUALITY = 2  # from 1 (best) to 31


@dataclass(frozen=True)
class Still:
    """A frame that was written.

    Attributes:
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        seconds: Time at which the frame appears on screen, from the start of the video.
    """

    width: int
    height: int
    seconds: float


def extract_frame(source: Source, picture: Path, *, kind: PictureType, at: float | None) -> Still:
    """Write the frame that is on screen at a time, as a player shows it: turned, mirrored, in square pixels.

    Decoding begins at the key frame before the time. It begins at the start of a file whose index is missing or wrong.

    Args:
        source: File that holds the video.
        picture: The file to write.
        kind: Format of the file.
        at: Seconds from the start of the video; None for the last frame.

    Raises:
        InvalidInputError: The file is not a video or is damaged, or the time lies after its end.
    """
    shown = _find(source, at)
    if at is not None and shown.end is not None and at >= shown.end:
        raise InvalidInputError(
            f"at is {at:g} s, and {source.name} is {float(shown.end):.3f} s long. Choose an earlier time, or 'last'."
        )
    still = _convert(source, shown, kind)
    picture.write_bytes(_encode(still, kind))
    return Still(still.width, still.height, round(float(shown.since), 6))


@dataclass(frozen=True)
class _Shown:
    """A frame on screen.

    Attributes:
        frame: The decoded frame of the video.
        pixel_aspect: Width of its pixels divided by their height.
        since: Time at which the frame appears on screen, in seconds.
        end: End of the video in seconds; None if the frame is not the last one.
    """

    frame: VideoFrame
    pixel_aspect: Fraction
    since: Fraction
    end: Fraction | None


def _find(source: Source, at: float | None) -> _Shown:
    # a wrong index causes errors that look like damage
    with suppress(InvalidInputError), open_video(source) as video:
        if _seek(video, at) and (shown := _find_latest(source, video, at, has_seeked=True)):
            return shown
    with open_video(source) as video:
        shown = _find_latest(source, video, at, has_seeked=False)
    if shown is None:
        raise InvalidInputError(f"{source.name} is damaged or cut short: fetch it again.")
    return shown


def _seek(video: OpenVideo, at: float | None) -> bool:
    """Seek to the key frame before a time. Return whether this worked."""
    start, length, unit = video.picture.start_time, video.picture.duration, get_time_unit(video.picture)
    if start is None or (at is None and length is None):
        return False
    target = start + (length or 0 if at is None else int((Fraction(at) - _DECODE_EARLY) / unit))
    if target > start:
        try:
            video.container.seek(target, stream=video.picture)
        except av.error.FFmpegError:
            return False
    return True


def _find_latest(source: Source, video: OpenVideo, at: float | None, *, has_seeked: bool) -> _Shown | None:
    """Return the latest frame up to a time; None if it cannot be found from the current position."""
    unit, start, shown = get_time_unit(video.picture), video.picture.start_time, None
    measure = Measure(video.picture)
    for packet in video.container.demux(video.picture):
        measure.add(packet)
        for frame in decode_packet(source, packet):
            if not isinstance(frame, VideoFrame) or frame.pts is None:
                continue
            start = frame.pts if start is None else start
            is_later = at is not None and (frame.pts - start) * unit > Fraction(at) + _RESOLUTION
            if is_later and (shown or has_seeked):
                return _check(video, shown, start, None)
            shown = frame
    if start is None or shown is None or shown.pts is None or not measure.is_complete():
        return None
    end = (shown.pts - start) * unit + (shown.duration * unit or 1 / video.rate)
    return _check(video, shown, start, end)


def _check(video: OpenVideo, frame: VideoFrame | None, start: int, end: Fraction | None) -> _Shown | None:
    if frame is None or frame.is_corrupt or frame.pts is None:
        return None
    return _Shown(frame, video.pixel_aspect, (frame.pts - start) * get_time_unit(video.picture), end)


def _convert(source: Source, shown: _Shown, kind: PictureType) -> VideoFrame:
    frame = shown.frame
    width = frame.width if shown.pixel_aspect == 1 else round_to_even(frame.width * shown.pixel_aspect)
    limits.check_size(source.name, width, frame.height)
    # JPEG has only one colour format: BT.601, full range (JFIF). Chroma is not halved again.
    scale, pixels = {
        "png": (_ACCURATE, "rgb24"),
        "jpeg": (f"out_color_matrix=bt601:out_range=full:{_ACCURATE}", "yuvj444p"),
    }[kind]
    graph = Graph()
    buffer = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1)
    )
    steps = [
        ("scale", f"{width}:{frame.height}:{scale}"),
        ("format", pixels),
        *Orientation.of(read_matrix(frame)).steps,
    ]
    link_filters(graph, buffer, steps, "buffersink")
    graph.push(frame)
    result = graph.pull()
    assert isinstance(result, VideoFrame)
    return result


def _encode(picture: VideoFrame, kind: PictureType) -> bytes:
    encoder = av.VideoCodecContext.create("png" if kind == "png" else "mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, picture.format.name
    encoder.time_base = Fraction(1)
    encoder.sample_aspect_ratio = Fraction(1)  # without this value the file gets no JFIF header
    if kind == "jpeg":
        encoder.qmin = encoder.qmax = _JPEG_QUALITY
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
