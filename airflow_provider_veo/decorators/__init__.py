"""Decorators of the Veo provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_veo.utils.exports import import_on_use

if TYPE_CHECKING:
    from airflow_provider_veo.decorators.video import VeoVideoDecoratedOperator, veo_video_task

__all__ = ["VeoVideoDecoratedOperator", "veo_video_task"]

__getattr__ = import_on_use(
    __name__,
    {
        "VeoVideoDecoratedOperator": "airflow_provider_veo.decorators.video",
        "veo_video_task": "airflow_provider_veo.decorators.video",
    },
)
