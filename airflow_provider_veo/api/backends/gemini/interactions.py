"""Read the answers that describe jobs. Google calls a job an interaction, and lists its input and output as steps.

The output of a job are the steps of the model after the last step of the user: an answer repeats the input, which may
hold a video, too. The last video of the output counts (google-genai 3.6.1).

An answer may be cut, since a video may be a part of it. The order of the keys then decides how much is known. If the
status comes behind the steps, a video that begins in the output means that the job is completed. If nothing is known,
the job counts as unfinished, and its content decides when the wait ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pendulum

from airflow_provider_veo.api.answers.answer import ID_LIMIT, Answer, ErrorDetail, is_usable_id, read_error
from airflow_provider_veo.api.answers.json_text import parse_head
from airflow_provider_veo.api.answers.text import MARK
from airflow_provider_veo.api.backends.gemini import files, prices
from airflow_provider_veo.api.backends.gemini.errors import make_google_error
from airflow_provider_veo.api.error_answers import make_unreadable_error, reading, retry_after
from airflow_provider_veo.api.errors import ContentNotReadyError, Reason, VideoFailedError
from airflow_provider_veo.api.reasons import find_reason_in, find_reason_of_job
from airflow_provider_veo.api.video import Video, VideoStatus

T = TypeVar("T")

# google-genai 3.6.1; the list is open. An interaction that needs an action, or more budget, never goes on by itself.
_STATUS_OF_WORD = {
    "queued": VideoStatus.QUEUED,
    "in_progress": VideoStatus.RUNNING,
    "requires_continuation": VideoStatus.RUNNING,
    "idle": VideoStatus.RUNNING,
    "completed": VideoStatus.COMPLETED,
    "failed": VideoStatus.FAILED,
    "incomplete": VideoStatus.FAILED,
    "budget_exceeded": VideoStatus.FAILED,
    "requires_action": VideoStatus.FAILED,
    "cancelled": VideoStatus.CANCELLED,
}
_NO_RIGHTS = "7"
"""gRPC's PERMISSION_DENIED: Google may not write to the bucket."""

_WORD_LIMIT = 100  # characters of a status word
_MODEL_LIMIT = 200  # characters of a model's name
_LONGEST_TIME = 100  # characters
_WITHOUT_WORDS = (
    "it is completed without a video. Google's filter has removed the video, or does not take such pictures and videos "
    "in your region"
)


@dataclass(frozen=True, slots=True)
class _Ending:
    """The status of a job, and the reason why it has no video. The attributes are those of `Video`."""

    status: VideoStatus
    reason: Reason | None = None
    reason_in_words: bool = False
    message: str = ""
    in_doubt: bool = False


def parse_interaction(answer: Answer, action: str, video_id: str | None = None) -> Video:
    """Read the answer to a create call or a status call.

    Args:
        answer: Answer of the API; it may be cut.
        action: Action that the call is part of, for the error message.
        video_id: ID in the status call. None for a create call, whose answer must carry an ID.

    Raises:
        ApiError: The answer is an error, or describes no job.
    """
    with reading(answer, action):
        return _read(answer, action, video_id)


def _read(answer: Answer, action: str, video_id: str | None) -> Video:
    body = answer.json()
    found = body.get("id") if isinstance(body, dict) else None
    if not answer.ok or not isinstance(body, dict) or not (_is_interaction(body) or (found and not video_id)):
        raise make_google_error(answer, action, about_a_job=bool(video_id))
    if video_id is None and not (isinstance(found, str) and is_usable_id(found)):
        why = (
            "the answer describes a job, which may exist and be billed, but its ID cannot be used (up to "
            f"{ID_LIMIT} characters, no control characters)"
        )
        raise make_unreadable_error(answer, action, f"{why}: {answer.quote(str(found or ''), 100)!r}")
    video, end = find_video(body), _read_ending(answer, body)
    model = body.get("model")
    is_completed = end.status is VideoStatus.COMPLETED
    return Video(
        id=video_id or str(found),
        status=end.status,
        status_word=answer.quote(_read_word(body), _WORD_LIMIT),
        model=answer.quote(model, _MODEL_LIMIT) if isinstance(model, str) and model else None,
        url=_read_optional(lambda: _find_kept_address(answer, video)),
        created_at=_read_optional(lambda: _read_time(body.get("created"))),
        completed_at=_read_optional(lambda: _read_time(body.get("updated"))) if end.status.finished else None,
        reason=end.reason,
        reason_in_words=end.reason_in_words,
        message=end.message,
        in_doubt=end.in_doubt,
        retry_after=retry_after(answer.headers),
        cost_usd=_read_optional(lambda: prices.compute_cost(body)) if is_completed else None,
    )


def read_status(answer: Answer) -> VideoStatus:
    """Return the status of a job in any answer; `UNKNOWN` if the answer shows none.

    Args:
        answer: Answer of the API.
    """
    body = answer.json()
    return _read_ending(answer, body).status if isinstance(body, dict) else VideoStatus.UNKNOWN


def knows_enough(text: bytes) -> bool:
    """Return whether the beginning of a status answer shows that the job is completed with a video.

    A reader may stop then: the rest is the video. It loses the usage, and thus the price, if these come later.

    This is never true before the status is read, and before the kind of the step and the part that hold the video are
    read. So with some orders of the keys it is only true near the end of the answer. It is not true for a video at an
    address either: such an answer is short, and its last address counts. If an answer holds a whole conversation, a
    later step of the user could follow; the orders of this package hold one step.

    Args:
        text: Beginning of the body.
    """
    body = parse_head(text.decode("utf-8", "ignore"))
    if not isinstance(body, dict) or _find_status(body) is not VideoStatus.COMPLETED:
        return False
    video = find_video(body)
    return video is not None and not _get_text(video, "uri")


def breaks_off_in_output(text: bytes) -> bool:
    """Return whether the beginning of an answer breaks off in a step of the model, and not in one of the user.

    If the kind of the step comes behind its content, the step counts as one of the model.

    Args:
        text: Beginning of the body.
    """
    body = parse_head(text.decode("utf-8", "ignore"))
    steps = _list_objects(body.get("steps")) if isinstance(body, dict) else []
    return bool(steps) and steps[-1].get("type") != "user_input"


def find_content(answer: Answer) -> str | None:
    """Return the address of the video that an answer names; None if it names none.

    The answer to the content call is the interaction. It names a file, whose metadata are the next answer.

    Args:
        answer: Answer of the API.

    Raises:
        ContentNotReadyError: The job is not finished, or the file is not there yet.
        VideoFailedError: There is no video.
    """
    body = answer.json()
    if not answer.ok or not isinstance(body, dict):
        return None
    if files.is_file(body):
        return files.find_download(answer, body)
    if video := find_video(body):
        uri = _get_text(video, "uri")
        return files.find_address(answer, uri) if uri else None
    if not _is_interaction(body):
        return None
    end = _read_ending(answer, body)
    name = answer.quote(str(body.get("id") or ""), ID_LIMIT)
    if not end.status.finished:
        raise ContentNotReadyError(f"Video {name} is not finished (status: {answer.quote(_read_word(body), 60)}).")
    if end.status is VideoStatus.COMPLETED:
        return None  # the answer is cut before its output
    raise VideoFailedError(name, end.status.value, end.reason or Reason.UNKNOWN, end.message)


def find_video(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part of an answer that is the job's video, or that names its address; None if there is none.

    Args:
        body: Answer that describes the job, or its readable beginning.
    """
    parts = [part for step in _find_output(body) for part in _list_objects(step.get("content"))]
    videos = [part for part in parts if part.get("type") == "video" and _has_video(part)]
    return videos[-1] if videos else None


def _has_video(part: dict[str, Any]) -> bool:
    uri = _get_text(part, "uri")  # an address at the end of a cut text is not whole
    return bool(uri and MARK not in uri) or bool(_get_text(part, "data").rstrip(MARK))


def _find_output(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of the model after the last step of the user."""
    steps = _list_objects(body.get("steps"))
    inputs = [place for place, step in enumerate(steps) if step.get("type") == "user_input"]
    return [step for step in steps[inputs[-1] + 1 if inputs else 0 :] if step.get("type") == "model_output"]


def _list_objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _get_text(part: dict[str, Any], name: str) -> str:
    return value.strip() if isinstance(value := part.get(name), str) else ""


def _read_word(body: dict[str, Any]) -> str:
    return _get_text(body, "status")


def _find_status(body: dict[str, Any]) -> VideoStatus:
    return _STATUS_OF_WORD.get(_read_word(body).lower(), VideoStatus.UNKNOWN)


def _is_interaction(body: dict[str, Any]) -> bool:
    return bool(_read_word(body)) or body.get("object") == "interaction" or isinstance(body.get("steps"), list)


def _read_ending(answer: Answer, body: dict[str, Any]) -> _Ending:
    """Return the status of a job, and the reason why it has no video."""
    word, has_video = _read_word(body), find_video(body) is not None
    status = _find_status(body)
    if not word and has_video:  # the answer is cut before the status
        return _Ending(VideoStatus.COMPLETED)
    is_lost = status is VideoStatus.COMPLETED and not has_video and answer.is_whole
    if not status.finished or (status is VideoStatus.COMPLETED and not is_lost):
        return _Ending(status)
    detail = _find_error(answer, body)
    message = answer.quote(answer.mask.hide(str(detail))) if detail else ""
    if status is VideoStatus.CANCELLED:
        return _Ending(status, Reason.UNKNOWN, message=message)
    if is_lost and detail is None:
        said = answer.quote(" ".join(_find_words(body)))
        return _Ending(VideoStatus.FAILED, Reason.MODERATION, message=said or _WITHOUT_WORDS)
    detail = detail or ErrorDetail()
    reason = Reason.FORBIDDEN if detail.code == _NO_RIGHTS else find_reason_of_job(detail, answer.own)
    in_words = reason is find_reason_in(f"{detail.code} {detail.message}")
    message = message or f"it ended as {answer.quote(word, _WORD_LIMIT)!r}, and the server gave no reason"
    return _Ending(VideoStatus.FAILED, reason, in_words, message, in_doubt=has_video)


def _find_error(answer: Answer, body: dict[str, Any]) -> ErrorDetail | None:
    """Return the error in an answer. It stands in `errors`, in `error` (a public client's test) or in a step."""
    own = answer.own if answer.own.texts else None
    values = [
        *_list_objects(body.get("errors")),
        body.get("error"),
        *(step.get("error") for step in _find_output(body)),
    ]
    details = (read_error(value, own=own) for value in values if isinstance(value, (dict, str)))
    return next((detail for detail in details if detail.message or detail.code), None)


def _find_words(body: dict[str, Any]) -> list[str]:
    """Return the texts that the model has written instead of a video."""
    parts = [part for step in _find_output(body) for part in _list_objects(step.get("content"))]
    return [text for part in parts if part.get("type") == "text" and (text := _get_text(part, "text"))]


def _find_kept_address(answer: Answer, video: dict[str, Any] | None) -> str | None:
    uri = _get_text(video, "uri") if video else ""
    address = files.find_address(answer, uri) if uri else None
    return address and answer.mask.hide_in_url(address)


def _read_time(value: Any) -> pendulum.DateTime | None:
    parsed = pendulum.parse(value) if isinstance(value, str) and 0 < len(value) <= _LONGEST_TIME else None
    return parsed.in_timezone("UTC") if isinstance(parsed, pendulum.DateTime) else None


def _read_optional(read: Callable[[], T | None]) -> T | None:
    """Read an optional field. A strange value must not lose the job."""
    with contextlib.suppress(Exception):
        return read()
    return None
