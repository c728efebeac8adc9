"""The operator that stores a finished video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import Context

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.exceptions import fail_fast
from airflow_provider_veo.observability.lineage import describe_stored
from airflow_provider_veo.observability.page import OutcomeEntry, describe_file, name_of_url
from airflow_provider_veo.operators.base import StoringOperator
from airflow_provider_veo.orders import advice
from airflow_provider_veo.storage.delivery import IfExists
from airflow_provider_veo.storage.destinations import Destination
from airflow_provider_veo.tasks import arguments
from airflow_provider_veo.tasks.run import TaskRun


class VeoDownloadOperator(StoringOperator):
    """Stores a finished video in a local file or an object storage.

    The task streams the video, checks it, and publishes it in one step. It resumes a transfer that broke off. The asset
    events of the task (`outlets`, also an `AssetAlias`) carry `video_id`, `uri`, `bytes` and `sha256`. If `video_id` is
    the result of a create task, they also carry `model`, `prompt_sha256`, `size`, `seconds`, `created_at`,
    `completed_at` and `estimated_cost_usd`.

    Args:
        destination: Absolute path, URI such as `s3://conn_id@bucket/key.mp4`, or path relative to `[veo] storage`. The
            task replaces `{video_id}` in it by the id. A destination that ends in "/" is a folder for `<video_id>.mp4`.
        video_id: ID of the job, or the whole result of a create task (`create.output`, also mapped). Give this or
            `url`.
        url: Address of the file, or an item of a chat task's result (`.expand(url=chat.output)`). Give this or
            `video_id`.
        if_exists: Treatment of a file that is at the destination already. `skip` keeps the file if it is this video: a
            whole file, of the size that the server names, with the hash in a create task's result; any other file is an
            error. `overwrite` replaces the file. `fail` treats every file as an error.
        content_timeout: Time to wait for the content of a completed job if it is not there yet, in seconds or as a
            `timedelta`.
        max_bytes: Size in bytes of the largest file that is taken, 2 GiB by default; None for no limit.
        sidecar: Whether to write the facts about the video into `<name>.json` beside it.
        conn_id: ID of the Airflow connection of type `veo`.

    Returns:
        A dictionary of `video_id`, `path`, `bytes`, `sha256` and, if there is a sidecar file, `sidecar`.

    Raises:
        VeoFailException: The task cannot succeed as it is. Airflow does not retry it.
        VeoError: A retry may help.
    """

    template_fields: Sequence[str] = ("destination", "video_id", "url", "conn_id")
    ui_color = "#e6f4eb"
    argument_rules: ClassVar[Mapping[str, arguments.ArgumentRule]] = {
        **StoringOperator.argument_rules,
        "destination": arguments.PLACE,
        "video_id": arguments.JOB.or_nothing,
        "url": arguments.ADDRESS.or_nothing,
        "if_exists": arguments.make_choice_rule(IfExists),
        "content_timeout": arguments.DURATION,
    }

    def __init__(
        self,
        *,
        destination: Destination,
        video_id: str | Mapping[str, Any] | None = None,
        url: str | Mapping[str, Any] | None = None,
        if_exists: IfExists = "skip",
        content_timeout: timedelta | float = timedelta(minutes=2),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.video_id = video_id
        self.url = url
        self.if_exists = if_exists
        self.content_timeout: Any = content_timeout
        self._check_arguments()

    def _check_together(self) -> None:
        if self.video_id is None and self.url is None:
            raise InvalidInputError("Neither video_id nor url is given: there is nothing to download.")

    def execute(self, context: Context) -> dict[str, Any]:
        """Store the video."""
        run = TaskRun(context, self.log)
        with run.reporting_failures(), fail_fast(self.conn_id, advice.advise_on_read):
            self._settle_arguments()
            self._check_own_place(run)
            result = self._store(run)
            run.report_outcome(self._describe_outcome(result))
            return result

    def _store(self, run: TaskRun) -> dict[str, Any]:
        job: Mapping[str, Any] = self.video_id if isinstance(self.video_id, Mapping) else {"id": self.video_id}
        video_id = job.get("id")
        stored = self.hook.download_video(
            self.destination,
            video_id=video_id,
            url=self._url(),
            if_exists=self.if_exists,
            sha256=job.get("sha256"),
            content_timeout=self.content_timeout,
            max_bytes=self.max_bytes,
        )
        facts = describe_stored(stored, video_id, job, run.pass_index)
        return {"video_id": video_id, **self._announce(run, stored, facts)}

    def _url(self) -> str | None:
        return self.url.get("url") if isinstance(self.url, Mapping) else self.url

    def _describe_outcome(self, result: Mapping[str, Any]) -> OutcomeEntry:
        url = self._url()
        return {**describe_file(result, self._proof), "of": name_of_url(url) if url else result["video_id"]}
