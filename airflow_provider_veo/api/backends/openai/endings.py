"""How a job stands, and why there is no video: read from its status answer.

The texts of an answer may quote the prompt. So words alone end no job: an object that is a job's status does.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from airflow_provider_veo.api.answers.answer import MESSAGE_KEYS, Answer, ErrorDetail, id_in, read_error
from airflow_provider_veo.api.answers.json_text import objects_in, parse_json
from airflow_provider_veo.api.answers.own_words import OwnWords, is_quoted
from airflow_provider_veo.api.backends.openai.status_words import VideoStatus, is_word_of_a_filter, status_of
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.reasons import find_reason_in, find_reason_of_job


def word_in(body: dict[str, Any]) -> str:
    """Return the server's word for the status of a job, or an empty text."""
    word = first_text(body, "status", "task_status", "state")
    if word is None and isinstance(done := body.get("done"), bool):  # Google's operations
        word = "done" if done else "processing"
    return word or ""


def first_text(body: dict[str, Any], *keys: str) -> str | None:
    """Return the first text that is not empty, or None."""
    texts = (value.strip() for key in keys if isinstance(value := body.get(key), str))
    return next((text for text in texts if text), None)


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a job stands.

    Attributes:
        status: of the job.
        reason: why there is no video, if it has ended without one.
        reason_in_words: words say so, which may be those of the prompt.
        message: the server's words about that, for people.
        in_doubt: the server calls the job completed all the same, so that its content decides.
    """

    status: VideoStatus
    reason: Reason | None = None
    reason_in_words: bool = False
    message: str = ""
    in_doubt: bool = False


def end_of(answer: Answer, body: dict[str, Any], word: str) -> Ending:
    """Read where a job stands.

    `completed` with an error or a filter's words beside it, and without a video, is a failure (QuantumNous/new-api,
    Google's `raiMediaFilteredCount`); but warnings look like errors, so that the content has the last word.

    Args:
        answer: of the server.
        body: the job's status in it.
        word: the server's word for the status.
    """
    status = status_of(word)
    if not status.finished or (status is VideoStatus.COMPLETED and _has_video(body)):
        return Ending(status)
    filtered = _words_of_a_filter(body)
    keys = _ERROR_KEYS if status is VideoStatus.COMPLETED else (*_ERROR_KEYS, *_OTHER_KEYS)
    detail = _complaint(answer, body, keys)
    in_doubt = status is VideoStatus.COMPLETED
    if in_doubt:
        if not (filtered or detail):
            return Ending(status)
        status = VideoStatus.FAILED
    detail = detail or ErrorDetail(filtered)
    message = answer.said(str(replace(detail, message=answer.mask.hide(detail.message))))
    if status is not VideoStatus.FAILED:
        return Ending(status, Reason.UNKNOWN, message=message)
    by_filter = bool(filtered) or is_word_of_a_filter(word)
    reason = find_reason_of_job(detail, answer.own, Reason.MODERATION if by_filter else Reason.UNKNOWN)
    in_words = reason is find_reason_in(f"{detail.code} {detail.message}") and not (
        by_filter and reason is Reason.MODERATION
    )
    return Ending(status, reason, in_words, message, in_doubt)


_ERROR_KEYS = ("error", "errors", "fail_reason", "failReason", "failure_reason", "error_message")
_OTHER_KEYS = ("message", "task_status_msg", "reason", "detail")  # a job that is well has such texts, too
_PARENT_KEYS = ("metadata", "result", "response", "task_result", "output")
_NO_ERROR = frozenset(("", "0", "200", "ok", "success", "succeeded", "none", "null", "n/a", "no error", "false"))


def _complaint(answer: Answer, body: dict[str, Any], keys: tuple[str, ...]) -> ErrorDetail | None:
    """Return what the job's status says as an error, or None."""
    own = answer.own if answer.own.texts else None
    parts = [body, *(part for key in _PARENT_KEYS if isinstance(part := body.get(key), dict))]
    values = [part.get(key) for part in parts for key in keys]
    # new-api's `metadata.url` of a failed job is the reason
    values += [text for part in parts if (text := first_text(part, "url")) and not _is_address(text)]
    for value in values:
        detail = read_error(value, own=own) if _is_code_of_an_error(value) else ErrorDetail()
        if not {detail.message.strip(" .").lower(), detail.code.lower()} <= _NO_ERROR:
            return detail
    return None


def _is_code_of_an_error(value: Any) -> bool:
    code = value.get("code") if isinstance(value, dict) else None
    return code in (None, "") or str(code).lower() not in _NO_ERROR


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


def _has_video(body: dict[str, Any]) -> bool:
    """Whether a status answer names the file, or holds it."""
    return any(
        names and names[-1] in _ADDRESSES and isinstance(value, str) and _is_address(value)
        for names, value in _leaves(body)
        if not any(map(_NOT_OF_THE_VIDEO.search, names))
    )


def _words_of_a_filter(body: dict[str, Any]) -> str:
    """Return what a filter says that took the video, or an empty text."""
    found = [
        value
        for names, value in _leaves(body)
        if names and not any(map(_NOT_OF_THE_VIDEO.search, names)) and _is_of_a_filter(names) and _is_set(value)
    ]
    reasons = [value for value in found if isinstance(value, str) and not value.strip().isdigit()]
    return "; ".join(reasons) or ("The content filter took the video." if found else "")


def _is_of_a_filter(names: tuple[str, ...]) -> bool:
    # other fields of `metadata` are the caller's
    return bool(_GOOGLES_FILTER.fullmatch(names[-1]) or (_ANY_FILTER.fullmatch(names[-1]) and "metadata" not in names))


def _is_set(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in _NO_ERROR and len(value) <= _LONGEST_WORDS
    return isinstance(value, (bool, int, float)) and value > 0


def _is_address(text: str) -> bool:
    """Whether a text may be an address or a file, and is no sentence."""
    head = text.strip()[:100]
    return not any(map(str.isspace, head)) and ("/" in head or head.startswith("data:") or len(head) == 100)


def _leaves(body: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the values of a body with the names that lead to each, in letters that compare."""
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


def failed_job_in(answer: Answer, body: dict[str, Any] | None, video_id: str) -> dict[str, Any] | None:
    """Return the status of the job that has failed, if an answer that is an error tells of it; else None.

    vLLM-Omni tells of a failed job by an HTTP error with the job as body, and LiteLLM puts that body into a text.

    Args:
        answer: to the question for the job.
        body: its parsed body.
        video_id: that was asked for.
    """
    if body is not None and _has_failed(body) and id_in(body) == video_id:
        return body
    parts = [answer.text] if body is None else [body.get(key) for key in ("error", *MESSAGE_KEYS)]
    return next((job for part in parts if (job := _nested_job(part, answer.own, _DEPTH))), None)


def _nested_job(part: Any, own: OwnWords, depth: int) -> dict[str, Any] | None:
    if isinstance(part, str) and depth:
        whole = parse_json(part) if part.strip()[:1] in ("{", "[") else None
        if isinstance(whole, dict) and not own.are_all_of(part):
            return _nested_job(whole, own, depth - 1)
        inner: list[Any] = [
            found.value
            for found in objects_in(part)
            if not is_quoted(part, found.start) and not own.are_all_of(part[found.start : found.end])
        ]
    elif isinstance(part, dict) and depth:
        if _has_failed(part) and _is_whole_job(part):
            return part
        inner = [part.get(key) for key in ("error", *MESSAGE_KEYS)]  # never what it calls its prompt
    else:
        inner = part[:5] if isinstance(part, list) and depth else []
    return next((job for value in inner if (job := _nested_job(value, own, depth - 1))), None)


def _has_failed(body: dict[str, Any]) -> bool:
    return status_of(first_text(body, "status") or "") is VideoStatus.FAILED


_MARKS_OF_A_JOB = frozenset(("object", "progress", "created_at", "created", "seconds", "size"))
_MORE_OF_A_JOB = frozenset(("prompt", "model", "error"))


def _is_whole_job(body: dict[str, Any]) -> bool:
    """Whether an object is the status of a job: no error with the id of a request, and no few words of a prompt.

    The id says nothing: LiteLLM's hides the one of its upstream.
    """
    marks = len(_MARKS_OF_A_JOB & body.keys())
    return id_in(body) is not None and marks > 0 and marks + len(_MORE_OF_A_JOB & body.keys()) > 1
