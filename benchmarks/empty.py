"""A trigger that sends no request. It shows the cost of Airflow itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class EmptyTrigger(BaseTrigger):
    """A trigger that sleeps until a job ends, and sends no request."""

    def __init__(self, ends_at: float) -> None:
        super().__init__()
        self.ends_at = ends_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments of the trigger."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"ends_at": self.ends_at}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep until the job ends, then fire."""
        await asyncio.sleep(self.ends_at - time.time())
        yield TriggerEvent(True)
