"""The Dags with tasks of this provider, from Airflow's serialized Dags.

No index leads from XComs to the Dags that have written them, and a database may hold millions of XComs of other Dags.
But every version of a Dag that has task instances is stored, and names the link of this provider at each of our tasks:
at decorated and mapped tasks, at subclasses, and at tasks that a later version has dropped.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy import Text, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from airflow_provider_veo.links.video import VeoVideoLink

READING_SECONDS = 1.0
"""Seconds of a request for serialized Dags that this process has not read yet."""

_BATCH = 50  # versions of Dags that one statement reads
_MARK = f'"{VeoVideoLink().xcom_key}"'
_Version: Any = SerializedDagModel.__table__.c

_seen: dict[Any, tuple[datetime, bool]] = {}
"""Whether a version has tasks of this provider, with the time of its last change, by its id."""


def read_dags_of_provider(session: Session) -> set[str]:
    """Return the IDs of the Dags that have, or had, a task of this provider.

    Each process reads a version once. A Dag with a version that could not be read yet is among them.

    Args:
        session: Session of the database.
    """
    newest_first = _Version.last_updated.desc()
    versions = session.execute(select(_Version.id, _Version.dag_id, _Version.last_updated).order_by(newest_first)).all()
    for gone in _seen.keys() - {version.id for version in versions}:
        _seen.pop(gone, None)
    unread = [version for version in versions if _is_ours(version) is None]
    end = time.monotonic() + READING_SECONDS
    while unread and time.monotonic() < end:
        _read(session, unread[:_BATCH])
        unread = unread[_BATCH:]
    return {version.dag_id for version in versions if _is_ours(version) is not False}


def _is_ours(version: Any) -> bool | None:
    """Return whether a version has tasks of this provider; None if it was not read since its last change."""
    changed_at, is_ours = _seen.get(version.id, (None, False))
    return is_ours if changed_at == version.last_updated else None


def _read(session: Session, versions: Iterable[Any]) -> None:
    changed = {version.id: version.last_updated for version in versions}
    has_mark = sql_cast(_Version.data, Text).contains(_MARK, autoescape=True)
    statement = select(_Version.id, has_mark, _Version.data_compressed).where(_Version.id.in_(changed))
    for version, found, compressed in session.execute(statement):
        is_ours = bool(found) or (compressed is not None and _MARK.encode() in zlib.decompress(compressed))
        _seen[version] = (changed[version], is_ours)
