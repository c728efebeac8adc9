"""One frame of a video as a picture: the first, the last, or the one on screen at a time."""

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
from airflow_provider_veo.media.clip import Film, Measure, Source, decode_packet, even, open_video, unit_of
from airflow_provider_veo.media.filters import chain
from airflow_provider_veo.media.orientation import Orientation, matrix_of

PictureType = Literal["png", "jpeg"]

_RESOLUTION = Fraction(1, 1_000_000)
"""Of times, in seconds: a float such as 1/24 lies a little below the frame's own time."""

_RUN_UP = 1
"""Seconds to begin decoding early: files are indexed by decoding times, which run ahead of what is shown."""

_ACCURATE = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_JPEG_QUALITY = 2  # of 31, where 1 is the best


@dataclass(frozen=True)
class Still:
    """A frame that was written.

    Attributes:
        width: in pixels.
        height: in pixels.
        seconds: when it comes on screen, counted from the start of the video.
    """

    width: int
    height: int
    seconds: float


def extract_frame(source: Source, picture: Path, *, kind: PictureType, at: float | None) -> Still:
    """Write the frame that is on screen at a time as a player shows it: turned, mirrored, in square pixels.

    Decoding begins at the key frame before it, or at the start of a file whose index is missing or leads astray.

    Args:
        source: the video.
        picture: where to write.
        kind: the file format.
        at: seconds from the start of the video; None for the very last frame.

    Raises:
        InvalidInputError: no video, a damaged one, or a time after its end.
    """
    shown = _find(source, at)
    if at is not None and shown.end is not None and at >= shown.end:
        raise InvalidInputError(f"at is {at:g} s, and {source.name} is {float(shown.end):.3f} s long.")
    still = _converted(source, shown, kind)
    picture.write_bytes(_encoded(still, kind))
    return Still(still.width, still.height, round(float(shown.since), 6))


@dataclass(frozen=True)
class _Shown:
    """A frame on screen.

    Attributes:
        frame: as it was decoded.
        pixel_aspect: how wide its pixels are, in heights of one.
        since: when it comes on screen, in seconds.
        end: when the video ends; None where the frame is not its last.
    """

    frame: VideoFrame
    pixel_aspect: Fraction
    since: Fraction
    end: Fraction | None


def _find(source: Source, at: float | None) -> _Shown:
    # a bad index leads to what looks like damage
    with suppress(InvalidInputError), open_video(source) as film:
        if _leap(film, at) and (shown := _latest(source, film, at, leapt=True)):
            return shown
    with open_video(source) as film:
        shown = _latest(source, film, at, leapt=False)
    if shown is None:
        raise InvalidInputError(f"{source.name} is damaged or cut short: fetch it again.")
    return shown


def _leap(film: Film, at: float | None) -> bool:
    """Go to the key frame before a time; say whether that worked."""
    start, length, unit = film.picture.start_time, film.picture.duration, unit_of(film.picture)
    if start is None or (at is None and length is None):
        return False
    target = start + (length or 0 if at is None else int((Fraction(at) - _RUN_UP) / unit))
    if target > start:
        try:
            film.container.seek(target, stream=film.picture)
        except av.error.FFmpegError:
            return False
    return True


def _latest(source: Source, film: Film, at: float | None, *, leapt: bool) -> _Shown | None:
    """Return the latest frame that comes up to a time, or None where that cannot be told from here on."""
    unit, start, shown = unit_of(film.picture), film.picture.start_time, None
    measure = Measure(film.picture)
    for packet in film.container.demux(film.picture):
        measure.add(packet)
        for frame in decode_packet(source, packet):
            if not isinstance(frame, VideoFrame) or frame.pts is None:
                continue
            start = frame.pts if start is None else start
            is_later = at is not None and (frame.pts - start) * unit > Fraction(at) + _RESOLUTION
            if is_later and (shown or leapt):
                return _checked(film, shown, start, None)
            shown = frame
    if start is None or shown is None or shown.pts is None or not measure.is_complete():
        return None
    end = (shown.pts - start) * unit + (shown.duration * unit or 1 / film.rate)
    return _checked(film, shown, start, end)


def _checked(film: Film, frame: VideoFrame | None, start: int, end: Fraction | None) -> _Shown | None:
    if frame is None or frame.is_corrupt or frame.pts is None:
        return None
    return _Shown(frame, film.pixel_aspect, (frame.pts - start) * unit_of(film.picture), end)


def _converted(source: Source, shown: _Shown, kind: PictureType) -> VideoFrame:
    frame = shown.frame
    width = frame.width if shown.pixel_aspect == 1 else even(frame.width * shown.pixel_aspect)
    limits.check_size(source.name, width, frame.height)
    # JPEG knows one way to write colours: BT.601, full range (JFIF). Chroma is not halved once more.
    scale, pixels = {
        "png": (_ACCURATE, "rgb24"),
        "jpeg": (f"out_color_matrix=bt601:out_range=full:{_ACCURATE}", "yuvj444p"),
    }[kind]
    graph = Graph()
    buffer = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1)
    )
    steps = [("scale", f"{width}:{frame.height}:{scale}"), ("format", pixels), *Orientation.of(matrix_of(frame)).steps]
    chain(graph, buffer, steps, "buffersink")
    graph.push(frame)
    result = graph.pull()
    assert isinstance(result, VideoFrame)
    return result


def _encoded(picture: VideoFrame, kind: PictureType) -> bytes:
    encoder = av.VideoCodecContext.create("png" if kind == "png" else "mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, picture.format.name
    encoder.time_base = Fraction(1)
    encoder.sample_aspect_ratio = Fraction(1)  # without it the file gets no JFIF header
    if kind == "jpeg":
        encoder.qmin = encoder.qmax = _JPEG_QUALITY
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
