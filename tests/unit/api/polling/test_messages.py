"""The texts about a wait: each says what happened, what the job may cost, and the last error."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.errors import TransportError
from airflow_provider_veo.api.polling.messages import explain_timeout
from airflow_provider_veo.api.video import VideoStatus

LATE = "Video v was not finished 1200 s after the order (last status: running"
COST = "The job may still finish, and is billed then."
DOWN = TransportError("broken pipe")


@pytest.mark.parametrize(
    ("progress", "failures", "error", "text"),
    [
        (None, 0, None, f"{LATE}). {COST}"),
        (50.0, 0, None, f"{LATE} at 50 %). {COST}"),
        (None, 1, DOWN, f"{LATE}). {COST} The last status calls failed (1 failed call in a row). Last error: {DOWN}"),
        (
            0.5,
            2,
            DOWN,
            f"{LATE} at 0.5 %). {COST} The last status calls failed (2 failed calls in a row). Last error: {DOWN}",
        ),
    ],
)
def test_a_timeout_is_explained(progress, failures, error, text):
    assert explain_timeout("v", 1200.4, VideoStatus.RUNNING, progress, failures, error) == text
