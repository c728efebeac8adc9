"""What people see of a video while it is made."""

from __future__ import annotations

import httpx
import pytest


def progress(system, dag_id, run_id):
    """Return the XCom as the UI's API has it, or None."""
    try:
        return system.lab.xcom(dag_id, run_id, "create", "progress")
    except httpx.HTTPStatusError as error:
        if error.response.status_code != 404:
            raise
        return None


@pytest.mark.parametrize(("dag_id", "state"), [("deferred", "deferred"), ("waiting", "running")])
def test_progress_is_seen_live_and_at_the_end(system, dag_id, state):
    run_id = system.start(dag_id)
    seen = []

    def note():
        value, now = progress(system, dag_id, run_id), system.state(dag_id, run_id)
        if value and now == state and value not in seen:
            seen.append(value)
        return now == "success"

    system.until("the video", note)
    percents = [float(value.split()[1]) for value in seen if value.startswith("processing")]
    assert len(percents) >= 3
    assert percents == sorted(percents)
    assert progress(system, dag_id, run_id) == "completed 100 %"
    log = system.log(dag_id, run_id)
    assert [value for value in seen if value not in log] == []
