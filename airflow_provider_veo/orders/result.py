"""What tasks return of a finished job."""

from __future__ import annotations

from typing import Any

from airflow_provider_veo.api.backends.profiles import GatewayProfile
from airflow_provider_veo.api.polling.decision import Outcome


def video_result(
    outcome: Outcome, model: str | None, profile: GatewayProfile, *, length_was_asked: bool = False
) -> dict[str, Any]:
    """Return the result of a task that waits for a video.

    For a model of the profile, size and length default to the profile. Its length also overrides the server's, unless
    the order named one. A stand-in for the model, and the length beside it, are never taken from the server.

    Args:
        outcome: Outcome of a completed job.
        model: Name of the model that was ordered. If it is not known, the server's name for it.
        profile: Profile of the gateway.
        length_was_asked: Whether the order named the length.
    """
    known = profile.models.get(model or "")
    has_stand_in = outcome.model is not None and outcome.model == profile.stand_in_model
    known_seconds = known.seconds if known and (has_stand_in or not length_was_asked) else None
    return {
        "id": outcome.video_id,
        "status": outcome.status,
        "model": None if model == profile.stand_in_model else model,
        "url": outcome.url,
        "size": outcome.size or (known.size if known else None),
        "seconds": known_seconds or (None if has_stand_in else outcome.seconds),
        "created_at": outcome.created_at,
        "completed_at": outcome.completed_at,
        "expires_at": outcome.expires_at,
        "estimated_cost_usd": known.price_usd if known else None,
    }
