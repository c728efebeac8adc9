"""Prices of videos: before the order from its length, and afterwards from the usage that the server reports.

A video is sold by the token, and a second of video has a fixed number of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Sources: price map of litellm 1.110.2 and inference.sh, both 2026-11 ($12 and $17.50 per million)
_USD_OF_VIDEO_TOKEN = {"gemini-omni-1.2-flash": 12e-6, "gemini-omni-1.1-flash": 17.5e-6}
_USD_OF_INPUT_TOKEN = 1.5e-6
_USD_OF_TEXT_TOKEN = 9e-6
"""Price of a token of text or thought that the model writes."""

# Sources: skill page of OpenMontage (5792 tokens a second at 720p; a capture has 5793 for one second); the ratios are
# those of the list prices, and `max_output_tokens` of 1.2 is 15 seconds of 4k
_TOKENS_OF_SECOND = {"360p": 1931, "720p": 5792, "1080p": 8688, "4k": 17376}
_DEFAULT_RESOLUTION = "720p"
_NEW_VIDEOS = (None, "text_to_video", "image_to_video", "reference_to_video")
"""Tasks whose video has the ordered length. The price of an extension or an upscaled video is not known."""

_STANDARD = (None, "standard")
"""Service tiers with list prices. The prices of the others are not known for videos."""


def estimate_cost(body: Mapping[str, Any]) -> float | None:
    """Return the price of an order in US dollars, without its input; None if it is not known before the order.

    Args:
        body: Body of the create call.
    """
    form, task = body["response_format"], _find_task(body)
    price = _USD_OF_VIDEO_TOKEN.get(body["model"])
    tokens = _TOKENS_OF_SECOND.get(form.get("resolution", _DEFAULT_RESOLUTION))
    seconds = str(form.get("duration", "")).removesuffix("s")
    if price is None or tokens is None or not (seconds.isdecimal() and seconds.isascii()):
        return None
    if task not in _NEW_VIDEOS or body.get("service_tier") not in _STANDARD:
        return None
    return round(int(seconds) * tokens * price, 4)


def _find_task(body: Mapping[str, Any]) -> Any:
    config = body.get("generation_config")
    video = config.get("video_config") if isinstance(config, Mapping) else None
    return video.get("task") if isinstance(video, Mapping) else None


def compute_cost(body: Mapping[str, Any]) -> float | None:
    """Return the price of a finished video in US dollars; None if the usage does not give it exactly.

    The sum of all tokens is not used: Google's own sample has sums that do not add up.

    Args:
        body: Answer that describes the job.

    Raises:
        LookupError: A part of the usage is missing.
        TypeError: A part of the usage is not a number.
    """
    usage, price = body.get("usage"), _USD_OF_VIDEO_TOKEN.get(str(body.get("model")))
    if price is None or not isinstance(usage, Mapping) or body.get("service_tier") not in _STANDARD:
        return None
    if usage.get("total_cached_tokens") or usage.get("total_tool_use_tokens"):
        return None  # these have prices of their own
    entered, made = usage["total_input_tokens"], usage["total_output_tokens"]
    video = sum(part["tokens"] for part in usage["output_tokens_by_modality"] if part["modality"] == "video")
    thought = usage.get("total_thought_tokens", 0)
    if not all(type(count) is int and count >= 0 for count in (entered, video, made - video, thought)) or not video:
        return None
    cost: float = entered * _USD_OF_INPUT_TOKEN + video * price + (made - video + thought) * _USD_OF_TEXT_TOKEN
    return round(cost, 6)
