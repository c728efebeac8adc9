"""The price card: what is known of the Veo 3.1 models of the seed gateway.

Source: the gateway's documentation page, section "model card". That page swaps the descriptions of
`veo-3.1-landscape` and `veo-3.1-landscape-fl`; here the meaning of the name counts, as everywhere else.
Any other model id is passed on as it is; nothing is known of its price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from airflow_provider_veo.api.errors import InvalidInputError

DEFAULT_MODEL = "veo-3.1-fast"


@dataclass(frozen=True)
class VideoModel:
    """One line of the price card.

    Attributes:
        id: the name on the wire.
        price_usd: charged for each finished video.
        width: of the video, in pixels.
        height: of the video, in pixels.
        seconds: length of the video; it cannot be chosen.
        takes_frames: the model animates a first and, if given, up to a last frame.
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


CARD: Mapping[str, VideoModel] = MappingProxyType(
    {
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
    }
)
"""The eight models of the card, by id."""


def check_frames(model_id: str, *, first: bool, last: bool) -> None:
    """Refuse a combination of model and frames that the gateway would refuse or silently ignore.

    Raises:
        InvalidInputError: a last frame alone, frames with a known model that takes none, or a known frame
            model without a first frame. An unknown model takes what it is given.
    """
    if last and not first:
        raise InvalidInputError("last_frame needs a first_frame: a video cannot end in a frame only.")
    model = CARD.get(model_id)
    if model is None:
        return
    if first and not model.takes_frames:
        raise InvalidInputError(
            f"Model {model_id!r} takes no frames. Use {model_id + '-fl'!r}, or leave first_frame and last_frame out."
        )
    if model.takes_frames and not first:
        raise InvalidInputError(
            f"Model {model_id!r} needs a first_frame. "
            f"Use {model_id.removesuffix('-fl')!r} to make a video from the prompt alone."
        )
