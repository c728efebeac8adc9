"""Read OpenRouter's list of video models: the values that each model takes, and its prices.

An order that does not fit the list would be refused, or would make another video than the one that was ordered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import gcd
from typing import Any

from airflow_provider_veo.api.answers.answer import Answer, is_usable_id
from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.error_answers import make_api_error, make_unreadable_error
from airflow_provider_veo.api.errors import InvalidInputError

_MOST_MODELS = 1_000
_MOST_VALUES = 100  # of one field of a model
_LONGEST_VALUE = 50  # characters
_SIZE = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})")
# Dollars for a second. Other names have been seen, such as `cents_per_second_output` and `reference_images`; a model
# with a name that is not known has no known price. Source: the official client, and rows of models in public code.
_SKU = re.compile(r"duration_seconds(_with_audio|_without_audio)?(_\d+[pk])?")


@dataclass(frozen=True)
class Offer:
    """The values that a model takes, and its prices. None: the list does not say.

    Attributes:
        durations: Lengths in seconds.
        resolutions: Resolutions, for example `720p` and `4K`.
        aspect_ratios: Shapes, for example `16:9`.
        sizes: Sizes as `<width>x<height>` in pixels.
        frames: Kinds of frames: `first_frame`, `last_frame`.
        has_sound: Whether the model makes sound.
        has_start: Whether the model takes the number from which its random choices start.
        options: Names of the fields in `provider.options` that OpenRouter passes on. It drops all others silently.
        prices: US dollars for a second of video, by the name of the price. Empty if the price is not known.
    """

    durations: tuple[int, ...] | None = None
    resolutions: tuple[str, ...] | None = None
    aspect_ratios: tuple[str, ...] | None = None
    sizes: tuple[str, ...] | None = None
    frames: tuple[str, ...] | None = None
    has_sound: bool | None = None
    has_start: bool | None = None
    options: tuple[str, ...] | None = None
    prices: Mapping[str, float] = field(default_factory=dict, hash=False)


def read_models(answer: Answer) -> dict[str, Offer]:
    """Read the list of models. Models and fields that cannot be read are left out.

    Args:
        answer: Answer to `requests.list_models`.

    Returns:
        The offers by the names of the models.

    Raises:
        ApiError: The answer is an error, or not a list of models.
    """
    action = "Listing the video models"
    if not answer.ok:
        raise make_api_error(answer, action)
    body = answer.json()
    listed = body.get("data") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise make_unreadable_error(answer, action, "the answer is not a list of models")
    models = (item for item in listed[:_MOST_MODELS] if isinstance(item, dict))
    return {item["id"]: _read_offer(answer, item) for item in models if _is_name(item.get("id"))}


def check_order(body: Mapping[str, Any], offer: Offer) -> None:
    """Refuse an order that the model does not take.

    Args:
        body: Body of the create call.
        offer: Offer of its model.

    Raises:
        InvalidInputError: The list says that the model does not take a value.
    """
    for complaint in _find_complaints(body, offer):
        raise InvalidInputError(f"Model {show(body['model'])} at OpenRouter {complaint}")


def estimate_cost(body: Mapping[str, Any], offer: Offer) -> float | None:
    """Return the price of an order in US dollars, or None if it is not known.

    Args:
        body: Body of the create call.
        offer: Offer of its model.
    """
    seconds, has_sound = body.get("duration"), body.get("generate_audio", offer.has_sound)
    names = [f"duration_seconds{'_with_audio' if has_sound else '_without_audio'}", "duration_seconds"]
    if has_sound is None:
        names = names[1:]
    resolution = _find_resolution(body)
    if resolution is None and any(price.startswith(f"{name}_") for name in names for price in _by_resolution(offer)):
        return None
    if resolution is not None:
        names = [name for known in names for name in (f"{known}_{resolution.lower()}", known)]
    price = next((offer.prices[name] for name in names if name in offer.prices), None)
    return None if seconds is None or price is None else round(seconds * price, 6)


def _find_complaints(body: Mapping[str, Any], offer: Offer) -> Iterator[str]:
    """Yield a clause for each part of an order that the model does not take."""
    resolution, ratio = _find_resolution(body), _find_aspect_ratio(body)
    size = body.get("size")
    yield from _complain("seconds", body.get("duration"), offer.durations)
    yield from _complain("size", size, offer.sizes)
    if size is None or offer.sizes is None:
        yield from _complain("resolution", resolution, offer.resolutions)
        yield from _complain("aspect_ratio", ratio, offer.aspect_ratios)
    for kind in _list_frames(body):
        if offer.frames is not None and kind not in offer.frames:
            yield f"takes no {kind}; it takes {_list_values(offer.frames)}."
    if offer.has_sound is False and body.get("generate_audio"):
        yield "makes no sound: leave generate_audio out."
    if offer.has_start is False and body.get("seed") is not None:
        yield "takes no number for its random choices: leave `seed` out."
    for name in _list_options(body):
        if offer.options is not None and name not in offer.options:
            yield (
                f"does not get the option {show(name)} of provider.options: OpenRouter drops it silently. It passes on "
                f"{_list_values(offer.options)}."
            )


def _complain(name: str, value: Any, taken: tuple[Any, ...] | None) -> Iterator[str]:
    if value is not None and taken is not None and value not in taken:
        yield f"takes no {name} of {show(value)}; it takes {_list_values(taken)}."


def _list_values(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values)) or "none"


def _list_frames(body: Mapping[str, Any]) -> list[str]:
    frames = body.get("frame_images")
    kinds = (frame.get("frame_type") for frame in frames if isinstance(frame, dict)) if isinstance(frames, list) else ()
    return [kind for kind in kinds if isinstance(kind, str)]


def _list_options(body: Mapping[str, Any]) -> list[str]:
    provider = body.get("provider")
    by_provider = provider.get("options") if isinstance(provider, Mapping) else None
    options = by_provider.values() if isinstance(by_provider, Mapping) else ()
    return [name for values in options if isinstance(values, Mapping) for name in values]


def _find_resolution(body: Mapping[str, Any]) -> str | None:
    """Return the resolution that an order names or that its size has, as OpenRouter writes it."""
    if "size" not in body:
        named = body.get("resolution")
        return named if isinstance(named, str) else None
    found = _SIZE.fullmatch(str(body["size"]))
    shorter = min(int(found[1]), int(found[2])) if found else None
    return None if shorter is None else "4K" if shorter == 2160 else f"{shorter}p"


def _find_aspect_ratio(body: Mapping[str, Any]) -> str | None:
    found = _SIZE.fullmatch(str(body.get("size")))
    if not found:
        named = body.get("aspect_ratio")
        return named if isinstance(named, str) else None
    width, height = int(found[1]), int(found[2])
    return f"{width // gcd(width, height)}:{height // gcd(width, height)}"


def _by_resolution(offer: Offer) -> list[str]:
    return [name for name in offer.prices if (found := _SKU.fullmatch(name)) and found[2]]


def _read_offer(answer: Answer, item: dict[str, Any]) -> Offer:
    return Offer(
        durations=_read_numbers(item.get("supported_durations")),
        resolutions=_read_texts(answer, item.get("supported_resolutions")),
        aspect_ratios=_read_texts(answer, item.get("supported_aspect_ratios")),
        sizes=_read_texts(answer, item.get("supported_sizes")),
        frames=_read_texts(answer, item.get("supported_frame_images")),
        has_sound=_read_flag(item.get("generate_audio")),
        has_start=_read_flag(item.get("seed")),
        options=_read_texts(answer, item.get("allowed_passthrough_parameters")),
        prices=_read_prices(item.get("pricing_skus")),
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and is_usable_id(value)


def _read_numbers(value: Any) -> tuple[int, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(part for part in value[:_MOST_VALUES] if type(part) is int)


def _read_texts(answer: Answer, value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(answer.quote(part, _LONGEST_VALUE) for part in value[:_MOST_VALUES] if isinstance(part, str))


def _read_flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _read_prices(value: Any) -> dict[str, float]:
    """Return the prices of a model by their names; none if one of them is of an unknown kind."""
    listed = value if isinstance(value, dict) else {}
    prices = {name: _read_price(price) for name, price in listed.items() if _SKU.fullmatch(name)}
    known = {name: price for name, price in prices.items() if price is not None}
    return known if len(known) == len(listed) else {}


def _read_price(value: Any) -> float | None:
    try:
        price = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return price if 0 <= price < math.inf else None
