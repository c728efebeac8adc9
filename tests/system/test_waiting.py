"""The progress that users see while a job runs."""

from __future__ import annotations

from functools import partial

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
def test_progress_is_shown_during_the_job_and_at_its_end(system, dag_id, state):
    jobs = system.gateways["veo_plain"].jobs
    steps = {20: "processing 20 %", 50: "processing 50 %", 80: "processing 80 %"}

    def is_seen(text):
        return progress(system, dag_id, run_id) == text and system.state(dag_id, run_id) == state

    with system.held("veo_plain"):
        run_id = system.start(dag_id)
        [job] = system.wait_until("the order", lambda: system.jobs("veo_plain", run_id))
        for percent, text in steps.items():
            jobs.set_progress(percent, job.id)
            system.wait_until(text, partial(is_seen, text))
    assert system.until_over(dag_id, run_id) == "success"
    assert progress(system, dag_id, run_id) == "completed 100 %"
    log = system.log(dag_id, run_id)
    assert [text for text in steps.values() if text not in log] == [], log
