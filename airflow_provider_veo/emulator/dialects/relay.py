"""The official relay channel of the seed gateway.

Sources: the gateway's pages on its official channel, and users' logs. That it runs new-api is inferred from its ids and
its error codes, so what is not known of it is as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_provider_veo.emulator.dialects.base import FIRST
from airflow_provider_veo.emulator.dialects.new_api import NewApi
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import Reply


class Relay(NewApi):
    """A first frame only, progress in three steps, no address anywhere, dearer, and a failure without words."""

    name = "relay"
    prices = MappingProxyType({"veo-3.1-generate-preview": 1.2, "veo-3.1-fast-generate-preview": 0.3})
    listed = ()
    default_seconds = 4  # where `duration` was sent instead of `seconds`, clips had 4 s
    frames = FIRST

    def status(self, job: Job, now: float, url: str) -> Reply:  # noqa: ARG002
        word = job.status(now)
        body = {**self.created(job).body, "status": self.words.get(word, word)}
        body["progress"] = {"processing": 50, "completed": 100}.get(word, 0)
        if word == "completed":
            body["completed_at"] = int(job.done_at)
        # the failures that users have logged have an empty text for an error
        return Reply(body | ({"error": job.failure} if word == "failed" else {}))

    def content_headers(self, job: Job) -> Mapping[str, str]:  # noqa: ARG002
        return {}
