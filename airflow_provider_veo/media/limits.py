"""How large a video may be that is decoded: a few kilobytes can unfold to gigabytes."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats import mp4

MOST_PIXELS = 2**25
"""Of a picture. 8K (7680x4320) fits in; decoded it takes 50 MB, and a decoder keeps some of them."""

LONGEST_SIDE = 2**14
"""Of a picture, in pixels. H.264 knows no more."""

MOST_SECONDS = 24 * 60 * 60
"""Of a clip."""

MOST_RATE = 240
"""Pictures per second of a film that is encoded anew."""

MOST_SAMPLES = 2_000_000
"""Pictures and packets of sound in an MP4 file: those of five hours. FFmpeg takes 60 bytes for each."""

DECODER_OPTIONS = {"max_pixels": str(MOST_PIXELS)}
"""For FFmpeg's decoders. The size can change in the middle of a video, and its head can lie."""


def check_size(name: str, width: int, height: int) -> None:
    """Check the size of a picture.

    Raises:
        InvalidInputError: it is too large.
    """
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise InvalidInputError(
            f"{name} has pictures of {width}x{height} pixels. At most {MOST_PIXELS:,} pixels are taken, and "
            f"{LONGEST_SIDE:,} on each side: make it smaller."
        )


def check_length(name: str, seconds: float) -> None:
    """Check how long a clip is.

    Raises:
        InvalidInputError: it is too long.
    """
    if seconds > MOST_SECONDS:
        raise InvalidInputError(f"{name} is {seconds:.0f} s long by its time stamps. At most a day is taken.")


def check_samples(name: str, path: Path) -> None:
    """Check how much an MP4 file says that it holds.

    Raises:
        InvalidInputError: it is too much, or the file is damaged.
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
            f"{name} has {samples:,} pictures and packets of sound. At most {MOST_SAMPLES:,} are taken."
        )
