"""Refuse orders that a model cannot make, before they are sent, and warn of values that may not mean what they say.

The rules are about the finished body, so they hold for arguments and for `extra_body`. Sources: google-genai 3.6.1
(types), Google's pages on Omni (2026-08-30 and 2026-09-18), resellers' pages where a rule says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import VideoSpec

GLOBAL = "global"
"""The only location of the Agent Platform that sells Omni (Google's page on the preview, promptfoo PR#10151)."""


@dataclass(frozen=True)
class _Model:
    """Limits of a model.

    Attributes:
        longest: Longest video, in seconds.
        longest_between_frames: Longest video with a first and a last frame, in seconds.
    """

    longest: int
    longest_between_frames: int


_SHORTEST = 3
_LONGEST_EXTENSION = 10
# Sources: Google's page on generating videos (1.2), civitai, vercel
_MODELS = {
    "gemini-omni-1.2-flash": _Model(15, 10),
    "gemini-omni-1.1-flash": _Model(10, 10),
    "gemini-omni-1.1-flash-preview": _Model(10, 10),
}
_ENDS = {"gemini-omni-1.1-flash": "2026-12-03"}
"""Last day of models (price map of litellm 1.110.2)."""

_CHOICES = {
    "resolution": ("360p", "720p", "1080p", "4k"),
    "aspect_ratio": ("16:9", "9:16"),
}
_LENGTH = re.compile(r"([1-9][0-9]{0,3})s")
_ABSENT = {
    "negative_prompt": "takes no negative prompt. Write into the prompt what the video shall not show",
    "generate_audio": "always makes sound. Ask in the prompt for silence",
}
_NOT_SUPPORTED = ("temperature", "top_p", "stop_sequences")
_OF_SOURCE = ("edit", "extend")
"""Tasks that change a video. Their video has the shape of its source."""

_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_LONGEST_PROMPT = 131_072 * 4
"""Characters of the longest input (131072 tokens, price map of litellm 1.110.2), at four characters a token."""


def check_order(spec: VideoSpec, body: Mapping[str, Any], *, project: str | None, location: str) -> Iterator[str]:
    """Yield a warning for each value that the API may not take as it is meant.

    Args:
        spec: Order for one video.
        body: Body of its create call.
        project: Project of Google Cloud if the Agent Platform is asked; None if the Gemini API is.
        location: Location of the Agent Platform.

    Raises:
        InvalidInputError: The order breaks a rule.
    """
    _check_labels(spec.model, body.get("labels"))
    _check_surface(spec.model, body, project)
    yield from _find_doubts_of_surface(spec.model, body, project, location)
    if model := _MODELS.get(spec.model):
        _check_model(spec, model, body)
        yield from _find_doubts_of_model(spec, body)


def _check_labels(model: str, labels: Any) -> None:
    if labels is None:
        return
    pairs = labels.items() if isinstance(labels, Mapping) else [(None, labels)]
    for key, value in pairs:
        if not (isinstance(key, str) and isinstance(value, str)) or not (
            _LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)
        ):
            raise InvalidInputError(
                f"labels in extra_body has {show(key)}: {show(value)}. Google takes labels for {model!r} of up to 63 "
                "lower-case letters, digits, _ and -, and the name of a label begins with a letter."
            )


def _check_surface(model: str, body: Mapping[str, Any], project: str | None) -> None:
    """Refuse fields that only the Agent Platform takes."""
    if project is None and "gcs_uri" in body["response_format"]:
        raise InvalidInputError(
            f"extra_body sets response_format.gcs_uri, which the Gemini API does not take for {model!r}: only the "
            "Agent Platform writes to a bucket. Set project in the connection, or leave the field out."
        )
    if project is None and "safety_settings" in body:  # 400, seen live on 2026-08-08
        raise InvalidInputError(
            f"extra_body sets safety_settings, which the Gemini API refuses for {model!r}: only the Agent Platform "
            "takes them. Leave the field out."
        )


def _check_model(spec: VideoSpec, model: _Model, body: Mapping[str, Any]) -> None:
    for name, why in _ABSENT.items():
        if name in body or name in body["response_format"]:
            raise InvalidInputError(f"extra_body sets {name}, and {spec.model!r} {why}.")
    for name, values in _CHOICES.items():
        value = body["response_format"].get(name, values[0])
        if value not in values:
            raise InvalidInputError(
                f"extra_body sets response_format.{name} to {show(value)}: {spec.model!r} takes "
                f"{', '.join(map(repr, values))}."
            )
    _check_length(spec, model, body)


def _check_length(spec: VideoSpec, model: _Model, body: Mapping[str, Any]) -> None:
    if (given := body["response_format"].get("duration")) is None:
        return
    name = "seconds" if spec.seconds is not None else "response_format.duration in extra_body"
    found = _LENGTH.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise InvalidInputError(f"{name} is {show(given)}; it must be a text of whole seconds, like '8s'.")
    longest, kind = model.longest, "videos"
    if spec.last_frame is not None:
        longest, kind = model.longest_between_frames, "videos between a first_frame and a last_frame"
    elif _find(body, "generation_config", "video_config", "task") == "extend":
        longest, kind = _LONGEST_EXTENSION, "extensions"
    if not _SHORTEST <= int(found[1]) <= longest:
        raise InvalidInputError(
            f"{name} is {found[1]}: {spec.model!r} makes {kind} of {_SHORTEST} to {longest} whole seconds."
        )


def _find_doubts_of_surface(model: str, body: Mapping[str, Any], project: str | None, location: str) -> Iterator[str]:
    form = body["response_format"]
    if project is None:
        return
    if location != GLOBAL:
        yield f"The connection's location is {location!r}: Google is known to sell {model!r} in {GLOBAL!r} only."
    if form.get("delivery") != "uri":
        yield (
            f"The video of {model!r} comes within an answer, which Google limits to 4 MB. Set output_uri in the "
            "connection to a folder of a bucket."
        )
    if "previous_interaction_id" in body:
        yield (
            f"previous_interaction_id: Google's samples for {model!r} on the Agent Platform contradict each other "
            "about whether it takes the ID of an earlier job."
        )


def _find_doubts_of_model(spec: VideoSpec, body: Mapping[str, Any]) -> Iterator[str]:
    config = body.get("generation_config")
    ignored = [name for name in _NOT_SUPPORTED if isinstance(config, Mapping) and name in config]
    ignored += ["system_instruction"] if "system_instruction" in body else []
    if ignored:
        yield f"Google does not support {', '.join(ignored)} for {spec.model!r}."
    if _find(body, "generation_config", "seed") is not None:
        yield f"generation_config.seed: Google does not promise equal videos of {spec.model!r} for equal numbers."
    task = _find(body, "generation_config", "video_config", "task")
    if task in _OF_SOURCE and "aspect_ratio" in body["response_format"]:
        yield f"The video of {spec.model!r} will have the aspect ratio of its source (task {task!r}; ComfyUI's page)."
    if spec.model in _ENDS:
        yield f"Google is said to end {spec.model!r} on {_ENDS[spec.model]}. gemini-omni-1.2-flash follows it."
    if len(spec.prompt) > _LONGEST_PROMPT:
        yield f"The prompt has {len(spec.prompt)} characters: {spec.model!r} takes 131072 tokens."


def _find(body: Any, *names: str) -> Any:
    """Return a value within dictionaries; None if it is not there."""
    for name in names:
        body = body.get(name) if isinstance(body, Mapping) else None
    return body
