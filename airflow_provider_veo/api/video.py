"""A job as its server describes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import pendulum

from airflow_provider_veo.api.errors import Reason


class VideoStatus(str, Enum):
    """Status of a job. A status word that is not known counts as `UNKNOWN`, which means that the job still runs."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def finished(self) -> bool:
        return self not in (VideoStatus.QUEUED, VideoStatus.RUNNING, VideoStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Video:
    """A job, as one answer of its server describes it.

    Attributes:
        id: ID from the create call. Later answers may carry another one (LiteLLM), which is never used.
        status: Status of the job.
        status_word: Status word of the server, for people.
        progress: Percentage from 0 to 100. None if the server reports none.
        model: Name of the model in the answer. Gateways answer with other names than the one that was ordered.
        url: Absolute address of the finished file, in the form in which it may be kept (by `Mask.hide_in_url`). None
            if the server names none.
        size: Size of the video, as `<width>x<height>` in pixels.
        seconds: Length of the video in seconds.
        created_at: Time of the order, in UTC.
        completed_at: Time of the job's end, in UTC.
        expires_at: Time after which the server no longer has the video, in UTC.
        reason: Reason why there is no video, if the job has ended without one.
        reason_in_words: Whether the reason was found in the words of `message`, which may quote the prompt; see
            `Outcome.judge_reason`.
        message: The server's message about that reason.
        in_doubt: Whether the job counts as failed although the server calls it completed; see `endings`.
        retry_after: Seconds that the server asks to wait before the next status call. None if it asks for no pause.
        cost_usd: Price that the server reports, or that its usage gives exactly.
    """

    id: str
    status: VideoStatus
    status_word: str = ""
    progress: float | None = None
    model: str | None = None
    url: str | None = None
    size: str | None = None
    seconds: float | None = None
    created_at: pendulum.DateTime | None = None
    completed_at: pendulum.DateTime | None = None
    expires_at: pendulum.DateTime | None = None
    reason: Reason | None = None
    reason_in_words: bool = False
    message: str = ""
    in_doubt: bool = False
    retry_after: float | None = None
    cost_usd: float | None = None

    def is_expired(self, now: pendulum.DateTime) -> bool:
        """Return whether the server may no longer have the video.

        Args:
            now: Current time, in UTC.
        """
        return self.expires_at is not None and self.expires_at <= now

    @property
    def may_be_there(self) -> bool:
        """Whether there may be a video, now or later."""
        return not self.status.finished or self.status is VideoStatus.COMPLETED or self.in_doubt

    @property
    def took(self) -> float | None:
        """Seconds from the order to the end of the job. None if the server does not report both times."""
        if self.created_at is None or self.completed_at is None:
            return None
        seconds: float = (self.completed_at - self.created_at).total_seconds()
        return seconds if seconds > 0 else None
