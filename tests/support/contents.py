"""The content of a video, opened as the client does, without the fallback to the job's status."""

from __future__ import annotations

from contextlib import AbstractContextManager

from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.content.locate import ContentStream
from airflow_provider_veo.api.content.source import JobContent


def open_content(
    client: VeoClient, *, video_id: str | None = None, url: str | None = None
) -> AbstractContextManager[ContentStream]:
    """Open the content route of a job, or an address."""
    content = client.content(video_id, url)
    return content.open_route() if isinstance(content, JobContent) else content.open()
