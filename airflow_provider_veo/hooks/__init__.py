"""Hooks of the Veo provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_veo.utils.exports import import_on_use

if TYPE_CHECKING:
    from airflow_provider_veo.hooks.connection import wait_policy
    from airflow_provider_veo.hooks.veo import VeoHook
    from airflow_provider_veo.storage.files import StoredVideo

__all__ = ["StoredVideo", "VeoHook", "wait_policy"]

__getattr__ = import_on_use(
    __name__,
    {
        "StoredVideo": "airflow_provider_veo.storage.files",
        "VeoHook": "airflow_provider_veo.hooks.veo",
        "wait_policy": "airflow_provider_veo.hooks.connection",
    },
)
