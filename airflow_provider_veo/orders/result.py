"""The results of tasks that wait for a video or store one, as they return them to XCom."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_veo.api.backends.profiles import CARD
from airflow_provider_veo.api.polling.decision import Outcome

_SEEDS_WORD = "sora2_video_generation"
"""What the seed gateway calls the model of every video, with a length of 4 seconds for clips of 8. Source: its
answers."""


class VideoResult(TypedDict):
    """The result of a task that waits for a video. Values that are not known are None.

    Attributes:
        id: ID of the job.
        status: Last status of the job.
        model: Name of the model.
        url: Address of the video.
        size: Size of the video as `<width>x<height>`.
        seconds: Length of the video.
        created_at: When the server created the job, in ISO 8601.
        completed_at: When the server completed the job, in ISO 8601.
        expires_at: When the server deletes the video, in ISO 8601.
        estimated_cost_usd: Price of the video, in US dollars.
    """

    id: str
    status: str
    model: str | None
    url: str | None
    size: str | None
    seconds: float | None
    created_at: str | None
    completed_at: str | None
    expires_at: str | None
    estimated_cost_usd: float | None


class OrderedVideoResult(VideoResult):
    """The result of a task that has ordered a video.

    Attributes:
        submissions: Number of orders of this task; None if its record was lost.
        prompt_sha256: Hash of the prompt, in hexadecimal.
    """

    submissions: int | None
    prompt_sha256: str


class _FileResult(TypedDict):
    path: str
    bytes: int
    sha256: str


class FileResult(_FileResult, total=False):
    """The part of a result that describes a stored video.

    Attributes:
        path: Local path or URI of the file.
        bytes: Size of the file.
        sha256: Hash of the file, in hexadecimal.
        sidecar: Path of the JSON file beside the video; missing if none was asked for.
    """

    sidecar: str


def video_result(outcome: Outcome, model: str | None, *, length_was_asked: bool = False) -> VideoResult:
    """Return the result of a task that waits for a video.

    Size and length default to the model card. The length of the card also overrides the server's, unless the order
    named the seconds. What the seed gateway says of model and length is never taken.

    Args:
        outcome: Outcome of a completed job.
        model: Name of the model that was ordered; if that is not known, the name that the server sent.
        length_was_asked: Whether the order named the seconds.
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
