"""Links from Airflow's task view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_veo.utils.exports import import_on_use

if TYPE_CHECKING:
    from airflow_provider_veo.links.video import VeoVideoLink

__all__ = ["VeoVideoLink"]

__getattr__ = import_on_use(
    __name__,
    {
        "VeoVideoLink": "airflow_provider_veo.links.video",
    },
)
