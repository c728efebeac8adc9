"""Read the answers that describe an operation.

An operation that is done without a bucket carries the whole video as base64. So an answer may be cut, and the order of
its fields may differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pendulum

from airflow_provider_veo.api.answers.answer import ERROR_LIMIT, ID_LIMIT, Answer, ErrorDetail, read_error
from airflow_provider_veo.api.answers.json_text import parse_head
from airflow_provider_veo.api.answers.text import MARK, is_plain_text
from airflow_provider_veo.api.backends.vertex.names import find_model_path, read_model_id
from airflow_provider_veo.api.backends.vertex.refusals import make_error
from airflow_provider_veo.api.error_answers import find_asked_pause, make_unreadable_error, reading
from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.api.reasons import find_reason_in, find_reason_of_job
from airflow_provider_veo.api.video import Video, VideoStatus

# Google's REST reference has `generatedSamples` with `uri` and `encodedVideo`; answers were seen with the others only
_LISTS = ("videos", "generatedSamples")
_ADDRESSES = ("gcsUri", "uri")
_BYTES = ("bytesBase64Encoded", "encodedVideo")
_MOST_VIDEOS = 20
_LONGEST_ADDRESS = 2_048  # characters; the name of an object has up to 1,024 bytes
_LONGEST_TIME = 100  # characters
_MOST_REASONS = 10
_COUNT = re.compile("[1-9][0-9]{0,9}")

# Codes of google.rpc.Code. These say enough: 4 deadline, 7 no permission (for the bucket), 8 exhausted, 10 aborted,
# 13 internal, 14 unavailable.
_REASON_OF_CODE: Mapping[str, Reason] = MappingProxyType(
    {
        "4": Reason.SERVER,
        "7": Reason.FORBIDDEN,
        "8": Reason.RATE_LIMITED,
        "10": Reason.SERVER,
        "13": Reason.SERVER,
        "14": Reason.SERVER,
    }
)
_CANCELLED = "1"
_REFUSED_CODES = frozenset({"3", "5", "9", "11", "12"})
"""Codes of a wrong order, or of a refused prompt: invalid, not found, failed precondition, out of range, unimplemented.
The message says which."""


def knows_enough(text: bytes) -> bool:
    """Return whether the beginning of a status answer says that the operation is done, with a video.

    The rest of such an answer is not needed: it is the video. All other answers are short, and are read to their end.

    Args:
        text: The beginning of the answer's body.
    """
    body = parse_head(text.decode("utf-8-sig", "replace"))
    return isinstance(body, dict) and body.get("done") is not False and (_has_bytes(body) or bool(find_address(body)))


def find_address(body: Any) -> str | None:
    """Return the address of the first video in a bucket that a status names, or None.

    Args:
        body: Parsed body of the answer.
    """
    addresses = _iterate_texts(body, _ADDRESSES)
    return next((text for text in addresses if len(text) <= _LONGEST_ADDRESS and is_plain_text(text)), None)


def read_created(answer: Answer, action: str) -> Video:
    """Read the answer to the call that orders.

    Args:
        answer: Answer of the server.
        action: Action that the call is part of, for the error message.

    Raises:
        ApiError: The answer is an error, or names no operation.
    """
    with reading(answer, action):
        body = answer.json()
        name = body.get("name") if answer.ok and isinstance(body, dict) else None
        if not isinstance(name, str) or not name.strip():
            raise make_error(answer, action)
        if find_model_path(name) is None:
            raise _make_unusable_name_error(answer, action, name)
        return _read(answer, action, body, name)


def read_status(answer: Answer, action: str, video_id: str) -> Video:
    """Read the answer to a status call. It may be cut.

    Args:
        answer: Answer of the server.
        action: Action that the call is part of, for the error message.
        video_id: Name of the operation in the call.

    Raises:
        ApiError: The answer is an error, or describes no operation.
    """
    with reading(answer, action):
        body = answer.json()
        if not answer.ok or not isinstance(body, dict) or not {"name", "done", "response"} & body.keys():
            raise make_error(answer, action, about_a_job=True)
        return _read(answer, action, body, video_id)


def _make_unusable_name_error(answer: Answer, action: str, name: str) -> ApiError:
    shown = answer.quote(name, ID_LIMIT)
    why = f"the answer names an operation, which may exist and be billed, but its name cannot be used: {shown!r}"
    error = make_unreadable_error(answer, action, why)
    error.job_id = shown
    return error


def _read(answer: Answer, action: str, body: dict[str, Any], name: str) -> Video:
    model = find_model_path(name)
    video = Video(
        id=name,
        status=VideoStatus.RUNNING,
        status_word="processing",
        model=model and read_model_id(model),
        created_at=_read_time(body),
        retry_after=find_asked_pause(answer),
    )
    if body.get("done") is False:
        return video
    if _has_video(body):
        address = find_address(body)
        url = address and answer.mask.hide_in_url(address)
        return replace(video, status=VideoStatus.COMPLETED, status_word="done", url=url)
    if not answer.is_whole:
        raise make_unreadable_error(answer, action, "the answer breaks off before it says how the job has ended")
    return _read_end_without_video(answer, body, replace(video, status=VideoStatus.FAILED, status_word="done")) or video


def _read_end_without_video(answer: Answer, body: dict[str, Any], failed: Video) -> Video | None:
    """Return a job that has ended without a video, or None if it still runs: a running one may have no `done`."""
    if error := body.get("error"):
        return _read_error(answer, read_error(error, own=None), failed)
    if (words := _find_filter_words(body)) is not None:
        detail = ErrorDetail(words[:ERROR_LIMIT])
        # the filter of the soundtrack is the one filter after which the same prompt may pass
        passes = find_reason_of_job(detail, answer.own, Reason.MODERATION) is Reason.UNKNOWN
        message = answer.quote(words) or "The content filter has removed the video."
        return replace(failed, reason=Reason.UNKNOWN if passes else Reason.MODERATION, message=message)
    if body.get("done") is not True:
        return None
    message = "The operation is done, and its answer has neither a video nor a reason."
    return replace(failed, reason=Reason.UNKNOWN, message=message)


def _read_error(answer: Answer, detail: ErrorDetail, failed: Video) -> Video:
    message = answer.quote(detail.message) or f"The operation has failed with code {answer.quote(detail.code, 100)}."
    if detail.code == _CANCELLED:
        return replace(failed, status=VideoStatus.CANCELLED, reason=Reason.UNKNOWN, message=message)
    if reason := _REASON_OF_CODE.get(detail.code):
        return replace(failed, reason=reason, message=message)
    otherwise = Reason.BAD_REQUEST if detail.code in _REFUSED_CODES else Reason.UNKNOWN
    reason = find_reason_of_job(ErrorDetail(detail.message), answer.own, otherwise)
    in_words = reason is find_reason_in(detail.message)
    return replace(failed, reason=reason, reason_in_words=in_words, message=message)


def _has_video(body: Any) -> bool:
    """Return whether a status names a video or holds one; the name, or the video, may be cut."""
    return any(True for _ in _iterate_texts(body, (*_ADDRESSES, *_BYTES)))


def _has_bytes(body: Any) -> bool:
    return any(True for _ in _iterate_texts(body, _BYTES))


def _iterate_texts(body: Any, fields: tuple[str, ...]) -> Iterator[str]:
    """Yield the texts that are not empty in some fields of the videos of a status."""
    response = body.get("response") if isinstance(body, dict) else None
    lists = [response.get(name) for name in _LISTS] if isinstance(response, dict) else []
    for videos in lists:
        for item in videos[:_MOST_VIDEOS] if isinstance(videos, list) else ():
            video = item.get("video", item) if isinstance(item, dict) else None
            values = [video.get(field) for field in fields] if isinstance(video, dict) else []
            yield from (value for value in values if isinstance(value, str) and value[:100].strip(f" {MARK}"))


def _find_filter_words(body: Any) -> str | None:
    """Return the words of the filter that has removed the video; empty if it has none, and None without a filter."""
    response = body.get("response")
    if not isinstance(response, dict):
        return None
    listed = response.get("raiMediaFilteredReasons")
    texts = [text for text in listed[:_MOST_REASONS] if isinstance(text, str)] if isinstance(listed, list) else []
    count = response.get("raiMediaFilteredCount")
    is_counted = isinstance(count, (int, str)) and not isinstance(count, bool) and _COUNT.fullmatch(str(count))
    return "; ".join(texts) if texts or is_counted else None


def _read_time(body: dict[str, Any]) -> pendulum.DateTime | None:
    """Return the time of the order, which is optional. A strange value must not lose the job."""
    metadata = body.get("metadata")
    text = metadata.get("createTime") if isinstance(metadata, dict) else None
    with suppress(Exception):
        parsed = pendulum.parse(text) if isinstance(text, str) and 0 < len(text) <= _LONGEST_TIME else None
        return parsed.in_timezone("UTC") if isinstance(parsed, pendulum.DateTime) else None
    return None
