"""The callback of docs/observability.md names the reason and the video of each kind of failure."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.errors import ApiError, Reason, TransportError, UnknownSubmissionError, VideoTimeoutError
from airflow_provider_veo.exceptions import VeoFailException, VeoSensorTimeout
from tests.docs.pages import ROOT, blocks
from tests.support.airflow_version import AIRFLOW_3

QUOTA = ApiError("Creating the video failed", reason=Reason.QUOTA, status=402)


@pytest.fixture(scope="module")
def alert():
    [code] = [one.text for one in blocks(ROOT / "docs/observability.md") if "on_failure_callback" in one.text]
    found = {}
    exec(code if AIRFLOW_3 else code.replace("from airflow.sdk import DAG", "from airflow import DAG"), found)
    return found["alert"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (VeoFailException(QUOTA), "#on-call: quota, video none. Creating the video failed (HTTP 402). The account"),
        (UnknownSubmissionError("No answer.", permanent=True), "#on-call: unknown_submission, video none. No answer"),
        (TransportError("Down", video_id="video_1"), "#videos: network, video video_1. Down (video video_1)"),
        (VeoSensorTimeout(VideoTimeoutError("Late", video_id="v")), "#videos: timeout, video v. Late (video v)"),
        (KeyError("x"), "#videos: other, video none. 'x'"),
    ],
)
def test_the_callback_reports_the_reason(alert, capsys, error, line):
    alert({"exception": error})
    assert capsys.readouterr().out.startswith(line)
