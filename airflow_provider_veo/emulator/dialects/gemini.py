"""Google's Interactions API, with an API key or on the Agent Platform of Google Cloud.

A job is an interaction. Its usage gives its exact price. Left out: the video of an earlier interaction (edit, extend,
upscale) is not a part of the new one, conversations, webhooks, uploads.

Sources: recorded requests of google-genai 3.6.1, a captured answer of 2026-08, and live notes about refusals.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import urljoin

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.dialects.google import (
    GoogleDialect,
    format_time,
    make_data_uri,
    make_object_names,
)
from airflow_provider_veo.emulator.jobs import FILTERED, Job
from airflow_provider_veo.emulator.messages import AcceptedOrder, Call, OrderRequest, RefusedError, Reply

_WORDS = {"queued": "in_progress", "processing": "in_progress"}
_FIELDS = frozenset(
    (
        *("model", "input", "background", "store", "stream", "generation_config", "response_format", "service_tier"),
        *("response_modalities", "previous_interaction_id", "labels", "webhook_config", "safety_settings"),
        *("system_instruction", "tools"),
    )
)
_SIDES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160)}
_VALUES = {"resolution": tuple(_SIDES), "aspect_ratio": ("16:9", "9:16"), "delivery": ("inline", "uri")}
_TASKS = ("text_to_video", "image_to_video", "reference_to_video", "edit", "extend", "upscale")
_DURATION = re.compile(r"([1-9][0-9]?)s")
_DEFAULT_SECONDS = 8  # the emulator's own: the model chooses
_MOST_SECONDS = {"gemini-omni-1.2-flash": 15, "gemini-omni-1.1-flash": 10}
_LEAST_SECONDS = 3
_FILE_SECONDS = 48 * 3600

# The captured answer and the list prices: tokens of a second of video, and dollars for a token
_TOKENS_OF_SECOND = {"360p": 1931, "720p": 5792, "1080p": 8688, "4k": 17376}
_USD_OF_VIDEO_TOKEN = {"gemini-omni-1.2-flash": 12e-6, "gemini-omni-1.1-flash": 17.5e-6}
_USD_OF_INPUT_TOKEN, _USD_OF_TEXT_TOKEN = 1.5e-6, 9e-6
_TEXT_TOKENS, _THOUGHT_TOKENS, _PICTURE_TOKENS = 18, 281, 258


class Gemini(GoogleDialect):
    """Interactions. Their errors have a code that is a text; those of the platform below are Google's usual ones."""

    name = "gemini"

    def find_call(self, method: str, path: str) -> Call | None:
        if method == "POST" and path.endswith("/interactions"):
            return "order"
        if method == "GET" and "/interactions/" in path:
            return "status"
        return "content" if method == "GET" and (path.endswith(":download") or path.startswith("/storage/")) else None

    def find_pictures(self, fields: Mapping[str, Any]) -> Iterator[str]:
        for part in _list_parts(fields.get("input")):
            if part.get("type") == "image" and (text := make_data_uri(part, "data", "mime_type", "uri")):
                yield text

    def accept(self, order: OrderRequest, *, is_cloud: bool) -> AcceptedOrder:
        """Return an order as the server reads it.

        Args:
            order: The order.
            is_cloud: Whether it was sent to the Agent Platform.

        Raises:
            RefusedError: The server does not take the order.
        """
        fields = order.fields
        if unknown := sorted(fields.keys() - _FIELDS):
            self._refuse(f"Unknown parameter '{unknown[0]}'.")
        name = str(fields.get("model"))
        if name not in _USD_OF_VIDEO_TOKEN:
            message = f"models/{name} is not found for API version v1, or is not supported for interactions."
            self.refuse(404, f"{message} Call ListModels to see the list of available models.", "NOT_FOUND")
        self._check_fields(fields, is_cloud=is_cloud)
        form = self._read_form(fields, name, is_cloud=is_cloud)
        texts = [str(part.get("text", "")) for part in _list_parts(fields["input"]) if part.get("type") == "text"]
        prompt = fields["input"] if isinstance(fields["input"], str) else " ".join(texts)
        frames = tuple(picture.frame for picture in order.pictures)
        model = _make_model(name, form, len(frames))
        options = {field: form[field] for field in ("resolution", "delivery", "gcs_uri") if field in form}
        return AcceptedOrder(prompt, model, frames, options)

    def _check_fields(self, fields: Mapping[str, Any], *, is_cloud: bool) -> None:
        if not fields.get("input"):
            self._refuse("Missing input.")
        if fields.get("stream"):
            self._refuse("Omni does not support streaming.")
        if fields.get("background") and fields.get("store") is False:
            self._refuse("background requires store.")
        if "safety_settings" in fields and not is_cloud:
            self._refuse_on_the_api("safety_settings")
        config = fields.get("generation_config")
        video = config.get("video_config") if isinstance(config, dict) else None
        task = video.get("task") if isinstance(video, dict) else None
        if task is not None and task not in _TASKS:
            self._refuse(f"Invalid enum value '{task}' at 'generation_config.video_config.task'.")

    def _read_form(self, fields: Mapping[str, Any], model: str, *, is_cloud: bool) -> Mapping[str, Any]:
        given = fields.get("response_format", {})
        form = given[0] if isinstance(given, list) and len(given) == 1 else given
        if not isinstance(form, dict):
            self._refuse("Invalid value for response_format.")
        for name, values in _VALUES.items():
            if form.get(name, values[0]) not in values:
                self._refuse(f"Invalid enum value '{form[name]}' at 'response_format.{name}'.")
        found = _DURATION.fullmatch(str(form.get("duration", f"{_DEFAULT_SECONDS}s")))
        if not found or not _LEAST_SECONDS <= int(found[1]) <= _MOST_SECONDS[model]:
            self._refuse("Invalid value for response_format.duration.")
        if "gcs_uri" in form and not is_cloud:
            self._refuse_on_the_api("response_format.gcs_uri")
        if form.get("delivery") == "uri" and "gcs_uri" not in form and is_cloud:
            self._refuse("response_format.gcs_uri is required for delivery 'uri'.")
        return {"resolution": "720p", **form, "duration": int(found[1])}

    def _refuse_on_the_api(self, name: str) -> NoReturn:
        self._refuse(
            f"The parameter '{name}' is not available on the Gemini API but it is available on the Gemini Enterprise "
            "Agent Platform."
        )

    def _refuse(self, message: str) -> NoReturn:
        raise RefusedError(Reply({"error": {"message": message, "code": "invalid_request"}}, 400))

    # --- answers

    def new_id(self) -> str:
        """Return the ID of a new interaction."""
        return f"v1_{secrets.token_urlsafe(21)}"

    def interaction(self, job: Job, now: float, video: Mapping[str, str] | None = None) -> Reply:
        """Return the answer about an interaction.

        Args:
            job: The job.
            now: Time as Unix time in seconds.
            video: The video of a completed job: its bytes, or its address.
        """
        word = job.status(now)
        is_filtered = word == "failed" and job.failure_code == FILTERED
        body: dict[str, Any] = {
            "id": job.id,
            "object": "interaction",
            "created": format_time(job.created),
            "updated": format_time(min(now, job.done_at)),
            "model": job.model.id,
            "status": "completed" if is_filtered else _WORDS.get(word, word),
        }
        if video is not None:
            part = {"type": "video", "mime_type": "video/mp4", **video}
            thought = {"type": "thought", "signature": "EpcwCpQwAQw51sdI"}
            output = {"type": "model_output", "content": [part]}
            return Reply(body | {"service_tier": "standard", "usage": _make_usage(job), "steps": [thought, output]})
        if is_filtered:
            content = [{"type": "text", "text": job.failure}] if job.failure else []
            return Reply(body | {"steps": [{"type": "model_output", "content": content}] if content else []})
        if word == "failed":
            errors = [{"code": "https://ai.google.dev/errors/internal", "message": job.failure}]
            return Reply(body | {"errors": errors})
        return Reply(body)

    def wrong_key(self) -> Reply:
        """Return the answer to a request with a wrong key, or without one."""
        message = "API key not valid. Please pass a valid API key."
        return self.error_with(400, message, "INVALID_ARGUMENT", reason="API_KEY_INVALID", domain="googleapis.com")

    def unknown_interaction(self) -> Reply:
        """Return the answer to a call about an unknown interaction."""
        return self.error(404, "Requested entity was not found.", "NOT_FOUND")

    def not_cancellable(self) -> Reply:
        """Return the answer to the cancellation of a job that has ended."""
        return self.error(400, "Interaction is not in a cancellable state.", "FAILED_PRECONDITION")

    def list_objects(self, job: Job) -> Sequence[str]:
        folder = job.options.get("gcs_uri")
        return make_object_names(folder, job.id, 1) if isinstance(folder, str) else []

    # --- the Files API

    def find_file(self, job: Job, now: float) -> str | None:
        """Return the name of a completed job's file; None if the job has none."""
        has_file = job.options.get("delivery") == "uri" and "gcs_uri" not in job.options
        return _make_file_id(job) if has_file and job.status(now) == "completed" else None

    def make_file_url(self, job: Job, url: str) -> str:
        """Return the address of a job's file.

        Args:
            job: The job.
            url: Any address of the emulator.
        """
        return urljoin(url, f"/v1beta/files/{_make_file_id(job)}")

    def file(self, job: Job, now: float, url: str, content: bytes) -> Reply:
        """Return the answer about a file.

        Args:
            job: Job of the file.
            now: Time as Unix time in seconds.
            url: Address of the file.
            content: Bytes of the file.
        """
        body = {
            "name": f"files/{_make_file_id(job)}",
            "mimeType": "video/mp4",
            "sizeBytes": str(len(content)),
            "createTime": format_time(job.done_at),
            "updateTime": format_time(job.done_at),
            "expirationTime": format_time(job.done_at + _FILE_SECONDS),
            "uri": url,
            "downloadUri": f"{url}:download?alt=media",
            "state": "ACTIVE" if self.is_stored(job, now) else "PROCESSING",
            "source": "GENERATED",
        }
        if not self.is_stored(job, now):
            return Reply(body)
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        return Reply(body | {"sha256Hash": digest, "videoMetadata": {"videoDuration": f"{job.model.seconds}s"}})

    def unknown_file(self, name: str) -> Reply:
        """Return the answer to a call about an unknown file."""
        message = f"You do not have permission to access the File {name} or it may not exist."
        return self.error(403, message, "PERMISSION_DENIED")

    def file_not_ready(self, name: str) -> Reply:
        """Return the answer to the download of a file that is still processed."""
        message = f"The File {name} is not in an ACTIVE state and usage is not allowed."
        return self.error(400, message, "FAILED_PRECONDITION")


def _make_file_id(job: Job) -> str:
    return hashlib.sha256(job.id.encode()).hexdigest()[:12]


def _list_parts(value: Any) -> list[Mapping[str, Any]]:
    """Return the parts of an input: of its steps, or of a flat list (both forms were accepted live)."""
    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    steps = [item for item in items if item.get("type") == "user_input"]
    listed = [step.get("content") for step in steps] if steps else [items]
    return [part for parts in listed if isinstance(parts, list) for part in parts if isinstance(part, dict)]


def _make_model(name: str, form: Mapping[str, Any], pictures: int) -> VideoModel:
    width, height = _SIDES[form["resolution"]]
    if form.get("aspect_ratio") == "9:16":
        width, height = height, width
    video = form["duration"] * _TOKENS_OF_SECOND[form["resolution"]]
    price = (
        (_TEXT_TOKENS + pictures * _PICTURE_TOKENS) * _USD_OF_INPUT_TOKEN
        + video * _USD_OF_VIDEO_TOKEN[name]
        + (_TEXT_TOKENS + _THOUGHT_TOKENS) * _USD_OF_TEXT_TOKEN
    )
    return VideoModel(name, price, width, height, form["duration"], takes_frames=True)


def _make_usage(job: Job) -> dict[str, Any]:
    """Return the tokens of a completed job. As in the captured answer, some of the output are not listed."""
    pictures = len(job.frames) * _PICTURE_TOKENS
    by_input = [{"modality": "text", "tokens": _TEXT_TOKENS}]
    by_input += [{"modality": "image", "tokens": pictures}] if pictures else []
    video = job.model.seconds * _TOKENS_OF_SECOND[job.options["resolution"]]
    entered, made = _TEXT_TOKENS + pictures, video + _TEXT_TOKENS
    return {
        "total_tokens": entered + made + _THOUGHT_TOKENS,
        "total_input_tokens": entered,
        "input_tokens_by_modality": by_input,
        "total_cached_tokens": 0,
        "total_output_tokens": made,
        "output_tokens_by_modality": [{"modality": "video", "tokens": video}],
        "total_tool_use_tokens": 0,
        "total_thought_tokens": _THOUGHT_TOKENS,
    }
