"""Check the rights of users, by Airflow's own rules for the task instances of each Dag.

Some auth managers ask a database or a server. So no database session of the page is open while they are asked.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.models.dag import DagModel
from fastapi import HTTPException

from airflow_provider_veo.ui.database import open_session


def require_access(user: Any, dag_id: str | None) -> None:
    """Refuse a user who may not read the task instances of a Dag.

    Args:
        user: User who requests the page.
        dag_id: ID of the Dag; None asks whether the user may read those of any Dag.

    Raises:
        HTTPException: 403: the user may not read them.
    """
    teams = _find_teams([dag_id] if dag_id is not None else [])
    if not _may_read(user, dag_id, teams):
        raise HTTPException(403, "Forbidden")


def select_readable(user: Any, dag_ids: Collection[str]) -> set[str]:
    """Return the Dags whose task instances a user may read."""
    teams = _find_teams(dag_ids)
    return {dag_id for dag_id in dag_ids if _may_read(user, dag_id, teams)}


def _may_read(user: Any, dag_id: str | None, teams: dict[str, str | None]) -> bool:
    return get_auth_manager().is_authorized_dag(
        method="GET",
        access_entity=DagAccessEntity.TASK_INSTANCE,
        details=DagDetails(id=dag_id, team_name=teams.get(dag_id) if dag_id is not None else None),
        user=user,
    )


def _find_teams(dag_ids: Collection[str]) -> dict[str, str | None]:
    """Return the team of each Dag. Airflow before 3.2 has no teams."""
    look_up = getattr(DagModel, "get_dag_id_to_team_name_mapping", None)
    if not look_up or not dag_ids:
        return {}
    with open_session() as session:
        found: dict[str, str | None] = look_up(list(dag_ids), session=session)
        return found
