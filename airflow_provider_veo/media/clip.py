"""A video file on this machine: opened with care, and measured packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.media import limits
from airflow_provider_veo.media.orientation import Orientation, matrix_of

# A file may claim to be a playlist, and FFmpeg would then read whatever files and addresses it lists.
_INPUT_OPTIONS = {"format_whitelist": "mov,mp4,matroska,webm,mpegts", "protocol_whitelist": "file"}


@dataclass(frozen=True)
class Source:
    """A file to read.

    Attributes:
        name: for error messages; the file may be a copy with a name that tells nobody anything.
        path: where it is.
    """

    name: str
    path: Path


@dataclass(frozen=True)
class Film:
    """An open file. `picture` and `sound` are the streams that a player would show and play."""

    container: InputContainer
    picture: VideoStream
    sound: AudioStream | None

    @property
    def streams(self) -> tuple[VideoStream | AudioStream, ...]:
        """The picture, and the sound where there is one."""
        return (self.picture, self.sound) if self.sound else (self.picture,)

    @property
    def pixel_aspect(self) -> Fraction:
        """How wide a pixel is, in heights of one. The file's word counts more than that of the pictures in it."""
        return self.picture.sample_aspect_ratio or Fraction(1)

    @property
    def rate(self) -> Fraction:
        """Pictures per second."""
        return self.picture.average_rate or self.picture.guessed_rate or Fraction(24)


@contextmanager
def open_video(source: Source) -> Iterator[Film]:
    """Open a video.

    Raises:
        InvalidInputError: it is no video, or what is read of it inside the block turns out to be damaged.
    """
    _check_head(source)
    try:
        with _container(source, limits.DECODER_OPTIONS) as container:
            pictures = [stream for stream in container.streams.video if not _is_cover(stream)]
            if not pictures:
                raise InvalidInputError(f"{source.name} has no picture: it is no video, or it was cut short.")
            sounds = container.streams.audio
            pictures[0].codec_context.options = limits.DECODER_OPTIONS
            yield Film(container, pictures[0], sounds[0] if sounds else None)
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise _damage(source, error) from error


def _check_head(source: Source) -> None:
    """Check by the head of a video that it is not too large, before anything of it is decoded."""
    limits.check_samples(source.name, source.path)
    # to find out more about a file that it opens, FFmpeg decodes pictures
    with _container(source, limits.DECODER_OPTIONS | {"skip_frame": "all"}) as container:
        for stream in container.streams.video:
            limits.check_size(source.name, stream.codec_context.width, stream.codec_context.height)


def decode_packet(source: Source, packet: Packet[Any]) -> Iterator[Any]:
    """Yield the pictures or sounds in a packet. Pictures can become larger in the middle of a video.

    Raises:
        InvalidInputError: they are damaged or too large.
    """
    try:
        frames = packet.decode()
    except (av.error.InvalidDataError, av.error.ArgumentError) as error:  # a decoder says either of too large a picture
        context = packet.stream.codec_context
        if isinstance(context, VideoCodecContext):
            limits.check_size(source.name, context.width, context.height)
        raise _damage(source, error) from error
    for frame in frames:
        if isinstance(frame, VideoFrame):
            limits.check_size(source.name, frame.width, frame.height)
        yield frame


def _damage(source: Source, error: av.error.FFmpegError) -> InvalidInputError:
    return InvalidInputError(
        f"{source.name} is damaged or cut short, or its pictures are too large: {error.strerror}. Fetch it again."
    )


def _container(source: Source, options: dict[str, str]) -> InputContainer:
    try:
        return av.open(str(source.path), options=_INPUT_OPTIONS | options, metadata_errors="replace")
    # the second is what FFmpeg says of a format that is not on the list
    except (av.error.InvalidDataError, av.error.ArgumentError, av.error.EOFError) as error:
        raise InvalidInputError(
            f"{source.name} is no video (MP4, WebM, Matroska or MPEG-TS), or it is damaged: {error.strerror}."
        ) from error


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def unit_of(stream: Stream) -> Fraction:
    """Return the unit of a stream's time stamps, in seconds."""
    return stream.time_base or Fraction(1, av.time_base)


@dataclass(frozen=True)
class Track:
    """One stream, as its packets are.

    Attributes:
        unit: of its time stamps, in seconds.
        start: when it begins, in seconds.
        end: when the last of it ends.
        codec: short name, as FFmpeg has it.
        form: everything that must be equal for packets of two files to go into one stream.
        whole: all packets are shown; an edit list hides none.
    """

    unit: Fraction
    start: Fraction
    end: Fraction
    codec: str
    form: tuple[object, ...]
    whole: bool


@dataclass(frozen=True)
class Clip:
    """A video that was read through and found whole.

    Attributes:
        source: the file.
        container: its format, as FFmpeg names it.
        picture: its video.
        sound: its audio.
        size: width and height as shown, in square pixels.
        orientation: how a player turns and mirrors the picture.
        rate: pictures per second.
        sample_rate: of the sound, in Hz; 0 without sound.
        channels: of the sound.
    """

    source: Source
    container: str
    picture: Track
    sound: Track | None
    size: tuple[int, int]
    orientation: Orientation
    rate: Fraction
    sample_rate: int = 0
    channels: int = 0

    @property
    def seconds(self) -> Fraction:
        """How long there is a picture."""
        return self.picture.end - self.picture.start


def examine(source: Source) -> Clip:
    """Read all packets of a video, and decode its first picture.

    Raises:
        InvalidInputError: no video, damaged, or cut short.
    """
    with open_video(source) as film:
        measures = {stream.index: Measure(stream) for stream in film.streams}
        first: VideoFrame | None = None
        for packet in film.container.demux(*film.streams):
            if first is None and packet.stream.index == film.picture.index:
                first = next((frame for frame in decode_packet(source, packet) if isinstance(frame, VideoFrame)), None)
            measures[packet.stream.index].add(packet)
        if first is None or not all(measure.is_complete() for measure in measures.values()):
            raise InvalidInputError(f"{source.name} is damaged or cut short: fetch it again.")
        return _clip(source, film, measures, matrix_of(first))


def _clip(source: Source, film: Film, measures: dict[int, Measure], matrix: bytes) -> Clip:
    video, aspect, orientation = film.picture.codec_context, film.pixel_aspect, Orientation.of(matrix)
    colours = (video.color_range, video.colorspace, video.color_primaries, video.color_trc)
    form = (video.width, video.height, video.pix_fmt, aspect, matrix, *colours)
    picture = measures[film.picture.index].track(form, 1 / film.rate)
    size = shown_size(video.width, video.height, aspect, orientation)
    limits.check_size(source.name, *size)
    limits.check_length(source.name, float(picture.end - picture.start))
    silent = Clip(source, film.container.format.name, picture, None, size, orientation, film.rate)
    if not film.sound or measures[film.sound.index].is_empty:
        return silent
    audio = film.sound.codec_context
    sound = measures[film.sound.index].track((audio.sample_rate, audio.layout.name), Fraction(0))
    return replace(silent, sound=sound, sample_rate=audio.sample_rate, channels=audio.layout.nb_channels)


def shown_size(width: int, height: int, pixel_aspect: Fraction, orientation: Orientation) -> tuple[int, int]:
    """Return the width and height of a picture on screen, rounded to the even numbers that H.264 wants."""
    shown = even(width * pixel_aspect), even(height)
    return shown[::-1] if orientation.is_turned else shown


def even(length: Fraction | float) -> int:
    """Return the nearest even number of pixels, two at least."""
    return max(2, 2 * round(length / 2))


class Measure:
    """What is to be known of the packets of one stream; none of them is kept."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._is_matroska = "matroska" in stream.container.format.name
        self._corrupt = self._hidden = False
        self._start: int | None = None
        self._end = 0
        self._latest: int | None = None
        self._reached = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is shown or played."""
        return self._latest is None

    def add(self, packet: Packet[Any]) -> None:
        """Count a packet in. PyAV ends each stream with one that is empty; it changes nothing."""
        if not packet.size:
            return
        self._corrupt = self._corrupt or packet.is_corrupt
        stamps = [stamp for stamp in (packet.pts, packet.dts) if stamp is not None]
        if not stamps:
            return
        # what the index lists: in MP4 files and most others all decoding times, in Matroska's some presentation times
        self._reached = max(self._reached, stamps[0] if self._is_matroska else stamps[-1])
        if packet.is_discard:
            self._hidden = True
            return
        start = stamps[0]
        self._start = start if self._start is None else min(self._start, start)
        if self._latest is None or start >= self._latest:
            self._latest, self._end = start, start + (packet.duration or 0)

    def is_complete(self) -> bool:
        """Say whether all has come that the file's index names: a file that was cut has less."""
        index = self._stream.index_entries
        return not self._corrupt and (len(index) == 0 or self._reached >= index[-1].timestamp)

    def track(self, form: tuple[object, ...], usual: Fraction) -> Track:
        """Sum up. Some containers give no durations: the last packet then lasts for the `usual` seconds."""
        context, unit = self._stream.codec_context, unit_of(self._stream)
        assert self._start is not None
        assert self._latest is not None
        end = self._end if self._end > self._latest else self._latest + usual / unit
        return Track(
            unit=unit,
            start=self._start * unit,
            end=end * unit,
            codec=context.name,
            form=(context.name, context.codec_tag, context.profile, context.extradata, *form),
            whole=not self._hidden,
        )
