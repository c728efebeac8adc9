"""Sensors of the Veo provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_veo.utils.exports import import_on_use

if TYPE_CHECKING:
    from airflow_provider_veo.sensors.video import VeoVideoSensor

__all__ = ["VeoVideoSensor"]

__getattr__ = import_on_use(
    __name__,
    {
        "VeoVideoSensor": "airflow_provider_veo.sensors.video",
    },
)
