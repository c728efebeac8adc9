"""The operator for the streaming chat call."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, cast

from airflow.providers.common.compat.sdk import Context

from airflow_provider_veo.api.specs import ChatSpec
from airflow_provider_veo.exceptions import fail_fast
from airflow_provider_veo.hooks.connection import DEFAULT_TIMEOUT
from airflow_provider_veo.observability.page import describe_order, name_of_url
from airflow_provider_veo.operators.base import OrderingOperator
from airflow_provider_veo.orders.chat import ChatOrders
from airflow_provider_veo.orders.order import OnClear, OnUnknownSubmission
from airflow_provider_veo.storage.frames import FrameSource, load_chat_frame, warn_of_shapes
from airflow_provider_veo.tasks import arguments
from airflow_provider_veo.tasks.run import TaskRun


class VeoChatCompletionOperator(OrderingOperator):
    """Makes one to four videos by a streaming chat call, on the worker.

    Prefer `VeoCreateVideoOperator`. A chat call holds a worker slot for minutes, and it is charged even if it fails. It
    has no ID, so a video that is lost with its connection cannot be fetched again. Use this operator for gateways and
    models that offer nothing else.

    Videos are recorded as they arrive, and a retry orders only the missing ones.

    Args:
        prompt: Text that describes the videos.
        model: Name of any model that the server offers. None means the connection's `default_model`, else
            `veo-3.1-fast`.
        first_frame: Picture that the videos start from: a URL, a data URI, a local path, an `ObjectStoragePath`, or the
            output of a `VeoExtractFrameOperator`; JPEG, PNG or WebP of at most 10 MB. An http(s) URL is sent as it is,
            and the server fetches the picture.
        last_frame: Picture that the videos end in; the same kinds as `first_frame`.
        n: Number of videos, 1 to 4. Each is charged.
        extra_body: Further fields of the request, for servers that take more.
        conn_id: ID of the Airflow connection of type `veo`.
        timeout: Time that the videos may take, in seconds or as a `timedelta`. It counts from the first call, over all
            retries, and a clear starts it anew.
        max_submissions: Number of calls that this task may make until the next clear, 1 or more.
        on_unknown_submission: Action of a retry after an unknown order, a call to which no answer ever began: `fail`,
            or `resubmit`, which may pay twice.
        on_clear: Action of the first try after a clear, if paid videos are not delivered: `collect` them, or order
            `new` ones, which are charged again. None means `[veo] on_clear`, else `collect`.

    Returns:
        A list of `{"index", "url"}`, with the index from 1. `VeoDownloadOperator.partial(...).expand(url=chat.output)`
        stores the videos.

    Raises:
        VeoFailException: The task cannot succeed as it is, so it is not retried.
        VeoError: A retry may help.
    """

    template_fields: Sequence[str] = (
        "prompt",
        "model",
        "first_frame",
        "last_frame",
        "n",
        "extra_body",
        "conn_id",
    )
    template_fields_renderers = {"prompt": "md", "extra_body": "json"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#fef7e1"
    argument_rules: ClassVar[Mapping[str, arguments.ArgumentRule]] = {
        **OrderingOperator.argument_rules,
        "n": arguments.CHAT_COUNT,
        "extra_body": arguments.FURTHER_CHAT_FIELDS,
    }

    def __init__(
        self,
        *,
        prompt: str,
        model: str | None = None,
        first_frame: FrameSource | None = None,
        last_frame: FrameSource | None = None,
        n: int | str = 1,
        extra_body: Mapping[str, Any] | None = None,
        timeout: timedelta | float = DEFAULT_TIMEOUT,
        max_submissions: int = 2,
        on_unknown_submission: OnUnknownSubmission = "fail",
        on_clear: OnClear | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.model = model
        self.first_frame = first_frame
        self.last_frame = last_frame
        self.n: Any = n
        self.extra_body = extra_body
        self.timeout = cast("timedelta", timeout)  # the argument's rule makes it one
        self.max_submissions = max_submissions
        self.on_unknown_submission = on_unknown_submission
        self.on_clear = on_clear
        self._check_arguments()

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Order the videos that earlier tries have not brought, and return the addresses of all."""
        run = TaskRun(context, self.log)
        with run.reporting_failures(), fail_fast(self.conn_id):
            self._settle_arguments()
            spec = self._make_spec()
            order = self._make_order(run.identity, spec, time.time())
            entry = describe_order(spec.prompt, spec.model, self.hook.settings.profile, videos=spec.n)
            run.report_order(entry)
            with self.hook.get_conn() as client:
                orders = ChatOrders(client, run.store, run.identity, self.log, run.show_progress)
                record = orders.collect(order, spec)
        run.report_outcome(
            {
                "videos": [name_of_url(url) for url in record.urls],
                "model": spec.model,
                "submissions": record.submissions,
                "estimated_cost_usd": entry["estimated_cost_usd"],
            }
        )
        return [{"index": index, "url": url} for index, url in enumerate(record.urls, 1)]

    def _make_spec(self) -> ChatSpec:
        spec = ChatSpec(
            prompt=self.prompt,
            model=self._model,
            first_frame=load_chat_frame(self.first_frame, "first_frame"),
            last_frame=load_chat_frame(self.last_frame, "last_frame"),
            n=self.n,
            extra_body=self.extra_body or {},
        )
        profile = self.hook.settings.profile
        profile.check_frames(spec)
        warn_of_shapes(spec, profile.size_of(spec.model), self.log)
        return spec
