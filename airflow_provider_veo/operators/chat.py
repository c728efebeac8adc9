"""The operator that makes videos by a streaming chat call."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import Context

from airflow_provider_veo.api.specs import ChatSpec
from airflow_provider_veo.exceptions import fail_fast
from airflow_provider_veo.hooks.connection import DEFAULT_TIMEOUT
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.observability.page import describe_order, name_of_url, publish_order
from airflow_provider_veo.observability.summary import conclude, failures_reported
from airflow_provider_veo.operators.base import OrderingTask, VeoOperator
from airflow_provider_veo.orders.chat import ChatDesk
from airflow_provider_veo.orders.submission import Ledger, OnUnknownSubmission
from airflow_provider_veo.orders.video import TaskIdentity
from airflow_provider_veo.storage.frames import FrameSource, load_chat_frame, warn_of_shapes
from airflow_provider_veo.tasks import arguments


class VeoChatCompletionOperator(OrderingTask, VeoOperator):
    """Makes one to four videos by a streaming chat call, on the worker.

    Prefer `VeoCreateVideoOperator`. A chat call holds a worker slot for minutes; it has no id, so a video that is lost
    with its connection cannot be fetched again; and it is charged even if it fails. It is here for gateways and models
    that offer nothing else.

    Videos are recorded as they arrive, and a retry asks for the missing ones only.

    Args:
        prompt: what to show.
        model: free string. None means the connection's `default_model`, else `veo-3.1-fast`.
        first_frame: picture to start from: URL, data URI, local path, `ObjectStoragePath`, or the output of a
            `VeoExtractFrameOperator`; JPEG, PNG or WebP of at most 10 MB. An http(s) URL is
            passed on as it is: the server fetches it.
        last_frame: picture to end in.
        n: how many videos, 1 to 4; each is charged.
        extra_body: further fields of the request.
        conn_id: the Airflow connection of type `veo`.
        timeout: how long the videos may take, from the first call, over all retries: a `timedelta`, or seconds.
        max_submissions: calls that this task may make until a Clear.
        on_unknown_submission: about a call that nobody knows the fate of (no answer ever began): `fail`, or let a
            retry `resubmit` it and perhaps pay twice.

    Returns:
        A list of `{"index", "url"}`, index from 1. `VeoDownloadOperator.partial(...).expand(url=chat.output)` stores
        them.

    Raises:
        VeoFailException: the task cannot succeed as it is; no retry.
        VeoError: a retry may help.
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
    ui_color = "#fef7e0"
    argument_rules: ClassVar[Mapping[str, arguments.Rule]] = {
        **VeoOperator.argument_rules,
        **OrderingTask.argument_rules,
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.model = model
        self.first_frame = first_frame
        self.last_frame = last_frame
        self.n: Any = n
        self.extra_body = extra_body
        self.timeout: Any = timeout
        self.max_submissions = max_submissions
        self.on_unknown_submission = on_unknown_submission
        self._check_arguments()

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Make the videos, or those of them that earlier tries have not brought."""
        ledger = Ledger(context.get("task_state_store"))
        who = TaskIdentity.of(context)
        with failures_reported(context), fail_fast(self.conn_id):
            self._settle_arguments()
            hook = VeoHook(self.conn_id)
            spec = self._spec(hook)
            order = self._order(who, spec, time.time())
            placed = describe_order(spec.prompt, spec.model, hook.settings.profile, videos=spec.n)
            publish_order(context, placed)
            with hook.get_conn() as client:
                desk = ChatDesk(client, ledger, who, self.log, lambda progress: self._show(context["ti"], progress))
                record, urls = desk.collect(order, spec)
        cost = placed["estimated_cost_usd"]
        conclude(
            context,
            {
                "videos": [name_of_url(url) for url in urls],
                "model": spec.model,
                "submissions": record.submissions,
                "estimated_cost_usd": cost,
            },
        )
        return [{"index": index, "url": url} for index, url in enumerate(urls, 1)]

    def _spec(self, hook: VeoHook) -> ChatSpec:
        spec = ChatSpec(
            prompt=self.prompt,
            model=self.model or hook.settings.default_model,
            first_frame=load_chat_frame(self.first_frame, "first_frame"),
            last_frame=load_chat_frame(self.last_frame, "last_frame"),
            n=self.n,
            extra_body=self.extra_body or {},
        )
        profile = hook.settings.profile
        profile.check_frames(spec)
        warn_of_shapes(spec, profile.size_of(spec.model), self.log)
        return spec
