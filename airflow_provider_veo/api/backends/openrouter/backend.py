"""The backend for OpenRouter's video API."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_veo.api.answers.answer import Answer, unwrap
from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.backends.backend import Backend
from airflow_provider_veo.api.backends.openai import refusals
from airflow_provider_veo.api.backends.openai.requests import get_video
from airflow_provider_veo.api.backends.openai.videos import parse_video
from airflow_provider_veo.api.backends.openrouter import offers, requests
from airflow_provider_veo.api.backends.openrouter.offers import Offer
from airflow_provider_veo.api.error_answers import make_api_error
from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.api.net.urls import resolve_url
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.verdict import Verdict
from airflow_provider_veo.api.video import Video, VideoStatus

_NOTHING = "veo-connection-test"
"""ID that no job has."""


@dataclass(frozen=True)
class OpenRouterBackend(Backend):
    """OpenRouter's video API below https://openrouter.ai/api. It knows no cancellation and no idempotency keys.

    Attributes:
        models: Offers of the models, from `offers.read_models`. Empty if the list is not known: then an order is not
            compared with it, and has no known price.
    """

    name = "openrouter"
    default_model = "google/veo-3.1-fast"

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

    def list_models(self) -> ApiRequest:
        return requests.list_models()

    def check_api(self, send: Callable[[ApiRequest], Answer], base_url: str, *, sends_key: bool) -> tuple[bool, str]:
        try:
            models = offers.read_models(send(self.list_models()))
        except ApiError as error:
            return False, str(error)
        # OpenRouter may list its models without a key, so only the answer about a job says something about the key
        asked = send(self.get_video(_NOTHING))
        refusal = make_api_error(asked, f"GET {base_url}{self.get_video(_NOTHING).path}", about_a_job=True)
        if refusal.reason not in (Reason.NOT_FOUND, Reason.BAD_REQUEST):
            return False, str(refusal)
        accepts = " and accepts the key" if sends_key else ""
        return True, f"{base_url} answers{accepts}. Video models in its list: {len(models)}."


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
