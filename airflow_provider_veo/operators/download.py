"""The operator that puts a finished video into storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import Context

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.exceptions import fail_fast
from airflow_provider_veo.observability import page
from airflow_provider_veo.observability.lineage import facts_of
from airflow_provider_veo.observability.page import reference
from airflow_provider_veo.operators.base import StoringOperator
from airflow_provider_veo.orders import advice
from airflow_provider_veo.storage.delivery import IfExists
from airflow_provider_veo.storage.places import Destination
from airflow_provider_veo.tasks import arguments
from airflow_provider_veo.tasks.run import TaskRun


class VeoDownloadOperator(StoringOperator):
    """Streams a finished video to a local file or any object storage, checks it, and publishes it in one step.

    A broken transfer goes on where it broke off. The task's asset events (`outlets`, also an `AssetAlias`) carry
    `video_id`, `uri`, `bytes` and `sha256`, and what a create task's result tells: `model`, `prompt_sha256`, `size`,
    `seconds`, `created_at`, `completed_at` and `estimated_cost_usd`.

    Args:
        destination: absolute path, URI such as `s3://conn_id@bucket/key.mp4`, or path relative to `[veo] storage`.
            `{video_id}` in it is filled in, and one that ends in "/" is a folder for `<video_id>.mp4`.
        video_id: of the job, or the whole result of a create task: `create.output`, also mapped. Either this
        url: or the address of the file is needed; or an item of a chat task's result: `.expand(url=chat.output)`.
        if_exists: about a file that is there already. `skip` keeps it if it is this video, as far as can be known (a
            whole file, of the size that the server names, with the hash that a create task's result holds), and else
            is an error; `overwrite` replaces it; `fail` is an error.
        content_timeout: how long to wait for content that lags behind `completed`: a `timedelta`, or seconds.
        max_bytes: largest file taken, 2 GiB by default; None for no limit.
        sidecar: also write what is known about the video beside it, into `<name>.json`.
        conn_id: the Airflow connection of type `veo`.

    Returns:
        A dictionary of `video_id`, `path`, `bytes`, `sha256` and, if there is one, `sidecar`.

    Raises:
        VeoFailException: the task cannot succeed as it is; no retry.
        VeoError: a retry may help.
    """

    template_fields: Sequence[str] = ("destination", "video_id", "url", "conn_id")
    ui_color = "#e6f4ea"
    argument_rules: ClassVar[Mapping[str, arguments.Rule]] = {
        **StoringOperator.argument_rules,
        "destination": arguments.PLACE,
        "video_id": arguments.JOB.or_nothing,
        "url": arguments.ADDRESS.or_nothing,
        "if_exists": arguments.one_of(IfExists),
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
            run.report_outcome(self._shown(result))
            return result

    def _store(self, run: TaskRun) -> dict[str, Any]:
        job: Mapping[str, Any] = self.video_id if isinstance(self.video_id, Mapping) else {"id": self.video_id}
        video_id = job.get("id")
        stored = self.hook.download_video(
            self.destination,
            video_id=video_id,
            url=self._address(),
            if_exists=self.if_exists,
            sha256=job.get("sha256"),
            content_timeout=self.content_timeout,
            max_bytes=self.max_bytes,
        )
        facts = facts_of(stored, video_id, job)
        return {"video_id": video_id} | self._announce(run, stored, facts)

    def _address(self) -> str | None:
        return self.url.get("url") if isinstance(self.url, Mapping) else self.url

    def _shown(self, result: Mapping[str, Any]) -> dict[str, Any]:
        url = self._address()
        return {"of": reference(url) if url else result["video_id"], **page.stored(result, self._proof)}
