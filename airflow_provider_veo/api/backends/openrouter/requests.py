"""Build the requests of OpenRouter's video API."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.backends.openai import requests
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.specs import VideoSpec, format_seconds

FIELDS = frozenset(
    (
        *("model", "prompt", "duration", "size", "resolution", "aspect_ratio", "seed", "generate_audio"),
        *("frame_images", "input_references", "previous_job_id", "upscale_factor", "creativity", "provider"),
        *("callback_url", "session_id", "user", "trace"),
    )
)
"""Fields of the create call. There is none for a negative prompt, which some models take in `provider.options`."""

_LOWER_K = re.compile(r"\d+k")


def create_video(spec: VideoSpec) -> ApiRequest:
    """Build the create call, which orders a video.

    Args:
        spec: Order for a video.

    Raises:
        InvalidInputError: The API cannot take the order, see `make_body`.
    """
    return ApiRequest("POST", "/v1/videos", json=make_body(spec))


def make_body(spec: VideoSpec) -> dict[str, Any]:
    """Return the body of the create call.

    Args:
        spec: Order for a video.

    Raises:
        InvalidInputError: The length is not a whole number, `extra_body` has a field that an argument sets, or it
            writes a resolution as OpenRouter does not.
    """
    _check_extra_body(spec)
    body: dict[str, Any] = {"model": spec.model, "prompt": spec.prompt}
    if spec.seconds is not None:
        body["duration"] = _read_duration(spec)
    if spec.size is not None:
        body["size"] = spec.size
    if spec.first_frame is not None:
        frames = {"first_frame": spec.first_frame, "last_frame": spec.last_frame}
        body["frame_images"] = [_make_frame(kind, frame) for kind, frame in frames.items() if frame is not None]
    return body | dict(spec.extra_body)


def get_content(video_id: str) -> ApiRequest:
    """Build the download call for a job's first video.

    Args:
        video_id: ID of the job.
    """
    return ApiRequest("GET", f"{requests.get_content(video_id).path}?index=0")


def list_models() -> ApiRequest:
    """Build the call that lists the video models with everything that they take, and their prices. It costs nothing."""
    return ApiRequest("GET", "/v1/videos/models")


def _check_extra_body(spec: VideoSpec) -> None:
    arguments = {"duration": "seconds"}
    if spec.size is not None:
        arguments |= {"resolution": "size", "aspect_ratio": "size"}
    if spec.first_frame is not None:
        arguments |= {"frame_images": "first_frame"}
    for field, argument in arguments.items():
        if field in spec.extra_body:
            raise InvalidInputError(f"extra_body may not set {field}: use the argument {argument} alone.")
    resolution = spec.extra_body.get("resolution")
    if isinstance(resolution, str) and _LOWER_K.fullmatch(resolution):
        raise InvalidInputError(
            f"extra_body sets resolution to {show(resolution)}; OpenRouter writes it {resolution.upper()!r}."
        )


def _read_duration(spec: VideoSpec) -> int:
    length = format_seconds(spec.seconds)
    if not length.isdecimal():
        raise InvalidInputError(f"seconds is {length}; OpenRouter takes whole seconds only (model {show(spec.model)}).")
    return int(length)


def _make_frame(kind: str, frame: Frame) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": frame.url}, "frame_type": kind}
