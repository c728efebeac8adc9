from __future__ import annotations

from airflow_provider_veo.api.polling import Outcome
from airflow_provider_veo.triggers.video import VeoVideoTrigger


async def test_a_wait_that_breaks_off_still_resumes_the_task():
    trigger = VeoVideoTrigger(conn_id="no_such", video_id="v", submitted_at=0.0, deadline=1.0, poll_interval=1.0)
    events = [event async for event in trigger.run()]
    outcome = Outcome.from_event(events[0].payload)
    assert (len(events), outcome.kind, outcome.video_id) == (1, "error", "v")
    assert "no_such" in outcome.message
