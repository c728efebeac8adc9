"""What tasks return of a finished job."""

from __future__ import annotations

from typing import Any

from airflow_provider_veo.api.backends.profiles import CARD
from airflow_provider_veo.api.polling.outcome import Outcome

_SEEDS_WORD = "sora2_video_generation"
"""What the seed gateway calls the model of every video, with a length of 4 seconds for clips of 8. Source: its
answers."""


def video_result(outcome: Outcome, model: str | None, *, length_was_asked: bool = False) -> dict[str, Any]:
    """Return what a task that waits for a video leaves in XCom.

    For a model of the price card, size and length come from the card where the server is silent; and the length even
    where it is not, unless one was asked for. What the seed gateway says of model and length is never taken.

    Args:
        outcome: of a completed job.
        model: the one that was ordered; where that is not known, the server's word.
        length_was_asked: the order named the seconds.
    """
    card = CARD.get(model or "")
    is_seed = outcome.model == _SEEDS_WORD
    known_seconds = card.seconds if card and (is_seed or not length_was_asked) else None
    return {
        "id": outcome.video_id,
        "status": outcome.status,
        "model": None if model == _SEEDS_WORD else model,
        "url": outcome.url,
        "size": outcome.size or (card.size if card else None),
        "seconds": known_seconds or (None if is_seed else outcome.seconds),
        "created_at": outcome.created_at,
        "completed_at": outcome.completed_at,
        "expires_at": outcome.expires_at,
        "estimated_cost_usd": card.price_usd if card else None,
    }
