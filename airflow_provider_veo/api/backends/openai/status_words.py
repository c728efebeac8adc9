"""The words that servers have for the status of a job."""

from __future__ import annotations

import re

from airflow_provider_veo.api.video import VideoStatus

# Sources: new-api's table, OpenAI and OpenRouter, except for the lines that name another one
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
# Words of filters that refuse a prompt or remove a video: Black Forest Labs ("Request Moderated"), Azure, Luma.
# Sentences about refused content are in `api.reasons`.
_FILTER_WORDS = frozenset(
    (
        *("rejected", "moderated", "blocked", "filtered"),
        *("content_rejected", "content_moderated", "content_blocked", "content_filtered", "content_filter"),
    )
)
_WORDS_OF_MISSING_JOBS = frozenset(("not_found", "not_exist", "not_exists", "does_not_exist"))  # Black Forest Labs
_STATUS_OF_WORD = {word: status for status, lines in _WORDS.items() for line in lines for word in line.split()}
_STATUS_OF_WORD |= dict.fromkeys(_FILTER_WORDS, VideoStatus.FAILED)
_LONGEST_WORD = 100  # characters
# parts of a word that say nothing: TASK_STATUS_SUCCEED, MEDIA_GENERATION_STATUS_FAILED, "Request Moderated"
_NAMES_OF_JOBS = frozenset(["task", "job", "video", "media", "generation", "status", "state", "request", "operation"])
_WORD_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def read_status(word: str) -> VideoStatus:
    """Return the status that a word stands for, in upper or lower case and however its parts are separated.

    Args:
        word: Status word of a server.
    """
    return _STATUS_OF_WORD.get(_normalize(word), VideoStatus.UNKNOWN)


def is_word_of_missing_job(word: str) -> bool:
    """Return whether a status word means that the server does not know the job.

    Args:
        word: Status word of a server.
    """
    return _normalize(word) in _WORDS_OF_MISSING_JOBS


def is_filter_word(word: str) -> bool:
    """Return whether a status word means that a filter has refused the prompt or removed the video.

    Args:
        word: Status word of a server.
    """
    return _normalize(word) in _FILTER_WORDS


def _normalize(word: str) -> str:
    parts = _WORD_PARTS.findall(word) if len(word) <= _LONGEST_WORD else []
    return "_".join(part for part in map(str.lower, parts) if part not in _NAMES_OF_JOBS)
