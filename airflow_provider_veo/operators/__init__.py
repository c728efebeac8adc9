"""Operators of the Veo provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_veo.utils.exports import import_on_use

if TYPE_CHECKING:
    from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
    from airflow_provider_veo.operators.create import VeoCreateVideoOperator
    from airflow_provider_veo.operators.download import VeoDownloadOperator
    from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator

__all__ = [
    "VeoChatCompletionOperator",
    "VeoConcatOperator",
    "VeoCreateVideoOperator",
    "VeoDownloadOperator",
    "VeoExtractFrameOperator",
]

__getattr__ = import_on_use(
    __name__,
    {
        "VeoChatCompletionOperator": "airflow_provider_veo.operators.chat",
        "VeoConcatOperator": "airflow_provider_veo.operators.media",
        "VeoCreateVideoOperator": "airflow_provider_veo.operators.create",
        "VeoDownloadOperator": "airflow_provider_veo.operators.download",
        "VeoExtractFrameOperator": "airflow_provider_veo.operators.media",
    },
)
