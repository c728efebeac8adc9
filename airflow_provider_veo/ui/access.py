"""Who may see what: Airflow's own rules for task instances, Dag by Dag."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.dag import DagModel
from sqlalchemy.orm import Session

may_read_tasks = requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE)
"""A dependency of routes: refuses those who may not read the task instances of the Dag that the address names, or of
any Dag where it names none; and those who are not logged in."""


def readable(dag_ids: Collection[str], user: Any, session: Session) -> set[str]:
    """Return those of the Dags whose task instances a user may read."""
    manager = get_auth_manager()
    teams = _teams(dag_ids, session)
    return {
        dag_id
        for dag_id in dag_ids
        if manager.is_authorized_dag(
            method="GET",
            access_entity=DagAccessEntity.TASK_INSTANCE,
            details=DagDetails(id=dag_id, team_name=teams.get(dag_id)),
            user=user,
        )
    }


def _teams(dag_ids: Collection[str], session: Session) -> dict[str, str | None]:
    """Return the team of each Dag; Airflow before 3.2 has none."""
    look_up = getattr(DagModel, "get_dag_id_to_team_name_mapping", None)
    return look_up(list(dag_ids), session=session) if look_up and dag_ids else {}
