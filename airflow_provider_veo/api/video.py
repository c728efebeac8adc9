"""A video job as the API describes it, read from every answer shape seen in the wild."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pendulum

from airflow_provider_veo.api.answers.answer import ID_LIMIT, Answer, find_id, is_usable_id, unwrap
from airflow_provider_veo.api.backends.openai.endings import end_of, failed_job_in, first_text, word_in
from airflow_provider_veo.api.backends.openai.status_words import VideoStatus, is_word_of_no_job
from airflow_provider_veo.api.error_answers import error_from, no_such_job, pause_asked_by, reading, unreadable
from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.api.net.urls import resolve_url

__all__ = ["Video", "VideoStatus", "find_url", "parse_video", "parse_videos"]

T = TypeVar("T")

_WORD_LIMIT = 100  # characters of the server's word for the status
_MODEL_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Video:
    """A video job.

    Attributes:
        id: as the create call returned it. Later answers may carry another one (LiteLLM): it is never taken over.
        status: where the job stands.
        status_word: the server's own word for it, for people.
        progress: 0 to 100, or None where the server does not tell.
        model: what the server says; gateways answer with other names than the one asked for.
        url: absolute address of the finished file, as it may be kept (see `masking.Mask.hide_in_url`), or None.
        size: `<width>x<height>` in pixels.
        seconds: length of the video.
        created_at: UTC.
        completed_at: UTC.
        expires_at: UTC; afterwards the server forgets the video.
        reason: why there is no video, where the status says so.
        reason_in_words: it was found in the words of `message`, which may quote the prompt; see `Outcome.judge_reason`.
        message: the server's words about that.
        in_doubt: it counts as failed, and the server calls it completed; see `endings`.
        retry_after: seconds that the server asks to wait before the next status call, or None.
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

    def is_expired(self, now: pendulum.DateTime) -> bool:
        """Whether the server may have forgotten the video."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def may_be_there(self) -> bool:
        """Whether there may be a video, now or later."""
        return not self.status.finished or self.status is VideoStatus.COMPLETED or self.in_doubt

    @property
    def took(self) -> float | None:
        """Seconds from the creation to the end, where the server tells both."""
        if self.created_at is None or self.completed_at is None:
            return None
        seconds: float = (self.completed_at - self.created_at).total_seconds()
        return seconds if seconds > 0 else None


def parse_video(answer: Answer, what: str, video_id: str | None = None) -> Video:
    """Read the answer to a create or status call.

    Args:
        answer: of the server.
        what: the action, for the error message.
        video_id: the id that is being asked for; without it the answer must carry one.

    Raises:
        ApiError: the answer is an error, or no video can be seen in it.
    """
    with reading(answer, what):
        return _read(answer, what, video_id)


_MOST_LISTED = 100


def parse_videos(answer: Answer, what: str) -> list[Video]:
    """Read the answer to a list call: the jobs that can be read, `_MOST_LISTED` at most.

    Args:
        answer: of the server.
        what: the action, for the error message.

    Raises:
        ApiError: the answer is an error.
    """
    if not answer.ok:
        raise error_from(answer, what)
    body = answer.json()
    listed = body.get("data") if isinstance(body, dict) else body
    found: list[Video] = []
    for item in listed[:_MOST_LISTED] if isinstance(listed, list) else ():
        with contextlib.suppress(ApiError):
            video = parse_video(replace(answer, text=json.dumps(item), is_cut=False), what)
            if answer.quote(video.id, ID_LIMIT) == video.id:
                found.append(video)
    return found


def _read(answer: Answer, what: str, video_id: str | None) -> Video:
    whole = unwrap(answer.json())
    body = whole if answer.ok else None
    if video_id and not (body and word_in(body)):
        body = failed_job_in(answer, whole, video_id) or body
    if body is None:
        raise error_from(answer, what, about_a_job=bool(video_id))
    word = word_in(body)
    end = end_of(answer, body, word)
    if video_id:
        if is_word_of_no_job(word):
            raise no_such_job(answer, what)
        if not word and (body.get("error") or "code" in body or not answer.is_whole):
            raise error_from(answer, what, about_a_job=True)
    elif (found := find_id(body)) is None and not (word and end.status is not VideoStatus.FAILED):
        raise error_from(answer, what)
    elif found is None or not is_usable_id(found):
        raise unreadable(answer, what, f"{_UNUSABLE_ID}: {answer.quote(found or '', 100)!r}")
    model = first_text(body, "model")
    return Video(
        id=video_id or str(found),
        status=end.status,
        status_word=answer.quote(word, _WORD_LIMIT),
        progress=_or_none(_progress, body.get("progress")),
        model=model and answer.quote(model, _MODEL_LIMIT),
        url=None if end.status is VideoStatus.FAILED else _url(answer, body),
        size=_or_none(_size, body),
        seconds=_or_none(_seconds, body),
        created_at=_or_none(_time, body.get("created_at") or body.get("created")),
        completed_at=_or_none(_time, body.get("completed_at")),
        expires_at=_or_none(_time, body.get("expires_at")),
        reason=end.reason,
        reason_in_words=end.reason_in_words,
        message=end.message,
        in_doubt=end.in_doubt,
        retry_after=pause_asked_by(answer),
    )


_UNUSABLE_ID = (
    "the answer tells of a job, which may exist and be billed, but not by an id that can be used (up to "
    f"{ID_LIMIT} letters, no control characters)"
)


def _or_none(read: Callable[[Any], T | None], value: Any) -> T | None:
    """Read what a job can do without: nothing that is odd about it may lose the job."""
    try:
        return read(value)
    except Exception:  # noqa: BLE001 - as said
        return None


def find_url(body: Any, base_url: str) -> str | None:
    """Return the absolute address of the video file that a parsed JSON body names, or None."""
    unwrapped = unwrap(body)
    found = None if unwrapped is None else _find_url_text(unwrapped)
    return None if found is None else resolve_url(base_url, found)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value.strip().rstrip("%s ") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _progress(value: Any) -> float | None:
    number = _number(value)
    return None if number is None else min(100.0, max(0.0, number))


def _seconds(body: dict[str, Any]) -> float | None:
    for key in ("duration_s", "seconds", "duration"):  # vLLM-Omni: made, asked for
        number = _number(body.get(key))
        if number is not None and number > 0:
            return number
    return None


_WIDTH_AND_HEIGHT = re.compile(r"(\d{1,6})[x*](\d{1,6})", re.IGNORECASE)


def _size(body: dict[str, Any]) -> str | None:
    for key in ("size", "resolution"):
        value = body.get(key)
        if isinstance(value, str) and (found := _WIDTH_AND_HEIGHT.fullmatch(value.strip())):
            return f"{int(found[1])}x{int(found[2])}"
    return None


_MILLISECONDS_FROM = 1e11  # as seconds this would be the year 5138
_LONGEST_TIME = 100  # characters


def _time(value: Any) -> pendulum.DateTime | None:
    number = _number(value)
    if number is not None:
        if number <= 0:
            return None
        return pendulum.from_timestamp(number / 1000 if number >= _MILLISECONDS_FROM else number)
    is_text = isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST_TIME
    parsed = pendulum.parse(value) if is_text else None
    return parsed.in_timezone("UTC") if isinstance(parsed, pendulum.DateTime) else None


_URL_KEYS = ("url", "video_url", "result_url", "output_url", "download_url")
_URL_LIST_KEYS = ("urls", "unsigned_urls", "videos", "output")
_URL_PARENT_KEYS = ("task_result", "result", "metadata", "content", "video", "output")


def _url(answer: Answer, body: dict[str, Any]) -> str | None:
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
