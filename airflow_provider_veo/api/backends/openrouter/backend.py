"""The backend for OpenRouter's video API."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from airflow_provider_veo.api.answers.answer import Answer, unwrap
from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.backends.backend import Backend, Verdict
from airflow_provider_veo.api.backends.openai import refusals
from airflow_provider_veo.api.backends.openai.requests import get_video
from airflow_provider_veo.api.backends.openai.videos import parse_video
from airflow_provider_veo.api.backends.openrouter import offers, requests
from airflow_provider_veo.api.backends.openrouter.offers import Offer
from airflow_provider_veo.api.errors import ApiError
from airflow_provider_veo.api.net.urls import resolve_url
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.video import Video, VideoStatus


@dataclass(frozen=True)
class OpenRouterBackend(Backend):
    """OpenRouter's video API below https://openrouter.ai/api. It knows no cancellation and no idempotency keys.

    Attributes:
        models: Offers of the models, from `offers.read_models`. Empty if the list is not known: then an order is not
            compared with it, and has no known price.
    """

    name: ClassVar[str] = "openrouter"
    default_model: ClassVar[str] = "google/veo-3.1-fast"

    models: Mapping[str, Offer] = field(default_factory=dict, hash=False)

    def check(self, spec: VideoSpec) -> Iterator[str]:
        body = requests.make_body(spec)
        if unknown := sorted(set(body) - requests.FIELDS):
            yield (
                f"extra_body sets {', '.join(map(show, unknown))}, and OpenRouter is not known to read that. Options "
                "of a single provider belong into provider.options; a negative prompt is one of them."
            )
        if self.models and spec.model not in self.models:
            yield f"OpenRouter does not list the video model {show(spec.model)}, and may refuse the order."
        elif self.models:
            offers.check_order(body, self.models[spec.model])

    def estimate_cost(self, spec: VideoSpec) -> float | None:
        offer = self.models.get(spec.model)
        return None if offer is None else offers.estimate_cost(requests.make_body(spec), offer)

    def create_video(self, spec: VideoSpec, idempotency_key: str | None) -> ApiRequest:  # noqa: ARG002
        return requests.create_video(spec)

    def read_created(self, answer: Answer) -> Video:
        return _add_facts(parse_video(answer, "Creating the video"), answer)

    def get_video(self, video_id: str) -> ApiRequest:
        return get_video(video_id)

    def read_video(self, answer: Answer, video_id: str) -> Video:
        return _add_facts(parse_video(answer, f"Asking for video {video_id}", video_id), answer)

    def judge(self, error: ApiError) -> Verdict:
        return refusals.judge(error)

    def get_content(self, video_id: str) -> ApiRequest:
        return requests.get_content(video_id)


def _add_facts(video: Video, answer: Answer) -> Video:
    """Return a job with the facts that OpenRouter states in fields of its own.

    Of its two kinds of addresses, `unsigned_urls` need the key. The others are signed, and show the video to every
    reader, so they are not kept. `expires_at` is the end of the signed ones only.
    """
    body = unwrap(answer.json()) or {}
    failed = video.status is VideoStatus.FAILED
    return replace(
        video, url=None if failed else _read_url(answer, body), expires_at=None, cost_usd=_read_cost(body.get("usage"))
    )


def _read_url(answer: Answer, body: Mapping[str, Any]) -> str | None:
    listed = body.get("unsigned_urls")
    first = listed[0] if isinstance(listed, list) and listed else None
    url = resolve_url(answer.url, first.strip()) if isinstance(first, str) and first.strip() else None
    return None if url is None else answer.mask.hide_in_url(url)


def _read_cost(usage: Any) -> float | None:
    """Return the price in US dollars. With the caller's own key for a provider, that provider sends another bill."""
    cost = usage.get("cost") if isinstance(usage, Mapping) and not usage.get("is_byok") else None
    if isinstance(cost, bool) or not isinstance(cost, (int, float)):
        return None
    return float(cost) if 0 <= cost < math.inf else None
