"""The official relay channel of the seed's gateway.

Sources: the gateway's pages on its official channel, and users' logs. That it runs new-api is inferred from its ids and
its error codes, so what is not known of it is as there.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from airflow_provider_veo.emulator.dialects.new_api import NewApi
from airflow_provider_veo.emulator.jobs import Job


class Relay(NewApi):
    """A first frame only, progress in three steps, no address anywhere, dearer, and a failure without words."""

    name = "relay"
    prices = MappingProxyType({"veo-3.1-generate-preview": 1.2, "veo-3.1-fast-generate-preview": 0.3})
    default_seconds = 4  # where `duration` was sent instead of `seconds`, clips had 4 s
    most_frames = 1
    content_headers = MappingProxyType({})

    def progress(self, word: str, percent: float) -> int:  # noqa: ARG002
        return {"processing": 50, "completed": 100}.get(word, 0)

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        # the failures that users have logged have an empty text for an error
        return super().video(job, word, progress) | ({"error": job.failure} if word == "failed" else {})
