"""The models of Veo that Google Cloud sells: their resolutions and prices."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from airflow_provider_veo.api.backends.vertex.bodies import make_body
from airflow_provider_veo.api.backends.vertex.names import read_model_id
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import VideoSpec

# LiteLLM 1.110.2 also counts with 8 seconds if an order names no length
_USUAL_SECONDS = 8
_EXTENSION_SECONDS = 7


@dataclass(frozen=True)
class VeoModel:
    """A model of Veo 3.1.

    Attributes:
        prices: Price of a second with sound, in US dollars, by resolution. The model makes no other resolutions.
        silent_prices: Price of a second without sound, in US dollars, by resolution; not known for each resolution.
        takes_references: Whether the model takes reference images.
    """

    prices: Mapping[str, float]
    silent_prices: Mapping[str, float]
    takes_references: bool = True


# List prices of November 2026. With sound: the price map of LiteLLM 1.110.2. Without sound: prices of OpenRouter and of
# other resellers (fal, Vercel); Google's own list was not seen.
MODELS: Mapping[str, VeoModel] = MappingProxyType(
    {
        "veo-3.1-generate-001": VeoModel(
            {"720p": 0.40, "1080p": 0.40, "4k": 0.60}, {"720p": 0.20, "1080p": 0.20, "4k": 0.40}
        ),
        "veo-3.1-fast-generate-001": VeoModel({"720p": 0.10, "1080p": 0.12, "4k": 0.30}, {"720p": 0.08, "1080p": 0.10}),
        "veo-3.1-lite-generate-001": VeoModel({"720p": 0.05, "1080p": 0.08}, {"720p": 0.03}, takes_references=False),
    }
)
"""The models of which rules and prices are known, by ID."""


def estimate_cost(spec: VideoSpec) -> float | None:
    """Return the list price of an order in US dollars, or None if it is not known.

    Args:
        spec: Order for one video.
    """
    model = MODELS.get(read_model_id(spec.model))
    if model is None:
        return None
    with suppress(InvalidInputError, TypeError):
        body = make_body(spec)
        options = body.parameters
        prices = model.silent_prices if options.get("generateAudio") is False else model.prices
        seconds = options.get("durationSeconds", _EXTENSION_SECONDS if "video" in body.instance else _USUAL_SECONDS)
        return _multiply(prices.get(options.get("resolution", "720p")), seconds, options.get("sampleCount", 1))
    return None


def _multiply(*factors: Any) -> float | None:
    product = 1.0
    for factor in factors:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            return None
        product *= factor
    return round(product, 4)
