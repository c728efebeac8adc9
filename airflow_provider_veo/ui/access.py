"""Who may see what: Airflow's own rules for task instances, Dag by Dag.

Some auth managers have a database or a server of their own to ask. So no session is open while they are asked.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.models.dag import DagModel
from fastapi import HTTPException

from airflow_provider_veo.ui.database import session


def require(user: Any, dag_id: str | None) -> None:
    """Refuse those who may not read the task instances of a Dag, or of any Dag where None is named.

    Raises:
        HTTPException: 403.
    """
    teams = _teams([dag_id] if dag_id is not None else [])
    if not _may_read(user, dag_id, teams):
        raise HTTPException(403, "Forbidden")


def readable(user: Any, dag_ids: Collection[str]) -> set[str]:
    """Return those of the Dags whose task instances a user may read."""
    teams = _teams(dag_ids)
    return {dag_id for dag_id in dag_ids if _may_read(user, dag_id, teams)}


def _may_read(user: Any, dag_id: str | None, teams: dict[str, str | None]) -> bool:
    return get_auth_manager().is_authorized_dag(
        method="GET",
        access_entity=DagAccessEntity.TASK_INSTANCE,
        details=DagDetails(id=dag_id, team_name=teams.get(dag_id) if dag_id is not None else None),
        user=user,
    )


def _teams(dag_ids: Collection[str]) -> dict[str, str | None]:
    """Return the team of each Dag; Airflow before 3.2 has none."""
    look_up = getattr(DagModel, "get_dag_id_to_team_name_mapping", None)
    if not look_up or not dag_ids:
        return {}
    with session() as opened:
        found: dict[str, str | None] = look_up(list(dag_ids), session=opened)
        return found
