"""Work in Airflow's database: a few requests of the page at a time, each on one thread. Other requests wait.

Airflow's own routes share the pool of connections and FastAPI's threads with the page. If some requests hold a
connection and wait for a thread, and others hold a thread and wait for a connection, all of them stop.
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


async def run_in_turn(work: Callable[[], T]) -> T:
    """Do the database work of a request on a thread of the page, when it is the turn of the request.

    Args:
        work: The work. It opens one session at a time, only while it reads, and returns a value that needs no session.
    """
    return await anyio.to_thread.run_sync(work, limiter=_THREADS)


def open_session() -> AbstractContextManager[Session]:
    """Return a session that is closed at the end of the block. Its connection goes back to the pool then."""
    return create_session(scoped=False)
