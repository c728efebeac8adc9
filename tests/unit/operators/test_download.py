"""The download operator without a network."""

from __future__ import annotations

import pytest

from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.operators.download import VeoDownloadOperator


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"destination": "a.mp4", "video_id": "v"}, r"set \[veo\] storage"),
    ],
)
def test_bad_downloads_are_refused(arguments, complaint):
    with pytest.raises(VeoFailException, match=complaint):
        VeoDownloadOperator(task_id="download", **arguments).execute({})
