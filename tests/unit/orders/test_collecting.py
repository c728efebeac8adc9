"""The meaning of an error for a video that a task wants to collect."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.errors import (
    AddressNotAllowedError,
    AddressRefusedError,
    ApiError,
    ContentChangedError,
    ContentCutError,
    ContentError,
    ContentGoneError,
    ContentNotReadyError,
    ContentTooLargeError,
    InvalidInputError,
    NotSentError,
    Reason,
    StatusUnknownError,
    StorageFullError,
    TooSlowError,
    TransportError,
    VeoError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.orders.collecting import NotCollected, judge_collecting

ANSWERS = {reason: ApiError("Asking", reason=reason, status=500) for reason in Reason}
NEVER = [
    VideoFailedError("v", "failed", Reason.UNKNOWN, ""),
    VideoFailedError("v", "is completed without a video", Reason.MODERATION, ""),
    ContentGoneError("gone"),
]
REFUSED = [
    *(ANSWERS[reason] for reason in (Reason.SERVER, Reason.FORBIDDEN, Reason.AUTHENTICATION, Reason.UNREADABLE)),
    *(ContentNotReadyError("x"), ContentError("HTML"), ContentChangedError("x"), ContentCutError("x")),
    *(AddressRefusedError("x", "https://cdn.example.net/a.mp4"), AddressNotAllowedError("x")),
    *(StatusUnknownError("x", reason) for reason in (Reason.SERVER, Reason.MODERATION, Reason.FORBIDDEN)),
]
NO_ANSWER = [
    *(TransportError("x"), TooSlowError("x"), NotSentError("x"), VideoTimeoutError("x")),
    *(ANSWERS[Reason.RATE_LIMITED], ANSWERS[Reason.QUOTA], StatusUnknownError("x", Reason.NETWORK)),
    *(StatusUnknownError("x", Reason.AUTHENTICATION), StatusUnknownError("x", Reason.NOT_FOUND)),
]
OUR_SIDE = [StorageFullError("x"), ContentTooLargeError("x"), InvalidInputError("x"), OSError("x"), VeoError("x")]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        *((error, NotCollected.NEVER) for error in NEVER),
        *((error, NotCollected.REFUSED) for error in REFUSED),
        *((error, NotCollected.NO_ANSWER) for error in NO_ANSWER),
        *((error, NotCollected.OUR_SIDE) for error in OUR_SIDE),
    ],
)
def test_each_error_has_one_meaning_for_the_video(error, why):
    assert judge_collecting(error) is why


REFUSED_STATUS = {
    *(Reason.SERVER, Reason.UNREADABLE, Reason.FORBIDDEN, Reason.MODERATION, Reason.MODEL_UNAVAILABLE),
    *(Reason.BAD_REQUEST, Reason.REQUEST_FORMAT, Reason.NO_ROUTE),
}


@pytest.mark.parametrize("reason", Reason)
def test_a_timeout_counts_as_refused_if_the_status_calls_were_refused(reason):
    error = VideoTimeoutError("x")
    error.reason = reason
    expected = NotCollected.REFUSED if reason in REFUSED_STATUS else NotCollected.NO_ANSWER
    assert judge_collecting(error) is expected
