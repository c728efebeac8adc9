"""Clips of any kind in one look: decoded, fitted, and encoded anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from airflow_provider_veo.media.clip import Clip, decode_packet, even, open_video
from airflow_provider_veo.media.filters import Step, chain, ready, through
from airflow_provider_veo.media.limits import MOST_RATE

_X264 = {"preset": "medium", "crf": "18"}  # crf 18 is next to invisible: https://trac.ffmpeg.org/wiki/Encode/H.264
_BT709 = 1
_LIMITED_RANGE = 1


@dataclass(frozen=True)
class Look:
    """What all clips are made into.

    Attributes:
        size: width and height, in pixels.
        rate: pictures per second.
        sample_rate: of the sound, in Hz; 0 for a film without sound.
        layout: `mono` or `stereo`.
    """

    size: tuple[int, int]
    rate: Fraction
    sample_rate: int
    layout: str

    @classmethod
    def of(cls, clips: Sequence[Clip]) -> Look:
        """Return the look of the first clip, and the sound of the first that has any."""
        rates = av.Codec("aac", "w").audio_rates or []
        sounding = next((clip for clip in clips if clip.sound), None)
        sample_rate = sounding.sample_rate if sounding else 0
        if sounding and sample_rate not in rates:
            sample_rate = 48_000
        layout = "mono" if sounding and sounding.channels == 1 else "stereo"
        return cls(clips[0].size, min(clips[0].rate, Fraction(MOST_RATE)), sample_rate, layout)


@dataclass(frozen=True)
class Span:
    """The part of a film that a clip fills, in seconds from the film's start."""

    start: Fraction
    end: Fraction

    def count(self, rate: Fraction | int) -> int:
        """Return how many pictures or samples it holds; those of all spans together fill the film exactly."""
        return round(self.end * rate) - round(self.start * rate)


def encode(clips: Sequence[Clip], starts: Sequence[Fraction], output: OutputContainer) -> None:
    """Encode clips as H.264 and AAC.

    Args:
        clips: what to join.
        starts: when each begins in the film, in seconds; one more says when the last one ends.
        output: the file, without streams yet.
    """
    look = Look.of(clips)
    writer = _Writer(output, look)
    for clip, start, end in zip(clips, starts, starts[1:], strict=False):
        for frame in _frames(clip, look, Span(start, end)):
            writer.add(frame)
    writer.finish()


class _Writer:
    """Numbers frames and samples without gaps, and encodes them."""

    def __init__(self, output: OutputContainer, look: Look) -> None:
        self._output, self._look = output, look
        self._video: VideoStream = output.add_stream("libx264", rate=look.rate, options=_X264)
        self._video.width, self._video.height = look.size
        self._video.pix_fmt = "yuv420p"
        context = self._video.codec_context
        context.sample_aspect_ratio = Fraction(1)
        context.color_range, context.colorspace = _LIMITED_RANGE, _BT709
        context.color_primaries = context.color_trc = _BT709
        self._audio: AudioStream | None = None
        if look.sample_rate:
            self._audio = output.add_stream("aac", rate=look.sample_rate, layout=look.layout)
        self._pictures = self._samples = 0

    def add(self, frame: VideoFrame | AudioFrame) -> None:
        if isinstance(frame, VideoFrame):
            frame.pts, frame.time_base = self._pictures, 1 / self._look.rate
            frame.pict_type = 0  # the encoder chooses its own key frames
            self._pictures += 1
            self._output.mux(self._video.encode(frame))
        elif self._audio:
            frame.pts, frame.time_base = self._samples, Fraction(1, self._look.sample_rate)
            self._samples += frame.samples
            self._output.mux(self._audio.encode(frame))

    def finish(self) -> None:
        self._output.mux(self._video.encode(None))
        if self._audio:
            self._output.mux(self._audio.encode(None))


def _frames(clip: Clip, look: Look, span: Span) -> Iterator[VideoFrame | AudioFrame]:
    """Yield a clip's pictures and samples in the film's look."""
    with open_video(clip.source) as film:
        picture, sound = Graph(), Graph()
        chain(picture, picture.add_buffer(template=film.picture), picture_steps(clip, look, span), "buffersink")
        graphs = {film.picture.index: picture}
        if clip.sound and film.sound:
            chain(sound, sound.add_abuffer(template=film.sound), sound_steps(clip, look, span), "abuffersink")
            graphs[film.sound.index] = sound
        elif look.sample_rate:
            silence = sound.add("anullsrc", f"r={look.sample_rate}:cl={look.layout}")
            chain(sound, silence, sound_steps(clip, look, span), "abuffersink")
            yield from ready(sound)
        for packet in film.container.demux(*(stream for stream in film.streams if stream.index in graphs)):
            graph = graphs[packet.stream.index]
            for frame in decode_packet(clip.source, packet):
                assert isinstance(frame, (VideoFrame, AudioFrame))
                yield from through(graph, frame)
            if not packet.size:  # PyAV's mark for the end of a stream
                yield from through(graph, None)


def picture_steps(clip: Clip, look: Look, span: Span) -> list[Step]:
    """Return the filters that turn a clip's pictures into so many of the look's."""
    (width, height), (box_width, box_height) = fitted(clip.size, look.size), look.size
    return [
        ("setpts", "PTS-STARTPTS"),
        *clip.orientation.steps,
        ("scale", f"{width}:{height}:flags=bicubic:out_color_matrix=bt709:out_range=limited"),
        ("format", "yuv420p"),
        ("pad", f"{box_width}:{box_height}:(ow-iw)/2:(oh-ih)/2"),
        ("setsar", "1"),
        ("fps", f"{look.rate}:start_time=0"),
        # the last picture stays on until the clip's end
        ("tpad", "stop=-1:stop_mode=clone"),
        ("trim", f"end_frame={span.count(look.rate)}"),
    ]


def fitted(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size of the same shape that fits into a box, in even numbers."""
    scale = min(Fraction(box[0], size[0]), Fraction(box[1], size[1]))
    return even(size[0] * scale), even(size[1] * scale)


def sound_steps(clip: Clip, look: Look, span: Span) -> list[Step]:
    """Return the filters that turn a clip's sound, or silence, into so many samples in step with the picture."""
    return [
        ("asetpts", f"PTS-({clip.picture.start})/TB" if clip.sound else "PTS"),
        # async=1 fills gaps with silence and never changes the pitch
        ("aresample", f"{look.sample_rate}:async=1:min_hard_comp=0.02:first_pts=0"),
        ("aformat", f"sample_fmts=fltp:sample_rates={look.sample_rate}:channel_layouts={look.layout}"),
        ("apad", ""),
        ("atrim", f"end_sample={span.count(look.sample_rate)}"),
    ]
