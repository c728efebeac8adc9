"""Rules of server programs: the parts of an order that they ignore silently, or turn into another video.

Each function yields a warning for each doubtful part, and refuses an order that the server surely makes wrong. The
profile of a server names its rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import VideoSpec

# Measured with LiteLLM's proxy 1.110.2 in front of a stand-in for Google, models of `vertex_ai/`
# (`tests/wire/litellm.json`): it answers 200, Google makes and charges another video.
_DROPPED_BY_LITELLM = ("duration", "generate_audio", "instances", "metadata", "negative_prompt", "seed")
_WIDE_AND_TALL = ("1280x720", "720x1280")
_FULL_HD = ("1920x1080", "1080x1920")
_RESOLUTION_IS_SENT = ("fast", "lite")  # models that have a price for each resolution in LiteLLM's list

# Source: QuantumNous/new-api, relay/common/relay_utils.go
_READ_BY_NEW_API = frozenset(
    ("prompt", "model", "mode", "image", "images", "size", "duration", "seconds", "input_reference", "metadata")
)


def check_litellm(spec: VideoSpec) -> Iterator[str]:
    """Check an order for LiteLLM's proxy.

    Args:
        spec: Order for one video.

    Raises:
        InvalidInputError: The video would go into a bucket, from which the proxy does not hand it over.
    """
    parameters = spec.extra_body.get("parameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    if "storageUri" in parameters:
        raise InvalidInputError(
            f"extra_body sets parameters.storageUri (model {show(spec.model)}): LiteLLM's proxy does not hand over a "
            "video that Google writes into a bucket, so a paid video could not be stored. Leave it out."
        )
    if dropped := [name for name in _DROPPED_BY_LITELLM if name in spec.extra_body]:
        yield (
            f"extra_body sets {', '.join(dropped)}: with a model of vertex_ai/, LiteLLM's proxy drops that silently, "
            "and the video is charged all the same. Veo's own settings belong into extra_body's field parameters, for "
            "example {'parameters': {'negativePrompt': 'rain'}}."
        )
    if spec.first_frame is not None and parameters:
        yield "extra_body sets parameters: LiteLLM's proxy drops that silently from an order with frames."
    if spec.last_frame is not None:
        yield (
            "LiteLLM's proxy passes on only the last of two frames, as the first one: the video would begin with "
            "last_frame. Leave last_frame out."
        )
    yield from _check_size_for_litellm(spec, names_resolution="resolution" in {*spec.extra_body, *parameters})


def _check_size_for_litellm(spec: VideoSpec, *, names_resolution: bool) -> Iterator[str]:
    if spec.size is None or spec.size in _WIDE_AND_TALL:
        return
    if spec.size not in _FULL_HD:
        yield f"size is {show(spec.size)}: with a model of Google, LiteLLM's proxy makes it 16:9 silently."
    elif not names_resolution and not any(word in spec.model for word in _RESOLUTION_IS_SENT):
        yield (
            f"size is {spec.size}: with the standard model of vertex_ai/, LiteLLM's proxy passes on the shape only, "
            "and Google makes 720p. Add extra_body={'resolution': '1080p'}."
        )


def check_new_api(spec: VideoSpec) -> Iterator[str]:
    """Check an order for new-api. In a form, it takes each field that it does not know as a part of `metadata`.

    Args:
        spec: Order for one video.
    """
    if spec.first_frame is None and (unread := sorted(set(spec.extra_body) - _READ_BY_NEW_API)):
        yield (
            f"extra_body sets {', '.join(map(show, unread))}: new-api does not read that in JSON. Settings of the "
            "model belong into extra_body's field metadata, for example {'metadata': {'resolution': '1080p'}}."
        )


def check_vllm_omni(spec: VideoSpec) -> Iterator[str]:
    """Check an order for vLLM-Omni.

    Args:
        spec: Order for one video.

    Raises:
        InvalidInputError: The order has two frames.
    """
    return _check_frames("vLLM-Omni", spec)


def check_sglang(spec: VideoSpec) -> Iterator[str]:
    """Check an order for SGLang.

    Args:
        spec: Order for one video.

    Raises:
        InvalidInputError: The order has two frames.
    """
    return _check_frames("SGLang", spec)


def check_fastvideo(spec: VideoSpec) -> Iterator[str]:
    """Check an order for FastVideo.

    Args:
        spec: Order for one video.

    Raises:
        InvalidInputError: The order has two frames.
    """
    return _check_frames("FastVideo", spec)


def _check_frames(server: str, spec: VideoSpec) -> Iterator[str]:
    """Refuse two frames. Measured with the routes of vLLM-Omni 0.30, SGLang 0.5.23 and FastVideo 0.2.1."""
    if spec.last_frame is not None:
        raise InvalidInputError(
            f"{server} takes one frame, and of two the last: the video of {show(spec.model)} would begin with "
            "last_frame. Leave last_frame out."
        )
    yield from ()
