"""The operator that puts a finished video into storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_veo import storage
from airflow_provider_veo.exceptions import fail_fast
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.operators.base import VeoOperator


class VeoDownloadOperator(VeoOperator):
    """Streams a finished video to a local file or any object storage, checks it, and publishes it in one step.

    Args:
        destination: absolute path, URI such as `s3://conn_id@bucket/key.mp4`, or path relative to `[veo] storage`.
            `{video_id}` in it is filled in, and one that ends in "/" is a folder for `<video_id>.mp4`.
        video_id: of the job, or the whole result of a create task: `create.output`, also mapped. Either this
        url: or the address of the file is needed; or an item of a chat task's result: `.expand(url=chat.output)`.
        if_exists: about a file that is there already: `skip` keeps it, `overwrite` replaces it, `fail` is an error.
        content_timeout: how long to wait for content that lags behind `completed`.
        conn_id: the Airflow connection of type `veo`.

    Returns:
        A dictionary of `video_id`, `path`, `bytes` and `sha256` (None for a file that was kept).

    Raises:
        VeoFailException: the task cannot succeed as it is; no retry.
        VeoError: a retry may help.
    """

    template_fields: Sequence[str] = ("destination", "video_id", "url", "conn_id")
    ui_color = "#e6f4ea"

    def __init__(
        self,
        *,
        destination: storage.Destination,
        video_id: str | Mapping[str, Any] | None = None,
        url: str | Mapping[str, Any] | None = None,
        if_exists: storage.IfExists = "skip",
        content_timeout: timedelta = timedelta(minutes=2),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.video_id = video_id
        self.url = url
        self.if_exists = if_exists
        self.content_timeout = content_timeout

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Store the video."""
        video_id = self.video_id.get("id") if isinstance(self.video_id, Mapping) else self.video_id
        url = self.url.get("url") if isinstance(self.url, Mapping) else self.url
        with fail_fast():
            stored = VeoHook(self.conn_id).download_video(
                self.destination,
                video_id=video_id,
                url=url,
                if_exists=self.if_exists,
                content_timeout=self.content_timeout,
            )
        return {"video_id": video_id, "path": stored.path, "bytes": stored.bytes, "sha256": stored.sha256}
