"""The operator that turns a prompt into a video."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context, conf

from airflow_provider_veo import storage
from airflow_provider_veo.api.models import CARD
from airflow_provider_veo.api.polling import Outcome, WaitPolicy
from airflow_provider_veo.api.requests import VideoSpec
from airflow_provider_veo.exceptions import fail_fast
from airflow_provider_veo.frames import FrameSource, load_frame
from airflow_provider_veo.hooks.veo import DEFAULT_TIMEOUT, VeoHook, wait_policy
from airflow_provider_veo.triggers.video import VeoVideoTrigger

_DEFER_MARGIN = 60.0
"""Seconds that Airflow's own deferral timeout comes after the trigger's: it is only the net below."""


class VeoCreateVideoOperator(BaseOperator):
    """Orders a video, waits for it, and stores it when a destination is given.

    While it waits it holds no worker slot, if `deferrable`. Everything is checked before the order is placed, since
    the order is what costs money.

    Args:
        prompt: what to show.
        model: free string. None means the connection's `default_model`, else `veo-3.1-fast`.
        first_frame: picture to start from: URL, data URI, local path or `ObjectStoragePath`; JPEG, PNG or WebP of at
            most 10 MB.
        last_frame: picture to end in.
        seconds: length, for servers that let it be chosen.
        size: `<width>x<height>`, for servers that let it be chosen.
        extra_body: further fields of the request, for servers that take more.
        destination: where to store the video: absolute path, URI, or path relative to `[veo] storage`; `{video_id}`
            in it is filled in. None stores nothing.
        conn_id: the Airflow connection of type `veo`.
        deferrable: wait in the triggerer. By default as `[operators] default_deferrable` says.
        poll_interval: seconds between two status calls. None means `[veo] poll_interval`.
        timeout: how long the job may take, from its submission; `execution_timeout` shortens it.

    Returns:
        A dictionary of `id`, `status`, `model`, `url`, `size`, `seconds`, `created_at`, `completed_at`, `expires_at`
        and `estimated_cost_usd`, with `path`, `bytes` and `sha256` when a destination was given. What is not known is
        None. Times are UTC in ISO 8601.

    Raises:
        VeoFailException: the task cannot succeed as it is; no retry.
        VeoError: a retry may help.
    """

    template_fields: Sequence[str] = (
        "prompt",
        "model",
        "first_frame",
        "last_frame",
        "seconds",
        "size",
        "extra_body",
        "destination",
        "conn_id",
    )
    template_fields_renderers = {"prompt": "md", "extra_body": "json"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        prompt: str,
        model: str | None = None,
        first_frame: FrameSource | None = None,
        last_frame: FrameSource | None = None,
        seconds: float | str | None = None,
        size: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        destination: storage.Destination | None = None,
        conn_id: str = VeoHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | None = None,
        timeout: timedelta = DEFAULT_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.model = model
        self.first_frame = first_frame
        self.last_frame = last_frame
        self.seconds = seconds
        self.size = size
        self.extra_body = extra_body
        self.destination = destination
        self.conn_id = conn_id
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Order the video, then wait here or defer."""
        hook = VeoHook(self.conn_id)
        with fail_fast():
            spec = self._spec(hook)
            if self.destination is not None:
                storage.resolve(self.destination)
            submitted_at = time.time()
            video = hook.create_video(spec)
            self.log.info("Video %s ordered from %s (model %s)", video.id, hook.settings.base_url, spec.model)
            policy = self._wait_policy(submitted_at)
            if self.deferrable:
                self._defer(video.id, policy)
            return self._finish(hook, hook.wait_for_video(video.id, policy))

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Resume after the trigger has fired."""
        with fail_fast():
            outcome = Outcome.from_event(event)
            outcome.raise_for_kind()
            return self._finish(VeoHook(self.conn_id), outcome)

    def _spec(self, hook: VeoHook) -> VideoSpec:
        return VideoSpec(
            prompt=self.prompt,
            model=self.model or hook.settings.default_model,
            first_frame=load_frame(self.first_frame, "first_frame"),
            last_frame=load_frame(self.last_frame, "last_frame"),
            seconds=self.seconds,
            size=self.size,
            extra_body=self.extra_body or {},
        )

    def _wait_policy(self, submitted_at: float) -> WaitPolicy:
        limits = [limit for limit in (self.timeout, self.execution_timeout) if limit is not None]
        return wait_policy(submitted_at, timeout=min(limits), poll_interval=self.poll_interval)

    def _defer(self, video_id: str, policy: WaitPolicy) -> None:
        self.defer(
            trigger=VeoVideoTrigger(
                conn_id=self.conn_id,
                video_id=video_id,
                submitted_at=policy.submitted_at,
                deadline=policy.deadline,
                poll_interval=policy.poll_interval,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, policy.deadline - time.time()) + _DEFER_MARGIN),
        )

    def _finish(self, hook: VeoHook, outcome: Outcome) -> dict[str, Any]:
        model = self.model or hook.settings.default_model
        result = video_result(outcome, model, length_was_asked=self.seconds is not None)
        self.log.info("Video %s is completed", outcome.video_id)
        if self.destination is not None:
            # a file of that name is of an earlier run: this video is new, and it was paid for
            stored = hook.download_video(self.destination, video_id=outcome.video_id, if_exists="overwrite")
            result |= {"path": stored.path, "bytes": stored.bytes, "sha256": stored.sha256}
        return result


def video_result(outcome: Outcome, model: str, *, length_was_asked: bool = False) -> dict[str, Any]:
    """Return what the create operator leaves in XCom.

    For a model of the price card, size and length come from the card where the server is silent; and the length even
    where it is not, unless one was asked for: the seed's gateway reports 4 seconds for clips of 8.

    Args:
        outcome: of a completed job.
        model: the one that was ordered; servers answer with other names.
        length_was_asked: the order named the seconds.
    """
    card = CARD.get(model)
    known_seconds = card.seconds if card and not length_was_asked else None
    return {
        "id": outcome.video_id,
        "status": outcome.status,
        "model": model,
        "url": outcome.url,
        "size": outcome.size or (card.size if card else None),
        "seconds": known_seconds or outcome.seconds,
        "created_at": outcome.created_at,
        "completed_at": outcome.completed_at,
        "expires_at": outcome.expires_at,
        "estimated_cost_usd": card.price_usd if card else None,
    }
