"""Retry policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_veo.utils.exports import import_on_use

if TYPE_CHECKING:
    from airflow_provider_veo.policies.retry import VeoRetryPolicy

__all__ = ["VeoRetryPolicy"]

__getattr__ = import_on_use(
    __name__,
    {
        "VeoRetryPolicy": "airflow_provider_veo.policies.retry",
    },
)
