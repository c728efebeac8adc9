"""A report of the modules that a process of Airflow has loaded."""

from __future__ import annotations

import sys

from airflow.triggers.base import BaseTrigger, TriggerEvent

WATCHED = ("airflow_provider_veo", "fastapi", "starlette")


def loaded():
    return sorted(name for name in sys.modules if name.startswith(WATCHED))


class ProbeTrigger(BaseTrigger):
    def serialize(self):
        return "tests.page.probe.ProbeTrigger", {}

    async def run(self):
        yield TriggerEvent(loaded())
