"""Profiles of gateways: their models, prices, sizes, lengths and frame rules, and their quirks.

A connection chooses a profile. Nothing in a profile is true for a server that does not have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec


@dataclass(frozen=True)
class VideoModel:
    """A model of a gateway.

    Attributes:
        id: Name of the model in requests.
        price_usd: Price of one finished video, in US dollars.
        width: Width of the video in pixels.
        height: Height of the video in pixels.
        seconds: Length of the video in seconds. An order cannot choose it.
        takes_frames: Whether the model starts from a first frame and may end in a last one. It needs a first frame.
    """

    id: str
    price_usd: float
    width: int
    height: int
    seconds: int
    takes_frames: bool

    @property
    def size(self) -> str:
        """Width and height as the API writes them, for example `720x1280`."""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class GatewayProfile:
    """The description of a gateway.

    Attributes:
        name: Name by which a connection chooses the profile.
        default_model: Model to order if neither the task nor the connection names one.
        hosts: Hosts of the gateway's API. Connections with these hosts have this profile by default.
        models: Models with their prices, sizes, lengths and frame rules, by ID. Other models can be ordered, too;
            nothing is known of them.
        stand_in_model: Name that the gateway reports instead of the model of each video, with a wrong length beside
            it. None if it reports the real model.
        charges_failed_chats: Whether the gateway charges for a chat call that fails.
        retention: Seconds after an order in which the gateway may still have its video.
    """

    name: str
    default_model: str
    hosts: frozenset[str] = frozenset()
    models: Mapping[str, VideoModel] = field(default_factory=dict, hash=False)
    stand_in_model: str | None = None
    charges_failed_chats: bool = False
    # the longest time that is known: Google's Gemini API keeps generated videos for two days (ai.google.dev, page
    # "Generate videos", section "Limitations"); the other servers delete them within a day
    retention: float = 2 * 24 * 3600.0

    def size_of(self, model: str) -> str | None:
        """Return the size of a model's videos as `<width>x<height>`, or None if it is not known.

        Args:
            model: Name of the model.
        """
        known = self.models.get(model)
        return known.size if known else None

    def cost_of(self, model: str, videos: int = 1) -> float | None:
        """Return the price of videos in US dollars, or None if it is not known.

        Args:
            model: Name of the model.
            videos: Number of videos in the order.
        """
        known = self.models.get(model)
        return known.price_usd * videos if known else None

    def check_frames(self, spec: VideoSpec | ChatSpec) -> None:
        """Refuse an order with frames that the gateway would refuse or silently ignore.

        Args:
            spec: Order for a video.

        Raises:
            InvalidInputError: The model is known to take no frames, or to need a first frame.
        """
        model = self.models.get(spec.model)
        if model is None or model.takes_frames == (spec.first_frame is not None):
            return
        if model.takes_frames:
            raise InvalidInputError(
                f"Model {model.id!r} needs a first_frame. "
                f"Use {model.id.removesuffix('-fl')!r} to make a video from the prompt alone."
            )
        raise InvalidInputError(
            f"Model {model.id!r} takes no frames. Use {model.id + '-fl'!r}, or leave first_frame and last_frame out."
        )


GENERIC = GatewayProfile(name="generic", default_model="veo-3.1-fast")
"""Profile of a server of which nothing is known: no price, no size, and no rule about frames."""

# Sources: the gateway's documentation page, section on models, and its answers. That page swaps the descriptions of
# `veo-3.1-landscape` and `veo-3.1-landscape-fl`; here the name decides, as for the other models.
VEO_GATEWAY = GatewayProfile(
    name="veo-gateway",
    default_model="veo-3.1-fast",
    hosts=frozenset({"api.apiyi.com", "vip.apiyi.com", "b.apiyi.com"}),
    models={
        model.id: model
        for model in (
            VideoModel("veo-3.1", 0.25, 720, 1280, 8, takes_frames=False),
            VideoModel("veo-3.1-fl", 0.25, 720, 1280, 8, takes_frames=True),
            VideoModel("veo-3.1-fast", 0.15, 720, 1280, 8, takes_frames=False),
            VideoModel("veo-3.1-fast-fl", 0.15, 720, 1280, 8, takes_frames=True),
            VideoModel("veo-3.1-landscape", 0.25, 1280, 720, 8, takes_frames=False),
            VideoModel("veo-3.1-landscape-fl", 0.25, 1280, 720, 8, takes_frames=True),
            VideoModel("veo-3.1-landscape-fast", 0.15, 1280, 720, 8, takes_frames=False),
            VideoModel("veo-3.1-landscape-fast-fl", 0.15, 1280, 720, 8, takes_frames=True),
        )
    },
    stand_in_model="sora2_video_generation",  # with a length of 4 seconds for videos of 8
    charges_failed_chats=True,
)
"""Profile of the Veo 3.1 gateway whose eight models this provider was first written for."""

PROFILES: Mapping[str, GatewayProfile] = MappingProxyType({profile.name: profile for profile in (VEO_GATEWAY, GENERIC)})
"""All profiles by name."""


def find_profile(name: Any) -> GatewayProfile:
    """Return the profile of a name.

    Args:
        name: Name of the profile, as a connection has it.

    Raises:
        InvalidInputError: There is no profile of this name.
    """
    profile = PROFILES.get(name) if isinstance(name, str) else None
    if profile is None:
        raise InvalidInputError(
            f"profile is {name!r}; it must be {' or '.join(map(repr, PROFILES))}. 'generic' suits every server."
        )
    return profile


def find_profile_of_host(base_url: str) -> GatewayProfile:
    """Return the profile of the gateway at an address, or `GENERIC`.

    Args:
        base_url: Address of an API; any text.
    """
    with suppress(ValueError):  # the text is not an address
        host = urlsplit(base_url).hostname
        return next((profile for profile in PROFILES.values() if host in profile.hosts), GENERIC)
    return GENERIC
