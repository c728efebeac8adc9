"""Triggers of the Veo provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_veo.utils.exports import import_on_use

if TYPE_CHECKING:
    from airflow_provider_veo.triggers.video import VeoVideoTrigger

__all__ = ["VeoVideoTrigger"]

__getattr__ = import_on_use(
    __name__,
    {
        "VeoVideoTrigger": "airflow_provider_veo.triggers.video",
    },
)
