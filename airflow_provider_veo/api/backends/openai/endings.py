"""Read the status of a job from an answer, and the reason why it has no video.

The texts of an answer may quote the prompt. So words alone never end a job; only an object that is a job's status does.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from airflow_provider_veo.api.answers.answer import MESSAGE_KEYS, Answer, ErrorDetail, find_id, read_error
from airflow_provider_veo.api.answers.json_text import find_objects, parse_json
from airflow_provider_veo.api.answers.own_words import OwnWords, is_quoted
from airflow_provider_veo.api.backends.openai.status_words import is_filter_word, read_status
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.reasons import find_reason_in, find_reason_of_job
from airflow_provider_veo.api.video import VideoStatus

_ERROR_KEYS = ("error", "errors", "fail_reason", "failReason", "failure_reason", "error_message")
_OTHER_KEYS = ("message", "task_status_msg", "reason", "detail")  # successful jobs have such texts, too
_PARENT_KEYS = ("metadata", "result", "response", "task_result", "output")
_NO_ERROR = frozenset(("", "0", "200", "ok", "success", "succeeded", "none", "null", "n/a", "no error", "false"))
_NOT_OF_THE_VIDEO = re.compile(r"prompt|input|image|frame|reference|request|parameter|instances|error|callback|webhook")
_ADDRESSES = frozenset(
    (
        *("url", "urls", "videourl", "resulturl", "outputurl", "downloadurl", "unsignedurls", "videos", "output"),
        *("uri", "gcsuri", "videouri", "bytesbase64encoded", "b64json", "videobytes", "filepath"),
    )
)
_GOOGLES_FILTER = re.compile(r"raimediafiltered(count|reasons?)")
_ANY_FILTER = re.compile(r"(content)?(filtered|blocked)(count|reasons?)?|blockreason")
_LONGEST_WORDS = 5_000  # characters
_DEPTH = 8
_MOST_PARTS = 1_000
_MARKS_OF_A_JOB = frozenset(("object", "progress", "created_at", "created", "seconds", "size"))
_MORE_OF_A_JOB = frozenset(("prompt", "model", "error"))


def read_status_word(body: dict[str, Any]) -> str:
    """Return the status word of a job in an answer, or an empty text.

    Args:
        body: Status of the job.
    """
    word = find_text(body, "status", "task_status", "state")
    if word is None and isinstance(done := body.get("done"), bool):  # Google's operations
        word = "done" if done else "processing"
    return word or ""


def find_text(body: dict[str, Any], *keys: str) -> str | None:
    """Return the first text that is not empty, or None.

    Args:
        body: Parsed JSON object that is searched.
        keys: Fields to look at, in this order.
    """
    texts = (value.strip() for key in keys if isinstance(value := body.get(key), str))
    return next((text for text in texts if text), None)


@dataclass(frozen=True, slots=True)
class Ending:
    """The status of a job, and the reason why it has no video.

    Attributes:
        status: Status of the job.
        reason: Reason why there is no video, if the job has ended without one.
        reason_in_words: Whether the reason was found in words, which may quote the prompt.
        message: The server's message about that reason, for people.
        in_doubt: Whether the server calls the job completed nevertheless, so that its content decides.
    """

    status: VideoStatus
    reason: Reason | None = None
    reason_in_words: bool = False
    message: str = ""
    in_doubt: bool = False


def read_ending(answer: Answer, body: dict[str, Any], word: str) -> Ending:
    """Return the status of a job, and the reason why it has no video.

    `completed` is a failure if an error or a filter's message stands beside it and no video does (QuantumNous/new-api,
    Google's `raiMediaFilteredCount`). But warnings look like errors, so the content decides in the end.

    Args:
        answer: Answer of the server.
        body: Status of the job within the answer.
        word: Status word of the server.
    """
    status = read_status(word)
    if not status.finished or (status is VideoStatus.COMPLETED and _has_video(body)):
        return Ending(status)
    filtered = _find_filter_words(body)
    keys = _ERROR_KEYS if status is VideoStatus.COMPLETED else (*_ERROR_KEYS, *_OTHER_KEYS)
    detail = _find_error(answer, body, keys)
    in_doubt = status is VideoStatus.COMPLETED
    if in_doubt:
        if not (filtered or detail):
            return Ending(status)
        status = VideoStatus.FAILED
    detail = detail or ErrorDetail(filtered)
    message = answer.quote(str(replace(detail, message=answer.mask.hide(detail.message))))
    if status is not VideoStatus.FAILED:
        return Ending(status, Reason.UNKNOWN, message=message)
    by_filter = bool(filtered) or is_filter_word(word)
    reason = find_reason_of_job(detail, answer.own, Reason.MODERATION if by_filter else Reason.UNKNOWN)
    in_words = reason is find_reason_in(f"{detail.code} {detail.message}") and not (
        by_filter and reason is Reason.MODERATION
    )
    return Ending(status, reason, in_words, message, in_doubt)


def _find_error(answer: Answer, body: dict[str, Any], keys: tuple[str, ...]) -> ErrorDetail | None:
    """Return the error in a job's status, or None."""
    own = answer.own if answer.own.texts else None
    parts = [body, *(part for key in _PARENT_KEYS if isinstance(part := body.get(key), dict))]
    values = [part.get(key) for part in parts for key in keys]
    # new-api writes the reason of a failed job into `metadata.url`
    values += [text for part in parts if (text := find_text(part, "url")) and not _is_address(text)]
    for value in values:
        detail = read_error(value, own=own) if _has_error_code(value) else ErrorDetail()
        if not {detail.message.strip(" .").lower(), detail.code.lower()} <= _NO_ERROR:
            return detail
    return None


def _has_error_code(value: Any) -> bool:
    code = value.get("code") if isinstance(value, dict) else None
    return code in (None, "") or str(code).lower() not in _NO_ERROR


def _has_video(body: dict[str, Any]) -> bool:
    """Return whether a status names the file, or contains it."""
    return any(
        names and names[-1] in _ADDRESSES and isinstance(value, str) and _is_address(value)
        for names, value in _iterate_values(body)
        if not any(map(_NOT_OF_THE_VIDEO.search, names))
    )


def _find_filter_words(body: dict[str, Any]) -> str:
    """Return the words of a filter that has removed the video, or an empty text."""
    found = [
        value
        for names, value in _iterate_values(body)
        if names and not any(map(_NOT_OF_THE_VIDEO.search, names)) and _is_filter_field(names) and _is_set(value)
    ]
    reasons = [value for value in found if isinstance(value, str) and not value.strip().isdigit()]
    return "; ".join(reasons) or ("The content filter has removed the video." if found else "")


def _is_filter_field(names: tuple[str, ...]) -> bool:
    # `metadata` may also hold fields of the caller
    return bool(_GOOGLES_FILTER.fullmatch(names[-1]) or (_ANY_FILTER.fullmatch(names[-1]) and "metadata" not in names))


def _is_set(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in _NO_ERROR and len(value) <= _LONGEST_WORDS
    return isinstance(value, (bool, int, float)) and value > 0


def _is_address(text: str) -> bool:
    """Return whether a text may be an address or a file, rather than a sentence."""
    head = text.strip()[:100]
    return not any(map(str.isspace, head)) and ("/" in head or head.startswith("data:") or len(head) == 100)


def _iterate_values(body: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each value of a body with the names on the way to it, in lower case and without punctuation."""
    todo: deque[tuple[tuple[str, ...], Any]] = deque([((), body)])
    for _ in range(_MOST_PARTS):
        if not todo:
            return
        names, value = todo.popleft()
        if isinstance(value, dict) and len(names) < _DEPTH:
            parts = islice(value.items(), _MOST_PARTS)
            todo += [((*names, re.sub("[^a-z0-9]", "", str(key)[:100].lower())), part) for key, part in parts]
        elif isinstance(value, list):
            todo += [(names, part) for part in value[:20] if not isinstance(part, list)]
        else:
            yield names, value


def find_failed_job(answer: Answer, body: dict[str, Any] | None, video_id: str) -> dict[str, Any] | None:
    """Return the status of a failed job from an answer that is an error; None if the answer contains none.

    vLLM-Omni reports a failed job by an HTTP error with the job as the body, and LiteLLM puts that body into a text.

    Args:
        answer: Answer to the status call.
        body: Parsed body of the answer.
        video_id: ID of the job in the status call.
    """
    if body is not None and _has_failed(body) and find_id(body) == video_id:
        return body
    parts = [answer.text] if body is None else [body.get(key) for key in ("error", *MESSAGE_KEYS)]
    return next((job for part in parts if (job := _find_nested_job(part, answer.own, _DEPTH))), None)


def _find_nested_job(part: Any, own: OwnWords, depth: int) -> dict[str, Any] | None:
    if isinstance(part, str) and depth:
        whole = parse_json(part)
        if isinstance(whole, dict) and not own.cover(part):
            return _find_nested_job(whole, own, depth - 1)
        inner: list[Any] = [
            found.value
            for found in find_objects(part)
            if not is_quoted(part, found.start) and not own.cover(part[found.start : found.end])
        ]
    elif isinstance(part, dict) and depth:
        if _has_failed(part) and _is_whole_job(part):
            return part
        inner = [part.get(key) for key in ("error", *MESSAGE_KEYS)]  # but never its prompt
    else:
        inner = part[:5] if isinstance(part, list) and depth else []
    return next((job for value in inner if (job := _find_nested_job(value, own, depth - 1))), None)


def _has_failed(body: dict[str, Any]) -> bool:
    return read_status(find_text(body, "status") or "") is VideoStatus.FAILED


def _is_whole_job(body: dict[str, Any]) -> bool:
    """Return whether an object is the status of a job, rather than an error with a request's ID or words of a prompt.

    The value of the ID does not matter: LiteLLM's ID differs from that of its upstream.
    """
    marks = len(_MARKS_OF_A_JOB & body.keys())
    return find_id(body) is not None and marks > 0 and marks + len(_MORE_OF_A_JOB & body.keys()) > 1
