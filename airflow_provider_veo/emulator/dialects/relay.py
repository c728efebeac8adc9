"""The official relay channel of the Veo 3.1 gateway.

Sources: the gateway's pages about its official channel, and users' logs. Its IDs and error codes are those of new-api,
so unknown parts are like those of new-api.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_provider_veo.emulator.dialects.base import FIRST
from airflow_provider_veo.emulator.dialects.new_api import NewApi
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import Reply


class Relay(NewApi):
    """It uses the first frame only, has progress in three steps, higher prices, and failures without a reason."""

    name = "relay"
    prices = MappingProxyType({"veo-3.1-generate-preview": 1.2, "veo-3.1-fast-generate-preview": 0.3})
    listed = ()
    default_seconds = 4  # videos had 4 s if the order named `duration` instead of `seconds`
    frames = FIRST

    def status(self, job: Job, now: float, url: str) -> Reply:  # noqa: ARG002
        word = job.status(now)
        body = {**self.created(job).body, "status": self.words.get(word, word)}
        body["progress"] = {"processing": 50, "completed": 100}.get(word, 0)
        if word == "completed":
            body["completed_at"] = int(job.done_at)
        # the error of failures in users' logs is an empty text
        return Reply(body | ({"error": job.failure} if word == "failed" else {}))

    def content_headers(self, job: Job) -> Mapping[str, str]:  # noqa: ARG002
        return {}
