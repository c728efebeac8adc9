"""The Veo 3.1 gateway, whose answers are those that its documentation prints.

Sources: the documentation page of the gateway's Veo 3.1 models, and a captured status answer of the same channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from airflow_provider_veo.api.backends.profiles import VEO_GATEWAY, VideoModel
from airflow_provider_veo.emulator.dialects.base import VideosDialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, Reply


class VeoGateway(VideosDialect):
    """It has eight models, whose names choose size and length. Models with `-fl` take up to two frames."""

    name = "veo-gateway"
    prices = MappingProxyType({name: model.price_usd for name, model in VEO_GATEWAY.models.items()})
    frames = slice(0, 2)
    words = MappingProxyType({})
    has_chat = True
    link_type = "application/json"

    def accept(self, order: OrderRequest) -> AcceptedOrder:
        accepted = super().accept(order)
        model, count = accepted.model, len(order.pictures)
        if count and not model.takes_frames:
            self.refuse(400, f"model {model.id} does not support images", "model_not_support_image")
        if model.takes_frames and not 1 <= count <= 2:
            self.refuse(400, f"model {model.id} needs one or two images", "invalid_request")
        return accepted

    def model(self, name: str, fields: Mapping[str, Any]) -> VideoModel:  # noqa: ARG002 - the gateway ignores the fields
        # the chat example of the page has the name `veo_3_1` for `veo-3.1`
        model = VEO_GATEWAY.models.get("veo-3.1" if name == "veo_3_1" else name)
        if model is None:
            self.refuse(503, f"no available channels for model {name}", "model_not_found")
        return model

    def created(self, job: Job) -> Reply:
        # completed jobs have the field `created_at` instead
        return Reply(
            {
                "id": job.id,
                "object": "video",
                "created": int(job.created),
                "status": "queued",
                "model": job.model.id,
            }
        )

    def status(self, job: Job, now: float, url: str) -> Reply:
        word = job.status(now)
        if word == "completed":
            return Reply(_make_captured(job, url))
        failed = word == "failed"
        body = {**self.created(job).body, "status": word, "progress": 0 if failed else int(job.progress(now))}
        return Reply(body | ({"error": job.failure} if failed else {}))


def _make_captured(job: Job, url: str) -> dict[str, Any]:
    """Return a completed job with the oddities of the captured one: another model, a wrong length, three addresses."""
    return {
        "completed_at": int(job.done_at),
        "created_at": int(job.created),
        "id": job.id,
        "model": "sora2_video_generation",
        "object": "video",
        "progress": 100,
        "result_url": url,
        "seconds": "4",
        "size": job.model.size,
        "status": "completed",
        "url": url,
        "video_url": url,
    }
