"""The operator that turns a prompt into a video."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import Context, conf

from airflow_provider_veo.api.answers.own_words import OwnWords
from airflow_provider_veo.api.errors import Reason, StorageError, VeoError
from airflow_provider_veo.api.polling.decision import News, WaitPolicy
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.specs import VideoSpec, ignored_warnings
from airflow_provider_veo.api.video import VideoStatus
from airflow_provider_veo.exceptions import fail_fast
from airflow_provider_veo.hooks.connection import DEFAULT_TIMEOUT, poll_interval_or_default, wait_policy
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.observability.lineage import describe_stored, hash_prompt
from airflow_provider_veo.observability.page import OutcomeEntry, describe_file, describe_order, publish_order
from airflow_provider_veo.observability.progress import format_progress, format_progress_of
from airflow_provider_veo.observability.summary import conclude, failures_reported
from airflow_provider_veo.observability.tracing import trace_past_step
from airflow_provider_veo.operators.base import OrderingTask, StoringOperator
from airflow_provider_veo.orders import advice
from airflow_provider_veo.orders.result import OrderedVideoResult, video_result
from airflow_provider_veo.orders.submission import (
    Collecting,
    Kept,
    Ledger,
    OnUnknownSubmission,
    Submission,
    collecting_of,
)
from airflow_provider_veo.orders.video import OrderDesk, TaskIdentity
from airflow_provider_veo.storage import destinations, salvage
from airflow_provider_veo.storage.delivery import find_unchanged
from airflow_provider_veo.storage.files import StoredVideo
from airflow_provider_veo.storage.frames import FrameSource, load_frame, warn_of_shapes
from airflow_provider_veo.tasks import arguments
from airflow_provider_veo.tasks.deferral import defer, shortest_deferral
from airflow_provider_veo.utils.airflow_internals import task_was_given_up

_NEEDED_AFTERWARDS = ("prompt", "model", "seconds", "destination", "conn_id", "max_bytes", "sidecar")
"""Arguments that a task needs when it resumes. Nothing else may keep it from a video that was paid for."""

_CANCEL_TIMEOUT = 4.0
"""Seconds for a cancellation on the worker: Airflow kills the process five seconds after it has asked nicely."""


class VeoCreateVideoOperator(OrderingTask, StoringOperator):
    """Orders a video, waits for it, and stores it when a destination is given.

    While it waits it holds no worker slot, if `deferrable`. Everything is checked before the order is placed, since
    the order is what costs money; as much as can be when the Dag is parsed.

    Args:
        prompt: what to show.
        model: free string. None means the connection's `default_model`, else `veo-3.1-fast`.
        first_frame: picture to start from: URL, data URI, local path, `ObjectStoragePath`, or the output of a
            `VeoExtractFrameOperator`; JPEG, PNG or WebP of at most 10 MB.
        last_frame: picture to end in.
        seconds: length, for servers that let it be chosen; 8.0 and "8.0" are sent as "8".
        size: `<width>x<height>`, for servers that let it be chosen.
        extra_body: further fields of the request, for servers that take more.
        destination: where to store the video: absolute path, URI, or path relative to `[veo] storage`; `{video_id}`
            in it is filled in. A file that is there is replaced: the video is new. None stores nothing.
        max_bytes: largest file taken, 2 GiB by default; None for no limit.
        sidecar: also write what is known about the stored video beside it, into `<name>.json`: with the prompt, and
            the hashes of the frames.
        conn_id: the Airflow connection of type `veo`.
        deferrable: wait in the triggerer. By default as `[operators] default_deferrable` says.
        poll_interval: time between two status calls: seconds, or a `timedelta`. None means `[veo] poll_interval`, and
            without that a schedule that learns from the job's progress and from earlier jobs.
        timeout: how long the video may take, from the first submission, over all retries: seconds, or a `timedelta`;
            `execution_timeout` shortens the wait of one try, deferred or not. A Clear starts the time anew.
        max_submissions: orders that may make a job until a Clear, 1 or more: a failed job is replaced by a retry.
        on_unknown_submission: about an order that nobody knows the fate of (a crash between order and answer, a lost
            answer): `fail`, or let a retry `resubmit` it and perhaps pay twice.
        cancel_on_kill: cancel the job when a user marks or clears the task, where the server can.

    Returns:
        A dictionary of `id`, `status`, `model`, `url`, `size`, `seconds`, `created_at`, `completed_at`, `expires_at`,
        `estimated_cost_usd`, `submissions` and `prompt_sha256`; and of `path`, `bytes` and `sha256` (and `sidecar`)
        when a destination was given. What is not known is None. Times are UTC in ISO 8601. A try that hands over what
        an earlier one has stored returns the same, but for a `url` that may be signed: it is None.

        The task's asset events (`outlets`, also an `AssetAlias`) carry what describes the stored video; the Veo page of
        Airflow's UI shows it (Airflow 3.1 and later). While the task waits, and afterwards, its XCom `progress` says
        how far the video is, like `processing 42 %` (from the triggerer: Airflow 3.3 and later).

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
    argument_rules: ClassVar[Mapping[str, arguments.Rule]] = {
        **StoringOperator.argument_rules,
        **OrderingTask.argument_rules,
        "seconds": arguments.LENGTH,
        "size": arguments.SIZE,
        "extra_body": arguments.FURTHER_VIDEO_FIELDS,
        "destination": arguments.PLACE.or_none,
        "deferrable": arguments.FLAG,
        "poll_interval": arguments.SECONDS.or_nothing,
        "cancel_on_kill": arguments.FLAG,
    }
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
        destination: destinations.Destination | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta | None = None,
        timeout: timedelta | float = DEFAULT_TIMEOUT,
        max_submissions: int = 2,
        on_unknown_submission: OnUnknownSubmission = "fail",
        cancel_on_kill: bool = True,
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
        self.deferrable = deferrable
        self.poll_interval: Any = poll_interval
        self.timeout: Any = timeout
        self.max_submissions = max_submissions
        self.on_unknown_submission = on_unknown_submission
        self.cancel_on_kill = cancel_on_kill
        self._in_flight: tuple[Any, str | None] = (None, None)
        self._check_arguments()

    def execute(self, context: Context) -> dict[str, Any]:
        """Order the video, or find the one that an earlier try has ordered; then wait here or defer."""
        with failures_reported(context), fail_fast(self.conn_id, advice.of_an_order):
            return self._order_and_wait(context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Resume after the trigger has fired."""
        with failures_reported(context), fail_fast(self.conn_id, advice.of_an_order):
            self._settle_arguments(_NEEDED_AFTERWARDS)
            return self._conclude(context, Outcome.from_event(event))

    def on_kill(self) -> None:
        """Cancel the job, if it was really a user who stopped the task."""
        ti, video_id = self._in_flight
        if not (self.cancel_on_kill and video_id):
            return

        def cancel() -> None:
            if task_was_given_up(ti):
                VeoHook(self.conn_id).cancel_video(video_id)

        # Airflow calls this from a signal handler, which may have interrupted the very call that it needs: never wait
        # for long here.
        thread = threading.Thread(target=cancel, name="veo-cancel", daemon=True)
        thread.start()
        thread.join(_CANCEL_TIMEOUT)

    def _order_and_wait(self, context: Context) -> dict[str, Any]:
        self._settle_arguments()
        hook, now = VeoHook(self.conn_id), time.time()
        spec = self._spec(hook)
        if self.destination is not None:
            destinations.resolve(self.destination).check_writable()
            salvage.read_salvage_folder()
            self._check_own_place(context)
        poll_interval_or_default(self.poll_interval)
        shortest_deferral()
        who = TaskIdentity.of(context)
        order = self._order(who, spec, now, spec.frame_hashes())
        publish_order(context, describe_order(spec.prompt, spec.model, hook.settings.profile, spec.size))
        with hook.get_conn() as client:
            desk = OrderDesk(client, _ledger(context), who, self.log, self._find)
            submission, found = desk.order_or_resume(order, spec)
            if isinstance(found, StoredVideo):
                return self._hand_over(context, hook, submission, found)
            self._in_flight = (context["ti"], submission.video_id)
            policy = self._wait_policy(submission, now)
            if found and found.status.finished:
                outcome = Outcome.of(found)
            elif self.deferrable:
                video_id, cancel = str(submission.video_id), self.cancel_on_kill
                defer(self, self.conn_id, video_id, policy, cancel_on_kill=cancel, model=spec.model)
            else:
                outcome = client.wait_for_video(str(submission.video_id), policy, self._tell, spec.own_words)
        return self._conclude(context, outcome)

    def _spec(self, hook: VeoHook) -> VideoSpec:
        spec = VideoSpec(
            prompt=self.prompt,
            model=self.model or hook.settings.default_model,
            first_frame=load_frame(self.first_frame, "first_frame"),
            last_frame=load_frame(self.last_frame, "last_frame"),
            seconds=self.seconds,
            size=self.size,
            extra_body=self.extra_body or {},
        )
        profile = hook.settings.profile
        profile.check_frames(spec)
        warn_of_shapes(spec, spec.size or profile.size_of(spec.model), self.log)
        for warning in ignored_warnings(spec):
            self.log.warning(warning)
        return spec

    def _wait_policy(self, submission: Submission, now: float) -> WaitPolicy:
        deadline = submission.waiting_since + self.timeout.total_seconds()
        if self.execution_timeout is not None:
            # Airflow 3 does not apply it to the deferral
            deadline = min(deadline, now + self.execution_timeout.total_seconds())
        return wait_policy(submission.sent_at, deadline=deadline, poll_interval=self.poll_interval)

    def _tell(self, news: News) -> None:
        self.log.info(news.text)
        if news.video:
            self._show(self._in_flight[0], format_progress_of(news.video))

    def _conclude(self, context: Context, outcome: Outcome) -> dict[str, Any]:
        hook = VeoHook(self.conn_id)
        if outcome.reason_in_words:
            model = self.model or hook.settings.default_model
            outcome = outcome.judge_reason(OwnWords.of(self.prompt, model, outcome.model, self.extra_body))
        ledger = _ledger(context)
        record = _record_of(ledger, outcome, self.log)
        if record and record.adopted and _was_cancelled(outcome):
            self.log.info("Video %s was cancelled when this task was cleared; ordering another one", outcome.video_id)
            return self._order_and_wait(context)
        if record:
            trace_past_step(
                "veo.wait_for_video",
                record.sent_at,
                video_id=outcome.video_id,
                polls=outcome.polls,
                status=outcome.status,
            )
        percent = 100.0 if outcome.kind == "completed" else None
        self._show(context.get("ti"), format_progress(outcome.status, percent))
        try:
            outcome, stored = self._collect(hook, outcome)
        except StorageError as error:
            if record:
                kept = error.kept and _kept(error.kept, outcome, record)  # stored from there, even if it is forgotten
                ledger.note(record.stored(kept) if kept else record.after(Collecting.HANDED_OVER, time.time()))
            error.add(advice=advice.to_collect(outcome.video_id))
            raise
        except Exception as error:
            if record and self._is_given_up(ledger, record, outcome, error):
                return self._order_and_wait(context)
            raise
        if record and stored:
            # at once: if anything fails from here on, the next try hands this file over
            ledger.note(record.stored(_kept(stored, outcome, record)))
        submissions = record.submissions if record else None
        result = self._result(context, hook, outcome, stored, submissions, record.frames if record else None)
        conclude(context, _describe_outcome(result, outcome, self._proof), charged_usd=result["estimated_cost_usd"])
        return result

    def _collect(self, hook: VeoHook, outcome: Outcome) -> tuple[Outcome, StoredVideo | None]:
        """Return the outcome of a job with its address, and its stored video where one is wanted."""
        outcome = hook.settle(outcome)
        outcome.raise_for_kind()
        self.log.info("Video %s is completed", outcome.video_id)
        outcome = hook.restore_url(outcome)
        return outcome, None if self.destination is None else self._store(hook, self.destination, outcome)

    def _is_given_up(self, ledger: Ledger, record: Submission, outcome: Outcome, error: Exception) -> bool:
        """Write down what an error says of the video, and say whether to order another one now."""
        now, what = time.time(), collecting_of(error)
        after = record.after(what, now, is_told=outcome.is_running)
        if after != record:
            ledger.note(after)
        if what is not Collecting.REFUSED:
            return False
        if isinstance(error, VeoError):
            error.add(advice=advice.of_a_refusal(after))
        if not after.is_given_up():
            return False
        self.log.warning(
            "Video %s is given up: the server has refused it for ten minutes, and again after this task was cleared. "
            "Another one is ordered, which is charged again. %s",
            record.video_id,
            error,
        )
        ledger.write(after.lost())  # an order follows, which must not be repeated
        return True

    def _hand_over(self, context: Context, hook: VeoHook, record: Submission, stored: StoredVideo) -> dict[str, Any]:
        """Return what an earlier try has stored, and would have returned."""
        assert record.kept is not None
        outcome = Outcome.from_event(record.kept.outcome)
        self._show(context.get("ti"), format_progress(outcome.status, 100.0))
        get_hook_lineage_collector().add_output_asset(context=hook, uri=stored.uri)
        result = self._result(context, hook, outcome, stored, record.kept.submissions, record.frames)
        conclude(context, _describe_outcome(result, outcome, self._proof))  # the earlier try has told the charge
        return result

    def _result(
        self,
        context: Context,
        hook: VeoHook,
        outcome: Outcome,
        stored: StoredVideo | None,
        submissions: int | None,
        frames: Mapping[str, str] | None,
    ) -> dict[str, Any]:
        """Return the task's result, and tell the platform of the stored video."""
        model = self.model or hook.settings.default_model
        result: OrderedVideoResult = {
            **video_result(outcome, model, hook.settings.profile, length_was_asked=self.seconds is not None),
            "submissions": submissions,
            "prompt_sha256": hash_prompt(self.prompt),
        }
        if stored is None:
            return {**result}
        facts = describe_stored(stored, outcome.video_id, result)
        return {**result, **self._tell_platform(context, hook, stored, facts, prompt=self.prompt, frames=frames)}

    def _store(self, hook: VeoHook, destination: destinations.Destination, outcome: Outcome) -> StoredVideo:
        return hook.download_video(
            destination,
            video_id=outcome.video_id,
            # a file of that name is of an earlier run: this video is new, and it was paid for
            if_exists="overwrite",
            max_bytes=self.max_bytes,
        )

    def _find(self, record: Submission) -> StoredVideo | None:
        """Return the video that an earlier try has stored, where this one wants it, or None if it is not there."""
        assert record.kept is not None
        place = destinations.read_target(record.kept.path)
        wanted = place if self.destination is None else destinations.resolve(self.destination, name=record.video_id)
        return find_unchanged(place, record.kept.bytes, record.kept.sha256, wanted)


def _ledger(context: Context) -> Ledger:
    return Ledger(context.get("task_state_store"))


def _record_of(ledger: Ledger, outcome: Outcome, log: Any) -> Submission | None:
    """Return the record of a job that has ended; its loss must not lose the video."""
    try:
        record = ledger.read()
    except VeoError:
        log.exception("Video %s: its record cannot be read", outcome.video_id)
        return None
    return record if record and record.video_id == outcome.video_id else None


def _kept(stored: StoredVideo, outcome: Outcome, record: Submission) -> Kept:
    return Kept(stored.path, stored.bytes, stored.sha256, outcome.to_event(), record.submissions)


def _describe_outcome(result: Mapping[str, Any], outcome: Outcome, proof: str | None) -> OutcomeEntry:
    return {
        **describe_file(result, proof),
        "videos": [outcome.video_id],
        "generation_seconds": outcome.generation_seconds,
        "polls": outcome.polls,
        "model": result["model"],
        "size": result["size"],
        "seconds": result["seconds"],
        "created_at": result["created_at"],
        "completed_at": result["completed_at"],
        "estimated_cost_usd": result["estimated_cost_usd"],
        "submissions": result["submissions"],
    }


def _was_cancelled(outcome: Outcome) -> bool:
    return outcome.status == VideoStatus.CANCELLED.value or outcome.reason == Reason.NOT_FOUND.value
