"""Limits of a video that is decoded: a few kilobytes can decompress to gigabytes."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats import mp4

MOST_PIXELS = 2**25
"""Pixels of a picture. 8K (7680x4320) is allowed; it takes 50 MB after decoding, and a decoder keeps several."""

LONGEST_SIDE = 2**14
"""Longest side of a picture in pixels. H.264 allows no more."""

MOST_SECONDS = 24 * 60 * 60
"""Longest clip in seconds."""

MOST_RATE = 240
"""Highest number of pictures per second of a joined video that is encoded again."""

MOST_SAMPLES = 2_000_000
"""Pictures and packets of sound in an MP4 file: five hours have as many. FFmpeg takes 60 bytes for each."""

DECODER_OPTIONS = {"max_pixels": str(MOST_PIXELS)}
"""Options of FFmpeg's decoders. The size can change in the middle of a video, and its head can be wrong."""


def check_size(name: str, width: int, height: int) -> None:
    """Check the size of a picture.

    Raises:
        InvalidInputError: The picture is too large.
    """
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise InvalidInputError(
            f"{name} has pictures of {width}x{height} pixels. At most {MOST_PIXELS:,} pixels are taken, and "
            f"{LONGEST_SIDE:,} on each side: scale the video down."
        )


def check_length(name: str, seconds: float) -> None:
    """Check the length of a clip.

    Raises:
        InvalidInputError: The clip is too long.
    """
    if seconds > MOST_SECONDS:
        raise InvalidInputError(
            f"{name} is {seconds:.0f} s long by its time stamps. At most a day is taken: cut the clip."
        )


def check_samples(name: str, path: Path) -> None:
    """Check the number of samples that an MP4 file claims.

    Raises:
        InvalidInputError: The number is too high, or the file is damaged.
    """
    with path.open("rb") as file:
        if not mp4.is_video(file.read(mp4.SNIFF_BYTES)):
            return
        try:
            samples = mp4.count_samples(file)
        except mp4.IncompleteError as error:
            raise InvalidInputError(f"{name} is damaged or cut short: {error}. Fetch it again.") from None
    if samples > MOST_SAMPLES:
        raise InvalidInputError(
            f"{name} has {samples:,} pictures and packets of sound. At most {MOST_SAMPLES:,} are taken: cut the clip."
        )
