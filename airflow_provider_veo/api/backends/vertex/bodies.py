"""Build the body of the call that orders a video."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec, format_seconds

FIELDS = frozenset({"instances", "parameters", "labels"})
"""Fields of the body that the API knows."""

_ARGUMENT_OF: Mapping[str, str] = MappingProxyType(
    {
        "prompt": "prompt",
        "image": "first_frame",
        "lastFrame": "last_frame",
        "durationSeconds": "seconds",
        "aspectRatio": "size",
        "resolution": "size",
    }
)

# Google's sizes of Veo 3.1, as width x height; the API takes an aspect ratio and a resolution instead
_SHAPE_OF_SIZE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "1280x720": {"aspectRatio": "16:9", "resolution": "720p"},
        "720x1280": {"aspectRatio": "9:16", "resolution": "720p"},
        "1920x1080": {"aspectRatio": "16:9", "resolution": "1080p"},
        "1080x1920": {"aspectRatio": "9:16", "resolution": "1080p"},
        "3840x2160": {"aspectRatio": "16:9", "resolution": "4k"},
        "2160x3840": {"aspectRatio": "9:16", "resolution": "4k"},
    }
)


@dataclass(frozen=True)
class Body:
    """The body of an order, in parts.

    Attributes:
        instance: Description of the video: prompt, frames, and a video to continue.
        parameters: Options of the video, and the place where Google stores it.
        others: All other fields, such as `labels`.
    """

    instance: Mapping[str, Any]
    parameters: Mapping[str, Any]
    others: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the body as JSON values."""
        parameters = {"parameters": dict(self.parameters)} if self.parameters else {}
        return {"instances": [dict(self.instance)], **parameters, **self.others}


def make_body(spec: VideoSpec, output_uri: str | None = None) -> Body:
    """Build the body of an order: the fields of the arguments, and those of `extra_body`.

    Args:
        spec: Order for one video.
        output_uri: Address of the bucket and folder in which Google stores the video, unless `extra_body` names
            another one. None: the video comes with the answer.

    Raises:
        InvalidInputError: `extra_body` has another form than the body of this API, or sets a field that an argument
            sets; or no video has that size.
    """
    others = dict(spec.extra_body)
    instance = _read_instance(others.pop("instances", [{}]))
    parameters = others.pop("parameters", {})
    if not isinstance(parameters, Mapping):
        raise InvalidInputError(f"extra_body parameters is {show(parameters)}; it must be a dictionary.")
    storage = {"storageUri": output_uri} if output_uri else {}
    return Body(
        instance=_merge(_make_instance(spec), instance, "instances"),
        parameters=storage | _merge(_make_parameters(spec), parameters, "parameters"),
        others=others,
    )


def find_argument(spec: VideoSpec, field: str) -> str | None:
    """Return the name of the argument that sets a field of the body; None if no argument of the order does.

    Args:
        spec: Order for one video.
        field: Name of a field of the instance or of the parameters.
    """
    argument = _ARGUMENT_OF.get(field)
    return argument if argument and getattr(spec, argument) is not None else None


def _make_instance(spec: VideoSpec) -> dict[str, Any]:
    frames = {"image": spec.first_frame, "lastFrame": spec.last_frame}
    return {"prompt": spec.prompt} | {field: _make_image(frame) for field, frame in frames.items() if frame is not None}


def _make_image(frame: Frame) -> dict[str, str]:
    return {"bytesBase64Encoded": base64.b64encode(frame.content).decode(), "mimeType": frame.media_type}


def _make_parameters(spec: VideoSpec) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if spec.seconds is not None:
        length = float(format_seconds(spec.seconds))
        fields["durationSeconds"] = int(length) if length.is_integer() else length
    if spec.size is None:
        return fields
    if spec.size not in _SHAPE_OF_SIZE:
        raise InvalidInputError(
            f"size is {show(spec.size)}; model {spec.model!r} makes videos of {', '.join(_SHAPE_OF_SIZE)}."
        )
    return {**fields, **_SHAPE_OF_SIZE[spec.size]}


def _read_instance(instances: Any) -> Mapping[str, Any]:
    if not isinstance(instances, list) or len(instances) != 1 or not isinstance(instances[0], Mapping):
        raise InvalidInputError("extra_body instances must be a list of one dictionary: a task orders one video.")
    instance: Mapping[str, Any] = instances[0]
    return instance


def _merge(ours: Mapping[str, Any], given: Mapping[str, Any], place: str) -> dict[str, Any]:
    if clashing := sorted(set(ours) & set(given)):
        field = clashing[0]
        raise InvalidInputError(f"extra_body {place} may not set {field}: the argument {_ARGUMENT_OF[field]} sets it.")
    return {**ours, **given}
