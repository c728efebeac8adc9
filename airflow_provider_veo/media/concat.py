"""Join clips in one MP4 file: copied if they agree, encoded again if they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import lcm
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.media.clip import Clip, Source, examine, open_video
from airflow_provider_veo.media.encode import encode

MP4_OPTIONS = {"movflags": "+faststart"}
"""The head comes first in the file, so that a browser can play it while it loads."""

_VIDEO_TO_COPY = ("h264", "hevc", "av1")
_AUDIO_TO_COPY = ("aac",)
_MAX_TIMESCALE = 2**31 - 1  # a signed 32-bit number in FFmpeg's MP4 writer


@dataclass(frozen=True)
class Joined:
    """A joined video that was written.

    Attributes:
        seconds: Length of its picture.
        clips: Number of its clips.
        reencoded: Reason why the clips could not be copied; None if they were copied.
    """

    seconds: float
    clips: int
    reencoded: str | None


def concat(sources: Sequence[Source], target: Path) -> Joined:
    """Join clips into one MP4 file, in constant memory.

    The picture of each clip begins exactly at the end of the previous one, and the sound of each clip begins with its
    picture. If clips differ, also in their orientation, all are encoded again as H.264 and AAC: upright, in square
    pixels, in the size on screen and at the frame rate of the first clip.

    Raises:
        InvalidInputError: There are no clips, or one is not a video, damaged or cut short. Nothing has been written.
    """
    if not sources:
        raise InvalidInputError("There are no clips to join: sources is empty.")
    clips = [examine(source) for source in sources]
    starts = [Fraction(0), *accumulate(clip.seconds for clip in clips)]
    why = find_reason_to_encode(clips)
    with av.open(str(target), "w", format="mp4", options=MP4_OPTIONS) as output:
        (encode if why else copy)(clips, starts, output)
    written = examine(Source("the joined video", target))
    return Joined(round(float(written.seconds), 6), len(clips), why)


def find_reason_to_encode(clips: Sequence[Clip]) -> str | None:
    """Return the reason why the packets of these clips cannot be copied into one file; None if they can be copied."""
    first = clips[0]
    for clip in clips:
        if obstacle := _find_obstacle(clip):
            return f"{clip.source.name} {obstacle}"
        if clip.picture.form != first.picture.form:
            return f"{clip.source.name} has another kind of picture than {first.source.name}"
        if (clip.sound and clip.sound.form) != (first.sound and first.sound.form):
            return f"{clip.source.name} has another kind of sound than {first.source.name}"
    if _find_unit(clips).denominator > _MAX_TIMESCALE:
        return "there is no common unit for the clips' time stamps"
    return None


def _find_obstacle(clip: Clip) -> str | None:
    if "mp4" not in clip.container.split(","):
        return "is not an MP4 file"
    if clip.picture.codec not in _VIDEO_TO_COPY or (clip.sound and clip.sound.codec not in _AUDIO_TO_COPY):
        return "has a codec that is not usual in MP4 files"
    if not clip.picture.whole:
        return "hides some of its pictures by an edit list"
    return None


def _find_unit(clips: Sequence[Clip]) -> Fraction:
    """Return a time unit, in seconds, in which the time stamps of all pictures are whole numbers."""
    return Fraction(1, lcm(*(clip.picture.unit.denominator for clip in clips)))


def copy(clips: Sequence[Clip], starts: Sequence[Fraction], output: OutputContainer) -> None:
    """Copy the packets of clips that agree.

    Args:
        clips: The clips to join.
        starts: Start of each clip in the joined video in seconds, and the end of the last clip.
        output: The file to write, without streams.
    """
    picture: PictureTrack | None = None
    sound: SoundTrack | None = None
    for clip, start, end in zip(clips, starts, starts[1:], strict=False):
        with open_video(clip.source) as video:
            if picture is None:
                stream = output.add_stream_from_template(video.picture)
                stream.codec_context.sample_aspect_ratio = video.pixel_aspect
                picture = PictureTrack(stream, _find_unit(clips))
                if clip.sound and video.sound:
                    sound = SoundTrack(output.add_stream_from_template(video.sound))
            if sound:
                sound.begin(end)
            shift = start - clip.picture.start
            streams = video.streams if sound else (video.picture,)
            for packet in video.container.demux(*streams):
                if not packet.size:  # PyAV ends each stream with an empty packet
                    continue
                track = picture if packet.stream.index == video.picture.index else sound
                if track and track.place(packet, shift):
                    output.mux_one(packet)


class PictureTrack:
    """Gives the pictures of clips their times in the video: each clip follows the previous one exactly."""

    def __init__(self, stream: Stream, unit: Fraction) -> None:
        self._stream, self._unit = stream, unit
        stream.time_base = unit
        self._last: int | None = None

    def place(self, packet: Packet[Stream], shift: Fraction) -> bool:
        """Set the time of a packet in the video, `shift` seconds after its time in the clip. Return True."""
        pts, dts, unit = packet.pts, packet.dts, packet.time_base
        assert pts is not None
        assert dts is not None
        packet.pts = round((pts * unit + shift) / self._unit)
        packet.duration = round((packet.duration or 0) * unit / self._unit)
        decode_at = round((dts * unit + shift) / self._unit)
        # decoding a clip with B-frames may begin before the last picture of the previous clip
        packet.dts = self._last = decode_at if self._last is None else max(decode_at, self._last + 1)
        packet.time_base, packet.stream = self._unit, self._stream
        return True


class SoundTrack:
    """Gives the sound of clips its times in the video.

    Sound comes in packets of about 20 ms, whose lengths do not match that of a clip. At each joint the packets follow
    each other without a gap, and a packet that overlaps by more than half is dropped. So sound and picture never differ
    by more than half a packet, for any number of clips. There is a gap only if the sound of a clip is too short.
    """

    def __init__(self, stream: AudioStream) -> None:
        self._stream = stream
        self._rate = stream.codec_context.sample_rate
        self._samples = stream.codec_context.frame_size or 1024
        self._next: int | None = None
        self._limit = 0
        self._snap: int | None = None

    def begin(self, end: Fraction) -> None:
        """Begin the next clip, which ends at this time of the video, in seconds."""
        self._limit = round(end * self._rate)
        self._snap = None

    def place(self, packet: Packet[Stream], shift: Fraction) -> bool:
        """Set the time of a packet in the video. Return False for a packet that is dropped."""
        assert packet.pts is not None
        at = round((packet.pts * packet.time_base + shift) * self._rate) + (self._snap or 0)
        half = self._samples // 2
        # the first packet of a joined video is not audible; it prepares the decoder for the second
        earliest = -self._samples if self._next is None else self._next - half
        if at < earliest or at + half >= self._limit or (packet.is_discard and self._next is not None):
            return False
        if self._snap is None and self._next is not None:
            self._snap = self._next - at if at <= self._next + half else 0
            at += self._snap
        packet.pts = packet.dts = at
        packet.duration = min(self._samples, self._limit - at)
        packet.time_base, packet.stream = Fraction(1, self._rate), self._stream
        self._next = at + self._samples
        return True
