"""The words of servers for how a job stands."""

from __future__ import annotations

import re
from enum import Enum


class VideoStatus(str, Enum):
    """Where a job stands. A word that nobody knows counts as `UNKNOWN`, which means: still running."""

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


# Sources: new-api's table, OpenAI, OpenRouter; and of the later lines as named
_WORDS = {
    VideoStatus.QUEUED: (
        "queued pending submitted not_start preparing created initializing waiting",
        "unknown",  # new-api, for a job that has not started
        "in_queue accepted scheduled",  # fal and others
    ),
    VideoStatus.RUNNING: ("processing in_progress running generating", "active starting started"),  # Flow, Replicate
    VideoStatus.COMPLETED: (
        "completed complete success succeeded finished",
        "succeed successful done ready",  # Kling, Google's Flow, xAI, Black Forest Labs
    ),
    VideoStatus.FAILED: (
        "failed failure fail error",
        "timeout timed_out aborted terminated",  # Alibaba, Replicate, Azure
        "incomplete budget_exceeded",  # Google's Interactions
    ),
    VideoStatus.CANCELLED: ("cancelled canceled deleted",),
    VideoStatus.EXPIRED: ("expired",),
}
# Black Forest Labs ("Request Moderated"), Azure, Luma
_WORDS_OF_FILTERS = frozenset(
    place + word for place in ("", "content_") for word in ("rejected", "moderated", "blocked", "filtered", "filter")
) - {"filter"}
_STATUS_OF_WORD = {word: status for status, lines in _WORDS.items() for line in lines for word in line.split()}
_STATUS_OF_WORD |= dict.fromkeys(_WORDS_OF_FILTERS, VideoStatus.FAILED)
# TASK_STATUS_SUCCEED, MEDIA_GENERATION_STATUS_FAILED, JOB_STATE_RUNNING, "Request Moderated"
_LONGEST_WORD = 100  # characters
_NAMES_OF_JOBS = frozenset(["task", "job", "video", "media", "generation", "status", "state", "request", "operation"])
_WORD_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def status_of(word: str) -> VideoStatus:
    """Return the status that a server's word stands for, in whatever case and however it is parted."""
    return _STATUS_OF_WORD.get(_normal(word), VideoStatus.UNKNOWN)


def _normal(word: str) -> str:
    parts = _WORD_PARTS.findall(word) if len(word) <= _LONGEST_WORD else []
    return "_".join(part for part in map(str.lower, parts) if part not in _NAMES_OF_JOBS)


_WORDS_OF_NO_JOB = frozenset(
    ("not_found", "not_exist", "not_exists", "does_not_exist")
)  # Black Forest Labs, and others


def is_word_of_no_job(word: str) -> bool:
    """Whether a server's word for the status says that it does not know the job."""
    return _normal(word) in _WORDS_OF_NO_JOB


def is_word_of_a_filter(word: str) -> bool:
    """Whether a server's word for the status says that a filter has refused the prompt or taken the video."""
    return _normal(word) in _WORDS_OF_FILTERS
