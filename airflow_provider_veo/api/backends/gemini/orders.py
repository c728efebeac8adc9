"""Turn an order into the body of a create call: defaults, then `extra_body`, then the arguments of the order.

Sources: requests of google-genai 3.6.1, recorded on 2026-11-27, and Google's page on Omni of 2026-09-18.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec, format_seconds

_HEIGHTS = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160)}
_SHAPES = {f"{width}x{height}": ("16:9", name) for name, (width, height) in _HEIGHTS.items()} | {
    f"{height}x{width}": ("9:16", name) for name, (width, height) in _HEIGHTS.items()
}
"""Aspect ratio and resolution of each size."""

_ARGUMENT_OF_FIELD = {
    "input": "prompt",
    "model": "model",
    "response_format.duration": "seconds",
    "response_format.aspect_ratio": "size",
    "response_format.resolution": "size",
    "generation_config.video_config.task": "first_frame",
}
_NEEDED = {"background": True, "store": True, "stream": False}
"""Fields without which a job cannot be found again: a blocking call may break off, and a job that is not stored has no
ID (google-genai 3.6.1)."""

_TAG = re.compile(r"<(FIRST|LAST)_FRAME>|\[# ")


@dataclass(frozen=True)
class Delivery:
    """The way in which the server hands over a finished video.

    Attributes:
        output_uri: Folder of a bucket that the server writes to, as `gs://bucket/folder/`. None without one.
        as_file: Whether the server keeps the video as a file of its Files API if there is no folder. If not, the video
            is a part of the answer.
    """

    output_uri: str | None = None
    as_file: bool = True

    def fields(self) -> dict[str, str]:
        """Return the fields of `response_format`."""
        if self.output_uri:
            return {"delivery": "uri", "gcs_uri": self.output_uri}
        return {"delivery": "uri"} if self.as_file else {}


def build_body(spec: VideoSpec, delivery: Delivery) -> dict[str, Any]:
    """Return the body of the create call.

    Args:
        spec: Order for one video.
        delivery: The way in which the server hands over the video.

    Raises:
        InvalidInputError: The protocol cannot express a value, or `extra_body` sets a field that an argument sets, or
            that the job needs in order to be found again.
    """
    extra = dict(spec.extra_body)
    if "response_format" in extra:
        extra["response_format"] = _open_list(extra["response_format"])
    for name, needed in _NEEDED.items():
        if extra.get(name, needed) is not needed:
            raise InvalidInputError(
                f"extra_body sets {name} to {show(extra[name])}: the job of {spec.model!r} could not be found again, "
                "and its video would be lost. Leave the field out."
            )
    for name in ("response_format", "generation_config"):
        if not isinstance(extra.get(name, {}), Mapping):
            raise InvalidInputError(f"extra_body sets {name} to {show(extra[name])}; it must be a dictionary.")
    fields = _build_fields(spec)
    _refuse_clashes(extra, fields)
    defaults = {"background": True, "response_format": {"type": "video", **delivery.fields()}}
    return _merge(_merge(defaults, extra), fields)


def _build_fields(spec: VideoSpec) -> dict[str, Any]:
    """Return the fields of the body that the arguments of an order set."""
    fields: dict[str, Any] = {"model": spec.model, "input": _build_input(spec)}
    if form := _build_form(spec):
        fields["response_format"] = form
    if spec.first_frame:
        fields["generation_config"] = {"video_config": {"task": "image_to_video"}}
    return fields


def _build_input(spec: VideoSpec) -> str | list[dict[str, Any]]:
    frames = [frame for frame in (spec.first_frame, spec.last_frame) if frame is not None]
    if not frames:
        return spec.prompt
    text = {"type": "text", "text": _tag_prompt(spec.prompt) if spec.last_frame else spec.prompt}
    return [{"type": "user_input", "content": [text, *map(_build_image, frames)]}]


def _tag_prompt(prompt: str) -> str:
    """Return a prompt that names the roles of two pictures.

    Roles are a matter of the prompt: without these tags, two pictures are references (Google's page).
    """
    return prompt if _TAG.search(prompt) else f"<FIRST_FRAME> <LAST_FRAME> {prompt}"


def _build_image(frame: Frame) -> dict[str, str]:
    data = base64.b64encode(frame.content).decode()
    return {"type": "image", "mime_type": frame.media_type, "data": data}


def _build_form(spec: VideoSpec) -> dict[str, str]:
    form = {}
    if spec.seconds is not None:
        length = format_seconds(spec.seconds)
        if not length.isdecimal():
            raise InvalidInputError(f"seconds is {length}: {spec.model!r} makes videos of whole seconds only.")
        form["duration"] = f"{length}s"
    if spec.size is not None:
        shape = _SHAPES.get(spec.size.strip().lower())
        if shape is None:
            raise InvalidInputError(f"size is {show(spec.size)}: {spec.model!r} makes {', '.join(_SHAPES)}.")
        form["aspect_ratio"], form["resolution"] = shape
    return form


def _open_list(value: Any) -> Any:
    """Return the object in a list of one object: the API takes `response_format` in both forms."""
    is_single = isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping)
    return value[0] if is_single else value


def _refuse_clashes(extra: Mapping[str, Any], fields: Mapping[str, Any], path: str = "") -> None:
    for name, value in extra.items():
        place = f"{path}{name}"
        if name not in fields:
            continue
        if isinstance(value, Mapping) and isinstance(fields[name], Mapping):
            _refuse_clashes(value, fields[name], f"{place}.")
        elif isinstance(fields[name], Mapping):
            raise InvalidInputError(f"extra_body sets {place} to {show(value)}; it must be a dictionary.")
        else:
            argument = _ARGUMENT_OF_FIELD[place]
            raise InvalidInputError(f"extra_body may not set {place}: the argument {argument} sets it.")


def _merge(fields: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with those of others added or replaced; dictionaries are merged at every level."""
    merged = dict(fields)
    for name, value in others.items():
        known = merged.get(name)
        nested = _merge(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else None
        merged[name] = value if nested is None else nested
    return merged
