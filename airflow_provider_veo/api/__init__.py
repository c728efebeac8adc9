"""The video API (`/v1/videos` and its chat call), free of Airflow.

The names of `__all__` are imported when they are first used, so importing one module does not import all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_veo.utils.exports import import_on_use

if TYPE_CHECKING:
    from airflow_provider_veo.api.polling.decision import WaitPolicy
    from airflow_provider_veo.api.polling.outcome import Outcome
    from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
    from airflow_provider_veo.api.video import Video, VideoStatus

__all__ = ["ChatSpec", "Outcome", "Video", "VideoSpec", "VideoStatus", "WaitPolicy"]

__getattr__ = import_on_use(
    __name__,
    {
        "ChatSpec": "airflow_provider_veo.api.specs",
        "Outcome": "airflow_provider_veo.api.polling.outcome",
        "Video": "airflow_provider_veo.api.video",
        "VideoSpec": "airflow_provider_veo.api.specs",
        "VideoStatus": "airflow_provider_veo.api.video",
        "WaitPolicy": "airflow_provider_veo.api.polling.decision",
    },
)
