"""Work in Airflow's database: a few requests of the page at a time, each on one thread. Other requests wait.

Airflow's own routes share the pool of connections and FastAPI's threads with the page. If some requests hold a
connection and wait for a thread, and others hold a thread and wait for a connection, all of them stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import anyio
from airflow.utils.session import create_session
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

STATEMENT_SECONDS = 2.0
"""Seconds after which the database gives up a statement of the page."""

_THREADS = anyio.CapacityLimiter(4)  # the pool has 15 connections by default
_POSTGRESQL_CANCELLED = "57014"  # query_canceled
_MYSQL_TIMEOUT = 3024  # ER_QUERY_TIMEOUT
_SQLITE_STEPS = 10_000  # of its virtual machine between two looks at the clock: less than a millisecond

T = TypeVar("T")


class TooSlowError(Exception):
    """The database has given up a statement of the page, since it took too long."""


async def run_in_turn(work: Callable[[], T]) -> T:
    """Do the database work of a request on a thread of the page, when it is the turn of the request.

    Args:
        work: The work. It opens one session at a time, only while it reads, and returns a value that needs no session.
    """
    return await anyio.to_thread.run_sync(work, limiter=_THREADS)


@contextmanager
def open_session() -> Iterator[Session]:
    """Open a session that is closed at the end of the block. Its connection goes back to the pool then.

    Raises:
        TooSlowError: A statement in the block has taken longer than `STATEMENT_SECONDS`.
    """
    with _name_timeouts(), create_session(scoped=False) as session, _limit_statements(session):
        yield session


@contextmanager
def attempt(session: Session) -> Iterator[None]:
    """Do a part of the work of a session. The session can be used after a `TooSlowError` in this part.

    Args:
        session: Session of the database.

    Raises:
        TooSlowError: A statement in the block has taken longer than `STATEMENT_SECONDS`.
    """
    # PostgreSQL refuses all further statements of a transaction in which one has failed
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    with _name_timeouts(), session.begin_nested() if is_postgresql else nullcontext():
        yield


@contextmanager
def _name_timeouts() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not _is_timeout(error):
            raise
        raise TooSlowError from error


def _is_timeout(error: DBAPIError) -> bool:
    cause: Any = error.orig
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    number = cause.args[0] if cause is not None and cause.args else None
    return state == _POSTGRESQL_CANCELLED or number in (_MYSQL_TIMEOUT, "interrupted")


def _limit_statements(session: Session) -> AbstractContextManager[None]:
    """Let the database give up each statement of a session after `STATEMENT_SECONDS`."""
    limits = {"postgresql": _limit_postgresql, "mysql": _limit_mysql, "sqlite": _limit_sqlite}
    return limits[session.get_bind().dialect.name](session)


@contextmanager
def _limit_postgresql(session: Session) -> Iterator[None]:
    session.execute(text(f"SET LOCAL statement_timeout = {1000 * STATEMENT_SECONDS:.0f}"))
    yield


@contextmanager
def _limit_mysql(session: Session) -> Iterator[None]:
    session.execute(text(f"SET SESSION max_execution_time = {1000 * STATEMENT_SECONDS:.0f}"))
    try:
        yield
    finally:  # other users of the pool get the same connection
        session.execute(text("SET SESSION max_execution_time = DEFAULT"))


@contextmanager
def _limit_sqlite(session: Session) -> Iterator[None]:
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    end = 0.0

    def start_clock(*_: Any) -> None:
        nonlocal end
        end = time.monotonic() + STATEMENT_SECONDS

    event.listen(connection, "before_cursor_execute", start_clock)
    driver.set_progress_handler(lambda: time.monotonic() > end, _SQLITE_STEPS)
    try:
        yield
    finally:  # other users of the pool get the same connection
        driver.set_progress_handler(None, 0)
