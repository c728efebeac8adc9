"""The meaning of an error for a video that a task has ordered and wants to collect."""

from __future__ import annotations

from enum import Enum, auto

from airflow_provider_veo.api.errors import (
    AddressNotAllowedError,
    AddressUnreachableError,
    ApiError,
    ContentError,
    ContentGoneError,
    ContentTooLargeError,
    Reason,
    StatusUnknownError,
    TransportError,
    VideoFailedError,
    VideoTimeoutError,
)


class NotCollected(Enum):
    """The reason why a task has not collected the video of a job."""

    NEVER = auto()
    """There will be no video: it was not made, or the server has deleted it."""
    REFUSED = auto()
    """The server has answered and has not handed the video over. This may pass."""
    NO_ANSWER = auto()
    """The server was not reached, is too busy, or refuses the account. The video may be there."""
    OUR_SIDE = auto()
    """The server delivers the video, but the worker or the storage failed."""


_ABOUT_NO_JOB = frozenset(
    {
        Reason.SERVER,
        Reason.UNREADABLE,
        Reason.FORBIDDEN,
        Reason.MODERATION,
        Reason.MODEL_UNAVAILABLE,
        Reason.BAD_REQUEST,
        Reason.REQUEST_FORMAT,
        Reason.NO_ROUTE,
    }
)
"""Reasons of answers that do not describe the job. A server that keeps sending them withholds the video."""


def judge_collecting(error: Exception) -> NotCollected:
    """Return the meaning of an error that ended the wait for a video, or its download."""
    if isinstance(error, (VideoFailedError, ContentGoneError)):
        return NotCollected.NEVER
    if isinstance(error, (StatusUnknownError, VideoTimeoutError)):
        return NotCollected.REFUSED if error.reason in _ABOUT_NO_JOB else NotCollected.NO_ANSWER
    if isinstance(error, ApiError):
        passes = error.reason in (Reason.RATE_LIMITED, Reason.QUOTA)
        return NotCollected.NO_ANSWER if passes else NotCollected.REFUSED
    if isinstance(error, (ContentError, AddressNotAllowedError, AddressUnreachableError)) and not isinstance(
        error, ContentTooLargeError
    ):
        return NotCollected.REFUSED
    return NotCollected.NO_ANSWER if isinstance(error, TransportError) else NotCollected.OUR_SIDE
