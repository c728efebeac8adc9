"""OpenAI's own Videos API, which other servers copy. OpenAI shut it down on 2026-09-24.

Sources: the types of the `openai` package 3.54 and the guide. The words of most refusals are not known, so they are
those of the Veo 3.1 gateway. Left out: `{file_id}` and `{image_url}` as `input_reference`, remix, edits, thumbnails.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.dialects.base import VideosDialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, Reply

_LINK_SECONDS = 3600  # "download links are valid for up to 1 hour"


class OpenAI(VideosDialect):
    """`error` is an object, a status has a header with the next time to ask, and a frame must have the video's size."""

    name = "openai"
    listed = ("sora-2", "sora-2-pro")
    default_model = "sora-2"
    default_seconds = 4
    can_delete = True
    can_list = True

    def accept(self, order: OrderRequest) -> AcceptedOrder:
        if "input_reference" in order.fields:
            self.refuse(400, "input_reference must be a file", "invalid_type")
        accepted = super().accept(order)
        for picture in order.pictures[:1]:
            if (picture.width, picture.height) != (accepted.model.width, accepted.model.height):
                self.refuse(400, "Inpaint image must match the requested width and height", "invalid_request")
        return accepted

    def instead_of_content(self, job: Job, now: float, url: str, asked: Mapping[str, str]) -> Reply | None:
        variant = asked.get("variant", "video")
        if variant != "video":
            return self.error(400, f"Unsupported video content variant: {variant!r}", "invalid_request")
        return super().instead_of_content(job, now, url, asked)

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002
        return f"video_{uuid.uuid4().hex}"

    def status(self, job: Job, now: float, url: str) -> Reply:
        pause = min(10.0, max(0.05, job.generation_seconds / 10))
        return replace(super().status(job, now, url), headers={"openai-poll-after-ms": f"{1000 * pause:.0f}"})

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        return {
            **super().video(job, word, progress),
            "expires_at": int(job.done_at) + _LINK_SECONDS if word == "completed" else None,
            "prompt": job.prompt,
            "remixed_from_video_id": None,
        }
