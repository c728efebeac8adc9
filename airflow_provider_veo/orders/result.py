"""The results of tasks that wait for a video or store one, as they return them to XCom."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_veo.api.backends.profiles import GatewayProfile
from airflow_provider_veo.api.polling.outcome import Outcome


class VideoResult(TypedDict):
    """The result of a task that waits for a video. Values that are not known are None.

    Attributes:
        id: ID of the job.
        status: Last status of the job.
        model: Name of the model.
        url: Address of the video.
        size: Size of the video as `<width>x<height>`.
        seconds: Length of the video.
        created_at: Time at which the server created the job, in ISO 8601.
        completed_at: Time at which the server completed the job, in ISO 8601.
        expires_at: Time at which the server deletes the video, in ISO 8601.
        estimated_cost_usd: Price of the video in US dollars, as it was known before the order.
        cost_usd: Price in US dollars that the server has named, or that its usage gives exactly.
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
    cost_usd: float | None


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


def make_video_result(
    outcome: Outcome,
    model: str | None,
    profile: GatewayProfile,
    *,
    length_was_asked: bool = False,
    estimated_cost_usd: float | None = None,
) -> VideoResult:
    """Return the result of a task that waits for a video.

    For a model of the profile, size and length default to the profile. Its length also overrides the server's, unless
    the order named one. The name of a stand-in model, and the length beside it, are never taken from the server.

    Args:
        outcome: Outcome of a completed job.
        model: Name of the model that was ordered; if that is not known, the name that the server sent.
        profile: Profile of the gateway.
        length_was_asked: Whether the order named the length.
        estimated_cost_usd: Price of the order in US dollars; None if only the profile may know it.
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
        "estimated_cost_usd": profile.cost_of(model or "") if estimated_cost_usd is None else estimated_cost_usd,
        "cost_usd": outcome.cost_usd,
    }
