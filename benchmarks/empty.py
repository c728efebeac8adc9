"""The trigger that does nothing: what Airflow itself costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class EmptyTrigger(BaseTrigger):
    """Sleeps until a job ends, and asks nobody."""

    def __init__(self, ends_at: float) -> None:
        super().__init__()
        self.ends_at = ends_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"ends_at": self.ends_at}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep, then fire."""
        await asyncio.sleep(self.ends_at - time.time())
        yield TriggerEvent(True)
