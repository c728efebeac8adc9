"""OpenRouter's video API, which sells Veo and other models.

Sources: recorded requests of the client `openrouter` 1.3.84, the types of its answers, and rows of its list of models
in public code. Left out: addresses that are signed, webhooks, references, earlier jobs. A video without sound has
sound.
"""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urljoin

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.dialects.base import VideosDialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, Reply

_SIDES = {"720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
_RESOLUTIONS = {f"{max(pair)}x{min(pair)}": name for name, pair in _SIDES.items()}
_RESOLUTIONS |= {f"{min(pair)}x{max(pair)}": name for name, pair in _SIDES.items()}
_WITH, _WITHOUT = "duration_seconds_with_audio", "duration_seconds_without_audio"
# US dollars for a second; seen in public code
_PRICES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "google/veo-3.1": {_WITH: "0.40", _WITHOUT: "0.20", f"{_WITH}_4k": "0.60", f"{_WITHOUT}_4k": "0.40"},
        "google/veo-3.1-fast": {_WITH: "0.12", _WITHOUT: "0.10", f"{_WITH}_720p": "0.10", f"{_WITHOUT}_720p": "0.08"},
        "google/veo-3.1-lite": {f"{_WITH}_720p": "0.05", f"{_WITHOUT}_720p": "0.03"},
    }
)
_RESOLUTIONS_OF = {
    "google/veo-3.1": ("720p", "1080p", "4K"),
    "google/veo-3.1-fast": ("720p", "1080p"),
    "google/veo-3.1-lite": ("720p",),
}
_SHAPES = ("16:9", "9:16")
_DURATIONS = (4, 6, 8)
_KINDS = ("first_frame", "last_frame")


class OpenRouter(VideosDialect):
    """HTTP 202 for an order, `error` as a text, `usage.cost`, and a list of models with what each one takes."""

    name = "openrouter"
    listed = tuple(_PRICES)
    default_seconds = _DURATIONS[-1]
    frames = slice(0, 2)
    reads = ("resolution", "aspect_ratio", "seed", "generate_audio")
    words = MappingProxyType({"queued": "pending", "processing": "in_progress"})
    models_path = "/v1/videos/models"

    def takes_key(self, authorization: str, api_key: str) -> bool:
        return authorization == f"Bearer {api_key}"

    def wrong_key(self, authorization: str) -> Reply:
        return self.error(401, "User not found." if authorization else "No auth credentials found", "")

    def find_pictures(self, fields: Mapping[str, Any]) -> Iterator[str]:
        listed = fields.get("frame_images")
        frames = [frame for frame in listed if isinstance(frame, dict)] if isinstance(listed, list) else []
        for kind in _KINDS:
            for frame in frames:
                image = frame.get("image_url")
                if frame.get("frame_type") == kind and isinstance(image, dict) and isinstance(image.get("url"), str):
                    yield image["url"]

    def accept(self, order: OrderRequest) -> AcceptedOrder:
        name = str(order.fields.get("model"))
        if name not in _PRICES:
            self.refuse(404, f"No endpoints found for {name}.", "")
        return super().accept(order)

    def model(self, name: str, fields: Mapping[str, Any]) -> VideoModel:
        seconds = fields.get("duration", self.default_seconds)
        resolution = _RESOLUTIONS.get(str(fields.get("size"))) if "size" in fields else fields.get("resolution", "720p")
        shape = fields.get("aspect_ratio", _SHAPES[0])
        if seconds not in _DURATIONS or resolution not in _RESOLUTIONS_OF[name] or shape not in _SHAPES:
            self.refuse(400, "Invalid input: unsupported duration, resolution or aspect ratio", "")
        width, height = _SIDES[resolution]
        size = str(fields.get("size") or (f"{width}x{height}" if shape == _SHAPES[0] else f"{height}x{width}"))
        sku, prices = _WITHOUT if fields.get("generate_audio") is False else _WITH, _PRICES[name]
        price = float(prices.get(f"{sku}_{resolution.lower()}") or prices[sku])
        return replace(super().model(name, {"size": size, "seconds": seconds}), price_usd=round(seconds * price, 6))

    # --- answers

    def models(self) -> list[dict[str, Any]]:
        return [
            {
                "id": name,
                "canonical_slug": name,
                "name": name,
                "created": 1795000000,
                "description": name,
                "hugging_face_id": None,
                "allowed_passthrough_parameters": ["personGeneration", "negativePrompt", "enhancePrompt"],
                "creativity": None,
                **dict.fromkeys(("generate_audio", "seed"), True),
                "supported_aspect_ratios": _SHAPES,
                "supported_durations": _DURATIONS,
                "supported_frame_images": _KINDS,
                "supported_resolutions": _RESOLUTIONS_OF[name],
                "supported_sizes": [size for size, kind in _RESOLUTIONS.items() if kind in _RESOLUTIONS_OF[name]],
                "upscale_factor": None,
                "pricing_skus": prices,
            }
            for name, prices in _PRICES.items()
        ]

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002
        letters = string.ascii_letters + string.digits
        return f"gen-vid-{int(time.time())}-{''.join(secrets.choice(letters) for _ in range(20))}"

    def created(self, job: Job) -> Reply:
        return Reply(self.video(job, "queued", 0), 202)

    def status(self, job: Job, now: float, url: str) -> Reply:
        word = job.status(now)
        body = self.video(job, word, 0)
        if word == "completed":
            content = urljoin(url, f"/v1/videos/{job.id}/content?index=0")
            body |= {"unsigned_urls": [content], "usage": {"cost": job.model.price_usd, "is_byok": False}}
        return Reply(body)

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:  # noqa: ARG002 - there is no percentage
        body: dict[str, Any] = {
            "id": job.id,
            "polling_url": f"/v1/videos/{job.id}",
            "status": self.words.get(word, word),
        }
        if word != "queued":
            body["generation_id"] = f"gen-{job.id.removeprefix('gen-vid-')}"
        return body | ({"error": job.failure} if word == "failed" else {})

    def instead_of_content(self, job: Job, now: float, url: str, asked: Mapping[str, str]) -> Reply | None:
        if asked.get("index", "0") != "0":
            return self.error(404, "Video content not found", "")
        return super().instead_of_content(job, now, url, asked)

    # --- errors

    def error(self, status: int, message: str, code: str) -> Reply:  # noqa: ARG002 - the code is the status
        return Reply({"error": {"code": status, "message": message}, "user_id": "user_emulator"}, status)

    def unknown_video(self) -> Reply:
        return self.error(404, "Job not found", "")

    def not_ready(self, word: str) -> Reply:
        if word in ("queued", "processing", "completed"):
            return self.error(409, "Job is still in progress", "")
        return self.error(400, "Job is not completed", "")

    def rate_limit(self, seconds: float) -> Reply:
        return replace(self.error(429, "Rate limit exceeded", ""), headers={"Retry-After": f"{seconds:g}"})

    def server_error(self) -> Reply:
        return self.error(502, "Provider returned error", "")

    def no_money(self) -> Reply:
        return self.error(402, "Insufficient credits. Add more using https://openrouter.ai/settings/credits", "")
