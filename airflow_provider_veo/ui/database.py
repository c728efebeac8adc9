"""The page's work in Airflow's database: a few requests at a time, each on one thread; the others only wait.

Airflow's own routes share its pool of connections and FastAPI's threads. A request that holds a connection while it
waits for a thread, among many that hold a thread while they wait for a connection, stops them all.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

import anyio
from airflow.utils.session import create_session
from sqlalchemy.orm import Session

_THREADS = anyio.CapacityLimiter(4)  # the pool has 15 connections by default

T = TypeVar("T")


async def in_turn(work: Callable[[], T]) -> T:
    """Do all of a request that may need the database on a thread of our own, when it is its turn.

    Args:
        work: opens a `session` for a moment, holds one at a time, and returns what needs none.
    """
    return await anyio.to_thread.run_sync(work, limiter=_THREADS)


def session() -> AbstractContextManager[Session]:
    """Return a session, which is closed at the end of the block, and its connection is the pool's again."""
    return create_session(scoped=False)
