"""Read the answers that describe jobs, in every shape that known servers send."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pendulum

from airflow_provider_veo.api.answers.answer import ID_LIMIT, Answer, find_id, is_usable_id, unwrap
from airflow_provider_veo.api.backends.openai.endings import find_failed_job, find_text, read_ending, read_status_word
from airflow_provider_veo.api.backends.openai.status_words import is_word_of_missing_job
from airflow_provider_veo.api.error_answers import (
    find_asked_pause,
    make_api_error,
    make_no_such_job_error,
    make_unreadable_error,
    reading,
)
from airflow_provider_veo.api.errors import ApiError
from airflow_provider_veo.api.net.urls import resolve_url
from airflow_provider_veo.api.video import Video, VideoStatus

T = TypeVar("T")

_WORD_LIMIT = 100  # characters of a status word
_MODEL_LIMIT = 200  # characters of a model's name
_MOST_LISTED = 100
_UNUSABLE_ID = (
    "the answer describes a job, which may exist and be billed, but its ID cannot be used (up to "
    f"{ID_LIMIT} characters, no control characters)"
)
_WIDTH_AND_HEIGHT = re.compile(r"(\d{1,6})[x*](\d{1,6})", re.IGNORECASE)
_MILLISECONDS_FROM = 1e11  # as seconds this would be the year 5138
_LONGEST_TIME = 100  # characters
_URL_KEYS = ("url", "video_url", "result_url", "output_url", "download_url")
_URL_LIST_KEYS = ("urls", "unsigned_urls", "videos", "output")
_URL_PARENT_KEYS = ("task_result", "result", "metadata", "content", "video", "output")


def parse_video(answer: Answer, action: str, video_id: str | None = None) -> Video:
    """Read the answer to a create call or a status call.

    Args:
        answer: Answer of the server.
        action: Action that the call is part of, for the error message.
        video_id: ID in the status call. None for a create call, whose answer must carry an ID.

    Raises:
        ApiError: The answer is an error, or describes no job.
    """
    with reading(answer, action):
        return _read(answer, action, video_id)


def parse_videos(answer: Answer, action: str) -> list[Video]:
    """Read the answer to a list call. Jobs that cannot be read are left out; at most 100 are returned.

    Args:
        answer: Answer of the server.
        action: Action that the call is part of, for the error message.

    Raises:
        ApiError: The answer is an error.
    """
    if not answer.ok:
        raise make_api_error(answer, action)
    body = answer.json()
    listed = body.get("data") if isinstance(body, dict) else body
    found: list[Video] = []
    for item in listed[:_MOST_LISTED] if isinstance(listed, list) else ():
        with contextlib.suppress(ApiError):
            video = parse_video(replace(answer, text=json.dumps(item), is_cut=False), action)
            if answer.quote(video.id, ID_LIMIT) == video.id:
                found.append(video)
    return found


def _read(answer: Answer, action: str, video_id: str | None) -> Video:
    whole = unwrap(answer.json())
    body = whole if answer.ok else None
    if video_id and not (body and read_status_word(body)):
        body = find_failed_job(answer, whole, video_id) or body
    if body is None:
        raise make_api_error(answer, action, about_a_job=bool(video_id))
    word = read_status_word(body)
    end = read_ending(answer, body, word)
    if video_id:
        if is_word_of_missing_job(word):
            raise make_no_such_job_error(answer, action)
        if not word and (body.get("error") or "code" in body or not answer.is_whole):
            raise make_api_error(answer, action, about_a_job=True)
    elif (found := find_id(body)) is None and not (word and end.status is not VideoStatus.FAILED):
        raise make_api_error(answer, action)
    elif found is None or not is_usable_id(found):
        raise make_unreadable_error(answer, action, f"{_UNUSABLE_ID}: {answer.quote(found or '', 100)!r}")
    model = find_text(body, "model")
    return Video(
        id=video_id or str(found),
        status=end.status,
        status_word=answer.quote(word, _WORD_LIMIT),
        progress=_read_optional(_read_progress, body.get("progress")),
        model=model and answer.quote(model, _MODEL_LIMIT),
        url=None if end.status is VideoStatus.FAILED else _read_url(answer, body),
        size=_read_optional(_read_size, body),
        seconds=_read_optional(_read_seconds, body),
        created_at=_read_optional(_read_time, body.get("created_at") or body.get("created")),
        completed_at=_read_optional(_read_time, body.get("completed_at")),
        expires_at=_read_optional(_read_time, body.get("expires_at")),
        reason=end.reason,
        reason_in_words=end.reason_in_words,
        message=end.message,
        in_doubt=end.in_doubt,
        retry_after=find_asked_pause(answer),
    )


def _read_optional(read: Callable[[Any], T | None], value: Any) -> T | None:
    """Read an optional field. A strange value must not lose the job."""
    try:
        return read(value)
    except Exception:  # noqa: BLE001 - any fault of the field
        return None


def find_url(body: Any, base_url: str) -> str | None:
    """Return the absolute address of the video file that an answer names, or None.

    Args:
        body: Parsed JSON body of the answer.
        base_url: Address that relative ones are relative to.
    """
    unwrapped = unwrap(body)
    found = None if unwrapped is None else _find_url_text(unwrapped)
    return None if found is None else resolve_url(base_url, found)


def _read_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value.strip().rstrip("%s ") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _read_progress(value: Any) -> float | None:
    number = _read_number(value)
    return None if number is None else min(100.0, max(0.0, number))


def _read_seconds(body: dict[str, Any]) -> float | None:
    for key in (
        "duration_s",
        "seconds",
        "duration",
    ):  # vLLM-Omni: the length made, the length ordered
        number = _read_number(body.get(key))
        if number is not None and number > 0:
            return number
    return None


def _read_size(body: dict[str, Any]) -> str | None:
    for key in ("size", "resolution"):
        value = body.get(key)
        if isinstance(value, str) and (found := _WIDTH_AND_HEIGHT.fullmatch(value.strip())):
            return f"{int(found[1])}x{int(found[2])}"
    return None


def _read_time(value: Any) -> pendulum.DateTime | None:
    number = _read_number(value)
    if number is not None:
        if number <= 0:
            return None
        return pendulum.from_timestamp(number / 1000 if number >= _MILLISECONDS_FROM else number)
    is_text = isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST_TIME
    parsed = pendulum.parse(value) if is_text else None
    return parsed.in_timezone("UTC") if isinstance(parsed, pendulum.DateTime) else None


def _read_url(answer: Answer, body: dict[str, Any]) -> str | None:
    found = _find_url_text(body)
    url = None if found is None else resolve_url(answer.url, found)
    return None if url is None else answer.mask.hide_in_url(url)


def _find_url_text(body: dict[str, Any], depth: int = 3) -> str | None:
    for key in _URL_KEYS:
        value = body.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    for key in _URL_LIST_KEYS:
        value = body.get(key)
        first = value[0] if isinstance(value, list) and value else None
        if isinstance(first, str) and first.strip():
            return first.strip()
        if isinstance(first, dict) and depth and (found := _find_url_text(first, depth - 1)):
            return found
    for key in _URL_PARENT_KEYS:
        value = body.get(key)
        if isinstance(value, dict) and depth and (found := _find_url_text(value, depth - 1)):
            return found
    return None
