"""Profiles of gateways: their models, prices, sizes, lengths and frame rules, and their quirks.

A connection chooses a profile. Nothing in a profile is true for a server that does not have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.backends import server_rules
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec, format_seconds

Rule = Callable[[VideoSpec], Iterator[str]]
"""Yields a warning for each doubtful part of an order, or raises `InvalidInputError`."""


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
class FlexibleModel:
    """A model of a gateway whose orders choose length, resolution and shape. Its length does not change its price.

    Attributes:
        id: Name of the model in requests.
        prices_usd: Price of one finished video in US dollars, by resolution.
        default_resolution: Resolution of a video whose order names none.
        lengths: Lengths that can be ordered, in seconds.
        sizes: Sizes as `<width>x<height>` in pixels, with their resolutions.
        aspect_ratios: Shapes that can be ordered.
        most_references: Most pictures in the field `reference_images`.
    """

    id: str
    prices_usd: Mapping[str, float] = field(hash=False)
    default_resolution: str
    lengths: range
    sizes: Mapping[str, str] = field(hash=False)
    aspect_ratios: tuple[str, ...]
    most_references: int

    def check(self, spec: VideoSpec) -> Iterator[str]:
        """Yield a warning for each doubtful part of an order.

        Args:
            spec: Order for a video of this model.

        Raises:
            InvalidInputError: The model does not take a value of the order.
        """
        self._check_values(spec)
        references = spec.extra_body.get("reference_images")
        if isinstance(references, list) and len(references) > self.most_references:
            raise InvalidInputError(
                f"extra_body has {len(references)} reference_images; model {self.id!r} takes at most "
                f"{self.most_references}."
            )
        if spec.last_frame is not None:
            yield f"Model {self.id!r} is only known to take a first frame: last_frame may be ignored."
        if self._find_resolution(spec) is None:
            yield (
                f"size is {show(spec.size)}, and the order names no resolution. Model {self.id!r} is priced by the "
                f"field resolution, and its default is {self.default_resolution}: add extra_body="
                f"{{'resolution': '{self.sizes[str(spec.size)]}'}}."
            )

    def estimate_cost(self, spec: VideoSpec) -> float | None:
        """Return the price of an order in US dollars, or None if it is not known.

        Args:
            spec: Order for a video of this model.
        """
        return self.prices_usd.get(self._find_resolution(spec) or "")

    def _check_values(self, spec: VideoSpec) -> None:
        if spec.seconds is not None and format_seconds(spec.seconds) not in map(str, self.lengths):
            raise InvalidInputError(
                f"seconds is {show(spec.seconds)}; model {self.id!r} makes videos of {self.lengths[0]} to "
                f"{self.lengths[-1]} whole seconds."
            )
        if spec.size is not None:
            _check_choice("size", spec.size, (*self.sizes, *self.aspect_ratios), self.id)
        for name, choices in (("resolution", self.prices_usd), ("aspect_ratio", self.aspect_ratios)):
            if spec.extra_body.get(name) is not None:
                _check_choice(name, spec.extra_body[name], choices, self.id)

    def _find_resolution(self, spec: VideoSpec) -> str | None:
        """Return the resolution of an order. None: it is not known whether the size decides, or the default."""
        if (named := spec.extra_body.get("resolution")) is not None:
            return str(named)
        of_size = self.sizes.get(spec.size or "", self.default_resolution)
        return of_size if of_size == self.default_resolution else None


def _check_choice(name: str, value: Any, choices: Iterable[str], model: str) -> None:
    if value not in (taken := list(choices)):
        raise InvalidInputError(f"{name} is {show(value)}; model {model!r} takes {', '.join(taken)}.")


@dataclass(frozen=True)
class GatewayProfile:
    """The description of a gateway, or of a server program.

    Attributes:
        name: Name by which a connection chooses the profile.
        default_model: Model to order if neither the task nor the connection names one. None means that of the backend.
        hosts: Hosts of the gateway's API. Connections with these hosts have this profile by default.
        models: Models with their prices, sizes, lengths and frame rules, by ID. Other models can be ordered, too;
            nothing is known of them.
        flexible_models: Models whose orders choose length, resolution and shape, by ID.
        rules: Rules of the server program.
        stand_in_model: Name that the gateway reports instead of the model of each video, with a wrong length beside
            it. None if it reports the real model.
        charges_failed_chats: Whether the gateway charges for a chat call that fails.
        retention: Seconds after an order in which the gateway may still have its video.
    """

    name: str
    default_model: str | None
    hosts: frozenset[str] = frozenset()
    models: Mapping[str, VideoModel] = field(default_factory=dict, hash=False)
    flexible_models: Mapping[str, FlexibleModel] = field(default_factory=dict, hash=False)
    rules: tuple[Rule, ...] = ()
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

    def estimate_cost(self, spec: VideoSpec) -> float | None:
        """Return the price of an order in US dollars, or None if it is not known.

        Args:
            spec: Order for one video.
        """
        flexible = self.flexible_models.get(spec.model)
        return flexible.estimate_cost(spec) if flexible else self.cost_of(spec.model)

    def check(self, spec: VideoSpec) -> Iterator[str]:
        """Yield a warning for each part of an order that the gateway may not take as it is meant.

        Args:
            spec: Order for one video.

        Raises:
            InvalidInputError: The gateway would refuse the order, ignore a part of it, or make another video.
        """
        self.check_frames(spec)
        if flexible := self.flexible_models.get(spec.model):
            yield from flexible.check(spec)
        for rule in self.rules:
            yield from rule(spec)

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


GENERIC = GatewayProfile(name="generic", default_model=None)
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

# Source: docs.laozhang.ai, "Gemini Omni 1.2 Flash", 2026-11-11. An order is charged when it is created, and refunded in
# full if the job fails, also by moderation. Links live 7 days. The second host was the API's in 2026-05.
LAOZHANG = GatewayProfile(
    name="laozhang",
    default_model="gemini-omni-1.2-flash",
    hosts=frozenset({"api.laozhang.ai", "api2.laozhang.ai"}),
    retention=7 * 24 * 3600.0,
    flexible_models={
        "gemini-omni-1.2-flash": FlexibleModel(
            "gemini-omni-1.2-flash",
            prices_usd={"360p": 0.10, "720p": 0.30, "1080p": 0.45},
            default_resolution="720p",
            lengths=range(3, 11),
            sizes={
                f"{width}x{height}": resolution
                for resolution, long, short in (("360p", 640, 360), ("720p", 1280, 720), ("1080p", 1920, 1080))
                for width, height in ((long, short), (short, long))
            },
            aspect_ratios=("16:9", "9:16"),
            most_references=6,
        )
    },
)
"""Profile of LaoZhang, which sells Gemini Omni by the video."""

_PROGRAMS = tuple(
    GatewayProfile(name=name, default_model=GENERIC.default_model, rules=(rule,))
    for name, rule in (
        ("new-api", server_rules.check_new_api),
        ("litellm", server_rules.check_litellm),
        ("vllm-omni", server_rules.check_vllm_omni),
        ("sglang", server_rules.check_sglang),
        ("fastvideo", server_rules.check_fastvideo),
    )
)
"""Profiles of server programs, of which rules are known, and no prices."""

PROFILES: Mapping[str, GatewayProfile] = MappingProxyType(
    {profile.name: profile for profile in (VEO_GATEWAY, LAOZHANG, *_PROGRAMS, GENERIC)}
)
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
        *others, last = map(repr, PROFILES)
        raise InvalidInputError(
            f"profile is {name!r}; it must be {', '.join(others)} or {last}. 'generic' suits every server."
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
