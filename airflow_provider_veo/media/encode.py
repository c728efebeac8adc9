"""Encode clips of any kind again, in one common format."""

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

from airflow_provider_veo.media.clip import Clip, decode_packet, open_video, round_to_even
from airflow_provider_veo.media.filters import Step, link_filters, pull_frames, push_frame
from airflow_provider_veo.media.limits import MOST_RATE

_X264 = {
    "preset": "medium",
    "crf": "18",
}  # the loss with crf 18 is hardly visible: https://trac.ffmpeg.org/wiki/Encode/H.264
_BT709 = 1
_LIMITED_RANGE = 1


@dataclass(frozen=True)
class Format:
    """The common format of all clips of a video.

    Attributes:
        size: Width and height in pixels.
        rate: Number of pictures per second.
        sample_rate: Sample rate of the sound in Hz; 0 for a joined video without sound.
        layout: Layout of the sound, `mono` or `stereo`.
    """

    size: tuple[int, int]
    rate: Fraction
    sample_rate: int
    layout: str

    @classmethod
    def of(cls, clips: Sequence[Clip]) -> Format:
        """Return the picture format of the first clip, with the sound format of the first clip that has sound."""
        rates = av.Codec("aac", "w").audio_rates or []
        sounding = next((clip for clip in clips if clip.sound), None)
        sample_rate = sounding.sample_rate if sounding else 0
        if sounding and sample_rate not in rates:
            sample_rate = 48_000
        layout = "mono" if sounding and sounding.channels == 1 else "stereo"
        return cls(clips[0].size, min(clips[0].rate, Fraction(MOST_RATE)), sample_rate, layout)


@dataclass(frozen=True)
class Span:
    """The part of a joined video that a clip fills, in seconds from the start of the video."""

    start: Fraction
    end: Fraction

    def count(self, rate: Fraction | int) -> int:
        """Return the number of pictures or samples. Those of all spans together fill the joined video exactly."""
        return round(self.end * rate) - round(self.start * rate)


def encode(clips: Sequence[Clip], starts: Sequence[Fraction], output: OutputContainer) -> None:
    """Encode clips as H.264 and AAC.

    Args:
        clips: The clips to join.
        starts: Start of each clip in the joined video in seconds, and the end of the last clip.
        output: The file to write, without streams.
    """
    target = Format.of(clips)
    writer = _Writer(output, target)
    for clip, start, end in zip(clips, starts, starts[1:], strict=False):
        for frame in _frames(clip, target, Span(start, end)):
            writer.add(frame)
    writer.finish()


class _Writer:
    """Numbers frames and samples without gaps, and encodes them."""

    def __init__(self, output: OutputContainer, target: Format) -> None:
        self._output, self._target = output, target
        self._video: VideoStream = output.add_stream("libx264", rate=target.rate, options=_X264)
        self._video.width, self._video.height = target.size
        self._video.pix_fmt = "yuv420p"
        context = self._video.codec_context
        context.sample_aspect_ratio = Fraction(1)
        context.color_range, context.colorspace = _LIMITED_RANGE, _BT709
        context.color_primaries = context.color_trc = _BT709
        self._audio: AudioStream | None = None
        if target.sample_rate:
            self._audio = output.add_stream("aac", rate=target.sample_rate, layout=target.layout)
        self._pictures = self._samples = 0

    def add(self, frame: VideoFrame | AudioFrame) -> None:
        if isinstance(frame, VideoFrame):
            frame.pts, frame.time_base = self._pictures, 1 / self._target.rate
            frame.pict_type = 0  # the encoder chooses its own key frames
            self._pictures += 1
            self._output.mux(self._video.encode(frame))
        elif self._audio:
            frame.pts, frame.time_base = self._samples, Fraction(1, self._target.sample_rate)
            self._samples += frame.samples
            self._output.mux(self._audio.encode(frame))

    def finish(self) -> None:
        self._output.mux(self._video.encode(None))
        if self._audio:
            self._output.mux(self._audio.encode(None))


def _frames(clip: Clip, target: Format, span: Span) -> Iterator[VideoFrame | AudioFrame]:
    """Yield the pictures and the sound of a clip in the format of the video."""
    with open_video(clip.source) as video:
        picture, sound = Graph(), Graph()
        link_filters(
            picture, picture.add_buffer(template=video.picture), make_picture_steps(clip, target, span), "buffersink"
        )
        graphs = {video.picture.index: picture}
        if clip.sound and video.sound:
            link_filters(
                sound, sound.add_abuffer(template=video.sound), make_sound_steps(clip, target, span), "abuffersink"
            )
            graphs[video.sound.index] = sound
        elif target.sample_rate:
            silence = sound.add("anullsrc", f"r={target.sample_rate}:cl={target.layout}")
            link_filters(sound, silence, make_sound_steps(clip, target, span), "abuffersink")
            yield from pull_frames(sound)
        for packet in video.container.demux(*(stream for stream in video.streams if stream.index in graphs)):
            graph = graphs[packet.stream.index]
            for frame in decode_packet(clip.source, packet):
                assert isinstance(frame, (VideoFrame, AudioFrame))
                yield from push_frame(graph, frame)
            if not packet.size:  # PyAV ends each stream with an empty packet
                yield from push_frame(graph, None)


def make_picture_steps(clip: Clip, target: Format, span: Span) -> list[Step]:
    """Return the filters that turn the pictures of a clip into the format and the number for its span."""
    (width, height), (box_width, box_height) = fit_size(clip.size, target.size), target.size
    return [
        ("setpts", "PTS-STARTPTS"),
        *clip.orientation.steps,
        ("scale", f"{width}:{height}:flags=bicubic:out_color_matrix=bt709:out_range=limited"),
        ("format", "yuv420p"),
        ("pad", f"{box_width}:{box_height}:(ow-iw)/2:(oh-ih)/2"),
        ("setsar", "1"),
        ("fps", f"{target.rate}:start_time=0"),
        # the last picture stays until the end of the clip
        ("tpad", "stop=-1:stop_mode=clone"),
        ("trim", f"end_frame={span.count(target.rate)}"),
    ]


def fit_size(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size of the same shape that fits into a box, in even numbers."""
    scale = min(Fraction(box[0], size[0]), Fraction(box[1], size[1]))
    return round_to_even(size[0] * scale), round_to_even(size[1] * scale)


def make_sound_steps(clip: Clip, target: Format, span: Span) -> list[Step]:
    """Return the filters that turn the sound of a clip, or silence, into the number of samples for its span."""
    return [
        ("asetpts", f"PTS-({clip.picture.start})/TB" if clip.sound else "PTS"),
        # async=1 fills gaps with silence and never changes the pitch
        ("aresample", f"{target.sample_rate}:async=1:min_hard_comp=0.02:first_pts=0"),
        ("aformat", f"sample_fmts=fltp:sample_rates={target.sample_rate}:channel_layouts={target.layout}"),
        ("apad", ""),
        ("atrim", f"end_sample={span.count(target.sample_rate)}"),
    ]
