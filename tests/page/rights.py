"""Airflow's simple auth manager, with rights for single Dags: viewers may not see the Dag `secret`."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager


class RightsByDag(SimpleAuthManager):
    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        if details and details.id == "secret" and user.role == "viewer":
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
