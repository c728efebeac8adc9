"""Open a local video file safely, and measure it packet by packet."""

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
from airflow_provider_veo.media.orientation import Orientation, read_matrix

# FFmpeg would read all files and addresses in a playlist, so only these formats are allowed.
_INPUT_OPTIONS = {"format_whitelist": "mov,mp4,matroska,webm,mpegts", "protocol_whitelist": "file"}


@dataclass(frozen=True)
class Source:
    """A file to read.

    Attributes:
        name: Name for errors. The file itself may be a copy with a meaningless name.
        path: Path of the file.
    """

    name: str
    path: Path


@dataclass(frozen=True)
class OpenVideo:
    """An open file.

    Attributes:
        container: Container that PyAV has opened.
        picture: The stream that a player shows.
        sound: The stream that a player plays; None without sound.
    """

    container: InputContainer
    picture: VideoStream
    sound: AudioStream | None

    @property
    def streams(self) -> tuple[VideoStream | AudioStream, ...]:
        """The stream of the picture, and that of the sound if there is one."""
        return (self.picture, self.sound) if self.sound else (self.picture,)

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel divided by its height. The value in the file counts more than that in its pictures."""
        return self.picture.sample_aspect_ratio or Fraction(1)

    @property
    def rate(self) -> Fraction:
        """Pictures per second."""
        return self.picture.average_rate or self.picture.guessed_rate or Fraction(24)


@contextmanager
def open_video(source: Source) -> Iterator[OpenVideo]:
    """Open a video.

    Raises:
        InvalidInputError: The file is not a video, or a part that is read inside the block is damaged.
    """
    _check_head(source)
    try:
        with _open_container(source, limits.DECODER_OPTIONS) as container:
            pictures = [stream for stream in container.streams.video if not _is_cover(stream)]
            if not pictures:
                raise InvalidInputError(
                    f"{source.name} has no picture: it is not a video, or it was cut short. Fetch it again."
                )
            sounds = container.streams.audio
            pictures[0].codec_context.options = limits.DECODER_OPTIONS
            yield OpenVideo(container, pictures[0], sounds[0] if sounds else None)
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise _make_damage_error(source, error) from error


def _check_head(source: Source) -> None:
    """Check by the head of a video that it is not too large, before any part of it is decoded."""
    limits.check_samples(source.name, source.path)
    # FFmpeg decodes pictures when it opens a file, so it must skip them
    with _open_container(source, limits.DECODER_OPTIONS | {"skip_frame": "all"}) as container:
        for stream in container.streams.video:
            limits.check_size(source.name, stream.codec_context.width, stream.codec_context.height)


def decode_packet(source: Source, packet: Packet[Any]) -> Iterator[Any]:
    """Yield the pictures or sounds in a packet. Pictures can become larger in the middle of a video.

    Raises:
        InvalidInputError: They are damaged or too large.
    """
    try:
        frames = packet.decode()
    except (
        av.error.InvalidDataError,
        av.error.ArgumentError,
    ) as error:  # a decoder raises either for a picture that is too large
        context = packet.stream.codec_context
        if isinstance(context, VideoCodecContext):
            limits.check_size(source.name, context.width, context.height)
        raise _make_damage_error(source, error) from error
    for frame in frames:
        if isinstance(frame, VideoFrame):
            limits.check_size(source.name, frame.width, frame.height)
        yield frame


def _make_damage_error(source: Source, error: av.error.FFmpegError) -> InvalidInputError:
    return InvalidInputError(
        f"{source.name} is damaged or cut short, or its pictures are too large: {error.strerror}. Fetch it again."
    )


def _open_container(source: Source, options: dict[str, str]) -> InputContainer:
    try:
        return av.open(str(source.path), options=_INPUT_OPTIONS | options, metadata_errors="replace")
    # FFmpeg raises the second for a format that is not allowed
    except (av.error.InvalidDataError, av.error.ArgumentError, av.error.EOFError) as error:
        raise InvalidInputError(
            f"{source.name} is not a video (MP4, WebM, Matroska or MPEG-TS), or it is damaged: {error.strerror}. "
            "Fetch it again."
        ) from error


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def get_time_unit(stream: Stream) -> Fraction:
    """Return the unit of a stream's time stamps, in seconds."""
    return stream.time_base or Fraction(1, av.time_base)


@dataclass(frozen=True)
class Track:
    """The measured packets of one stream.

    Attributes:
        unit: Unit of the time stamps, in seconds.
        start: Start of the stream, in seconds.
        end: End of the stream, in seconds.
        codec: FFmpeg's short name of the codec.
        form: All properties that must be equal before packets of two files can share a stream.
        whole: Whether all packets are shown: no edit list hides any.
    """

    unit: Fraction
    start: Fraction
    end: Fraction
    codec: str
    form: tuple[object, ...]
    whole: bool


@dataclass(frozen=True)
class Clip:
    """A video that was read to its end and is complete.

    Attributes:
        source: File that holds the video.
        container: FFmpeg's name of the file format.
        picture: Track of the picture.
        sound: Track of the sound; None without sound.
        size: Width and height on screen, in square pixels.
        orientation: Orientation in which a player shows the picture.
        rate: Number of pictures per second.
        sample_rate: Sample rate of the sound in Hz; 0 without sound.
        channels: Number of channels of the sound.
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
        """Length of the picture in seconds."""
        return self.picture.end - self.picture.start


def examine(source: Source) -> Clip:
    """Read all packets of a video, and decode its first picture.

    Raises:
        InvalidInputError: The file is not a video, is damaged, or is cut short.
    """
    with open_video(source) as video:
        measures = {stream.index: Measure(stream) for stream in video.streams}
        first: VideoFrame | None = None
        for packet in video.container.demux(*video.streams):
            if first is None and packet.stream.index == video.picture.index:
                first = next((frame for frame in decode_packet(source, packet) if isinstance(frame, VideoFrame)), None)
            measures[packet.stream.index].add(packet)
        if first is None or not all(measure.is_complete() for measure in measures.values()):
            raise InvalidInputError(f"{source.name} is damaged or cut short: fetch it again.")
        return _clip(source, video, measures, read_matrix(first))


def _clip(source: Source, video: OpenVideo, measures: dict[int, Measure], matrix: bytes) -> Clip:
    codec, aspect, orientation = video.picture.codec_context, video.pixel_aspect, Orientation.of(matrix)
    colours = (codec.color_range, codec.colorspace, codec.color_primaries, codec.color_trc)
    form = (codec.width, codec.height, codec.pix_fmt, aspect, matrix, *colours)
    picture = measures[video.picture.index].track(form, 1 / video.rate)
    size = find_shown_size(codec.width, codec.height, aspect, orientation)
    limits.check_size(source.name, *size)
    limits.check_length(source.name, float(picture.end - picture.start))
    silent = Clip(source, video.container.format.name, picture, None, size, orientation, video.rate)
    if not video.sound or measures[video.sound.index].is_empty:
        return silent
    audio = video.sound.codec_context
    sound = measures[video.sound.index].track((audio.sample_rate, audio.layout.name), Fraction(0))
    return replace(silent, sound=sound, sample_rate=audio.sample_rate, channels=audio.layout.nb_channels)


def find_shown_size(width: int, height: int, pixel_aspect: Fraction, orientation: Orientation) -> tuple[int, int]:
    """Return the width and height of a picture on screen, rounded to the even numbers that H.264 wants."""
    shown = round_to_even(width * pixel_aspect), round_to_even(height)
    return shown[::-1] if orientation.is_turned else shown


def round_to_even(length: Fraction | float) -> int:
    """Return the nearest even number of pixels, two at least."""
    return max(2, 2 * round(length / 2))


class Measure:
    """Measures the packets of one stream without keeping them."""

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
        """Whether the stream has no packet that is shown or played."""
        return self._latest is None

    def add(self, packet: Packet[Any]) -> None:
        """Measure a packet. The empty packet with which PyAV ends each stream changes nothing."""
        if not packet.size:
            return
        self._corrupt = self._corrupt or packet.is_corrupt
        stamps = [stamp for stamp in (packet.pts, packet.dts) if stamp is not None]
        if not stamps:
            return
        # the index of most formats lists all decoding times, that of Matroska some presentation times
        self._reached = max(self._reached, stamps[0] if self._is_matroska else stamps[-1])
        if packet.is_discard:
            self._hidden = True
            return
        start = stamps[0]
        self._start = start if self._start is None else min(self._start, start)
        if self._latest is None or start >= self._latest:
            self._latest, self._end = start, start + (packet.duration or 0)

    def is_complete(self) -> bool:
        """Return whether all packets in the index of the file have been measured. A cut file has fewer."""
        index = self._stream.index_entries
        return not self._corrupt and (len(index) == 0 or self._reached >= index[-1].timestamp)

    def track(self, form: tuple[object, ...], usual: Fraction) -> Track:
        """Return the track. Without a duration in the file, the last packet lasts for the `usual` seconds."""
        context, unit = self._stream.codec_context, get_time_unit(self._stream)
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
