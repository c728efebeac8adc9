"""The operator that turns a prompt into a video."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar, cast

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import Context, conf

from airflow_provider_veo.api.answers.own_words import OwnWords
from airflow_provider_veo.api.errors import Reason, StorageError, VeoError
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.video import VideoStatus
from airflow_provider_veo.exceptions import fail_fast
from airflow_provider_veo.hooks.connection import DEFAULT_TIMEOUT, choose_poll_interval, wait_policy
from airflow_provider_veo.observability.lineage import describe_stored, hash_prompt
from airflow_provider_veo.observability.page import OutcomeEntry, describe_file, describe_order
from airflow_provider_veo.observability.progress import format_progress
from airflow_provider_veo.observability.tracing import trace_past_step
from airflow_provider_veo.operators.base import OrderingOperator, StoringOperator
from airflow_provider_veo.orders import advice
from airflow_provider_veo.orders.collecting import NotCollected, judge_collecting
from airflow_provider_veo.orders.decision import HandOver
from airflow_provider_veo.orders.order import OnClear, OnUnknownSubmission
from airflow_provider_veo.orders.record import Kept, OrderRecord
from airflow_provider_veo.orders.result import OrderedVideoResult, make_video_result
from airflow_provider_veo.orders.video import JobOrders
from airflow_provider_veo.storage import destinations, salvage
from airflow_provider_veo.storage.delivery import find_unchanged
from airflow_provider_veo.storage.files import StoredVideo
from airflow_provider_veo.storage.frames import FrameSource, load_frame, warn_of_shapes
from airflow_provider_veo.tasks import arguments
from airflow_provider_veo.tasks.deferral import defer, shortest_deferral
from airflow_provider_veo.tasks.run import TaskRun
from airflow_provider_veo.utils.airflow_internals import task_was_given_up
from airflow_provider_veo.utils.task_instance import TaskInstance

_NEEDED_AFTERWARDS = ("prompt", "model", "seconds", "destination", "conn_id", "max_bytes", "sidecar")
"""Arguments that a task needs when it resumes. A fault in another argument must not lose a paid video."""

_CANCEL_TIMEOUT = 4.0
"""Seconds for a cancellation on the worker: Airflow kills the process five seconds after the first signal."""


class VeoCreateVideoOperator(OrderingOperator, StoringOperator):
    """Orders a video, waits for it, and stores it if a destination is given.

    A `deferrable` task holds no worker slot while it waits. All arguments are checked before the order is sent, since
    the order costs money. Constant arguments are checked when the Dag is parsed.

    Args:
        prompt: Text that describes the video.
        model: Name of any model that the server offers. None means the connection's `default_model`, else
            `veo-3.1-fast`.
        first_frame: Picture that the video starts from: a URL, a data URI, a local path, an `ObjectStoragePath`, or the
            output of a `VeoExtractFrameOperator`; JPEG, PNG or WebP of at most 10 MB.
        last_frame: Picture that the video ends in; the same kinds as `first_frame`.
        seconds: Length of the video, for servers that let it be chosen; 8.0 and "8.0" are sent as "8".
        size: Size of the picture, `<width>x<height>` in pixels, for servers that let it be chosen.
        extra_body: Further fields of the request, for servers that take more.
        destination: Place where the video is stored: an absolute path, a URI, or a path relative to `[veo] storage`.
            The job's ID replaces `{video_id}` in it. An existing file is replaced, since this video is new. None stores
            nothing.
        max_bytes: Size of the largest file that is taken, in bytes, 2 GiB by default; None for no limit.
        sidecar: Whether to write the known facts about the stored video into `<name>.json` beside it, with the prompt
            and the hashes of the frames.
        conn_id: ID of the Airflow connection of type `veo`.
        deferrable: Whether to wait in the triggerer. The default is `[operators] default_deferrable`.
        poll_interval: Time between two status calls, in seconds or as a `timedelta`. None means `[veo] poll_interval`;
            without that, the interval adapts to the progress of the job and to earlier jobs.
        timeout: Time that the video may take, in seconds or as a `timedelta`. It counts from the first order, over all
            retries, and a clear starts it anew. `execution_timeout` shortens the wait of one try, deferred or not.
        max_submissions: Number of orders that may make a job until the next clear, 1 or more. A retry replaces a failed
            job.
        on_unknown_submission: Action of a retry after an unknown order, after a crash between order and answer, or a
            lost answer: `fail`, or `resubmit`, which may pay twice.
        on_clear: Action of the first try after a clear, if a paid video is not delivered: `collect` it, or order a
            `new` one, which is charged again. None means `[veo] on_clear`, else `collect`.
        cancel_on_kill: Whether to cancel the job when a user marks or clears the task, if the server can cancel jobs.

    Returns:
        A dictionary of `id`, `status`, `model`, `url`, `size`, `seconds`, `created_at`, `completed_at`, `expires_at`,
        `estimated_cost_usd`, `submissions` and `prompt_sha256`. With a destination also `path`, `bytes`, `sha256` and,
        if there is a sidecar file, `sidecar`. Unknown values are None. Times are UTC in ISO 8601. A try that hands over
        the file of an earlier one returns the same, except for a `url` that may be signed, which is None.

        The task's asset events (`outlets`, also an `AssetAlias`) carry the facts about the stored video, and the Veo
        page of Airflow's UI shows it (Airflow 3.1 and later). While the task waits, and afterwards, its XCom `progress`
        shows the progress of the video, like `processing 42 %` (for a deferred task on Airflow 3.3 and later).

    Raises:
        VeoFailException: The task cannot succeed as it is, so it is not retried.
        VeoError: A retry may help.
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
    argument_rules: ClassVar[Mapping[str, arguments.ArgumentRule]] = {
        **OrderingOperator.argument_rules,
        **StoringOperator.argument_rules,
        "seconds": arguments.LENGTH,
        "size": arguments.SIZE,
        "extra_body": arguments.FURTHER_VIDEO_FIELDS,
        "destination": arguments.PLACE.or_none,
        "deferrable": arguments.FLAG,
        "poll_interval": arguments.SECONDS.or_nothing,
        "cancel_on_kill": arguments.FLAG,
    }
    ui_color = "#e8f0fd"

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
        on_clear: OnClear | None = None,
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
        self.timeout = cast("timedelta", timeout)  # the argument's rule makes it one
        self.max_submissions = max_submissions
        self.on_unknown_submission = on_unknown_submission
        self.on_clear = on_clear
        self.cancel_on_kill = cancel_on_kill
        self._in_flight: tuple[TaskInstance, str] | None = None
        self._check_arguments()

    def execute(self, context: Context) -> dict[str, Any]:
        """Order the video, or find the one that an earlier try has ordered; then wait on the worker, or defer."""
        run = TaskRun(context, self.log)
        with run.reporting_failures(), fail_fast(self.conn_id, self._advise):
            return self._deliver(run, None)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Resume after the trigger has fired."""
        run = TaskRun(context, self.log)
        with run.reporting_failures(), fail_fast(self.conn_id, self._advise):
            outcome = Outcome.from_event(event)
            run.unfinished = _find_unfinished(outcome)
            with self._naming_unfinished(run):
                self._settle_to_resume(run)
            return self._deliver(run, outcome)

    def on_kill(self) -> None:
        """Cancel the job, if a user has stopped the task."""
        if not (self.cancel_on_kill and self._in_flight):
            return
        ti, video_id = self._in_flight

        def cancel() -> None:
            if task_was_given_up(ti):
                self.hook.cancel_video(video_id)

        # Airflow calls this from a signal handler, which may have interrupted a call that the cancellation needs. So
        # never wait for long here.
        thread = threading.Thread(target=cancel, name="veo-cancel", daemon=True)
        thread.start()
        thread.join(_CANCEL_TIMEOUT)

    @contextmanager
    def _naming_unfinished(self, run: TaskRun) -> Iterator[None]:
        """Add to an error of the block how to collect the video that the task has paid for, if there is one."""
        try:
            yield
        except VeoError as error:
            if run.unfinished:
                job = advice.advise_on_job(run.unfinished, self._on_clear_in_messages)
                error.add(advice=f"Video {run.unfinished} of this task is paid for and not collected. {job}")
            raise

    def _advise(self, error: VeoError) -> str:
        return advice.advise_on_order(error, self._on_clear_in_messages)

    def _deliver(self, run: TaskRun, outcome: Outcome | None) -> dict[str, Any]:
        """Return the result of the task.

        Args:
            run: This call of the task.
            outcome: The outcome of the job; None if the task has still to order, or to look for its order.
        """
        while True:
            if outcome is None:
                found = self._order_and_wait(run)
                if isinstance(found, HandOver):
                    return self._hand_over(run, found)
                outcome = found
            result = self._collect(run, outcome)
            if result is not None:
                return result
            outcome = None  # another video takes the place of this one

    def _settle_to_resume(self, run: TaskRun) -> None:  # noqa: ARG002 - the decorator needs it
        """Check the arguments that the task needs to collect a video."""
        self._settle_arguments(_NEEDED_AFTERWARDS)

    def _order_and_wait(self, run: TaskRun) -> Outcome | HandOver:
        """Return the outcome of the job on record, or of a new one; or the stored video of an earlier try.

        Raises:
            TaskDeferred: The task waits in the triggerer.
        """
        run.unfinished = run.store.find_unfinished()
        with self._naming_unfinished(run):
            self._settle_arguments()
            now = time.time()
            spec = self._make_spec()
            self._check_before_order(run)
            order = self._make_order(run.identity, spec, now, spec.hash_frames())
        run.unfinished = None  # from here on the order on record decides
        cost = order.estimated_cost_usd
        profile = self.hook.settings.profile
        run.report_order(describe_order(spec.prompt, spec.model, profile, spec.size, estimated_cost_usd=cost))
        with self.hook.get_conn() as client:
            orders = JobOrders(client, run.store, run.identity, self.log, self._find)
            found = orders.order_or_resume(order, spec)
            if isinstance(found, HandOver):
                return found
            run.unfinished = found.video_id
            if run.ti:
                self._in_flight = run.ti, found.video_id
            if found.job and found.job.status.finished:
                return Outcome.of(found.job)
            deadline = order.deadline(found.record.waiting_since)
            backend = client.settings.backend
            policy = wait_policy(
                found.record.sent_at,
                deadline=deadline,
                poll_interval=self.poll_interval,
                opening=backend.opening,
            )
            if self.deferrable:
                defer(
                    self,
                    self.conn_id,
                    found.video_id,
                    policy,
                    cancel_on_kill=self.cancel_on_kill,
                    model=spec.model,
                    backend=backend.name,
                )
            return client.wait_for_video(found.video_id, policy, run.report_news, spec.own_words)

    def _make_spec(self) -> VideoSpec:
        spec = VideoSpec(
            prompt=self.prompt,
            model=self._model,
            first_frame=load_frame(self.first_frame, "first_frame"),
            last_frame=load_frame(self.last_frame, "last_frame"),
            seconds=self.seconds,
            size=self.size,
            extra_body=self.extra_body or {},
        )
        settings = self.hook.settings
        for warning in settings.check(spec):
            self.log.warning(warning)
        warn_of_shapes(spec, spec.size or settings.profile.size_of(spec.model), self.log)
        return spec

    def _check_before_order(self, run: TaskRun) -> None:
        """Check everything outside the request that the task needs after the order.

        Raises:
            InvalidInputError: The destination, the salvage folder, or an option in Airflow's configuration is wrong.
            StorageError: The destination cannot be written now.
        """
        if self.destination is not None:
            destinations.resolve(self.destination).check_writable()
            salvage.read_salvage_folder()
            self._check_own_place(run)
        choose_poll_interval(self.poll_interval)
        shortest_deferral()

    def _collect(self, run: TaskRun, outcome: Outcome) -> dict[str, Any] | None:
        """Return the result of a task whose job has ended; None if the task is to order another video.

        Args:
            run: This call of the task.
            outcome: The outcome of the job.
        """
        if outcome.reason_in_words:
            outcome = outcome.judge_reason(OwnWords.of(self.prompt, self._model, outcome.model, self.extra_body))
        run.unfinished = _find_unfinished(outcome)
        record = self._read_record(run, outcome)
        if record and record.adopted and _was_cancelled(outcome):
            self.log.info("Video %s was cancelled when this task was cleared; ordering another one", outcome.video_id)
            run.unfinished = None
            return None
        if record:
            trace_past_step(
                "veo.wait_for_video",
                record.sent_at,
                video_id=outcome.video_id,
                polls=outcome.polls,
                status=outcome.status,
            )
        run.show_progress(format_progress(outcome.status, 100.0 if outcome.kind == "completed" else None))
        try:
            outcome, stored = self._fetch(outcome)
        except StorageError as error:
            if record:
                kept = error.kept and _keep(error.kept, outcome, record)  # in the salvage folder
                why = NotCollected.OUR_SIDE
                after = record.as_stored(kept) if kept else record.as_not_collected(why, time.time())
                run.store.write_or_log(after)
            error.add(advice=advice.advise_on_job(outcome.video_id, self._on_clear_in_messages))
            raise
        except Exception as error:
            if judge_collecting(error) is NotCollected.NEVER:
                run.unfinished = None
            if record and self._gives_up(run, record, outcome, error):
                return None
            raise
        if record and stored:
            # at once: if anything fails from here on, the next try hands this file over
            run.store.write_or_log(record.as_stored(_keep(stored, outcome, record)))
        submissions = record.submissions if record else None
        result = self._make_result(run, outcome, stored, submissions, record)
        known = result["cost_usd"]
        charged = result["estimated_cost_usd"] if known is None else known
        run.report_outcome(_describe_outcome(result, outcome, self._proof), charged_usd=charged)
        return result

    def _read_record(self, run: TaskRun, outcome: Outcome) -> OrderRecord | None:
        """Return the record of a job that has ended. A record that cannot be read must not lose the video."""
        try:
            record = run.store.read()
        except VeoError:
            self.log.exception("Video %s: its record cannot be read", outcome.video_id)
            return None
        return record if record and record.video_id == outcome.video_id else None

    def _fetch(self, outcome: Outcome) -> tuple[Outcome, StoredVideo | None]:
        """Return the outcome of a job with its address, and its stored video if the task has a destination."""
        outcome = self.hook.settle(outcome)
        outcome.raise_for_kind()
        self.log.info("Video %s is completed", outcome.video_id)
        outcome = self.hook.restore_url(outcome)
        if self.destination is None:
            return outcome, None
        stored = self.hook.download_video(
            self.destination,
            video_id=outcome.video_id,
            # an existing file is of an earlier run: this video is new, and it was paid for
            if_exists="overwrite",
            max_bytes=self.max_bytes,
        )
        return outcome, stored

    def _gives_up(self, run: TaskRun, record: OrderRecord, outcome: Outcome, error: Exception) -> bool:
        """Write the record of a video that could not be collected, and return whether to order another one now.

        Args:
            run: This call of the task.
            record: The record of the order.
            outcome: The outcome of the job.
            error: The reason why the video could not be collected. Advice is added to it.
        """
        why = judge_collecting(error)
        after = record.as_not_collected(why, time.time(), is_running=outcome.is_running)
        if after != record:
            after = run.store.write_or_log(after)
        if why is not NotCollected.REFUSED:
            return False
        if isinstance(error, VeoError):
            error.add(advice=advice.advise_on_withheld(after, self._on_clear_in_messages))
        if not after.is_given_up:
            return False
        self.log.warning(
            "Video %s is given up: the server has refused it for ten minutes, and again after this task was cleared. "
            "Another one is ordered, which is charged again. %s",
            record.video_id,
            error,
        )
        run.store.write(after.as_lost())  # an order follows, and a later try must not repeat it
        run.unfinished = None
        return True

    def _hand_over(self, run: TaskRun, found: HandOver) -> dict[str, Any]:
        """Return the result of an earlier try that has stored the video and then failed."""
        outcome = Outcome.from_event(found.kept.outcome)
        run.show_progress(format_progress(outcome.status, 100.0))
        get_hook_lineage_collector().add_output_asset(context=self.hook, uri=found.stored.uri)
        result = self._make_result(run, outcome, found.stored, found.kept.submissions, found.record)
        run.report_outcome(_describe_outcome(result, outcome, self._proof))  # the earlier try has reported the charge
        return result

    def _make_result(
        self,
        run: TaskRun,
        outcome: Outcome,
        stored: StoredVideo | None,
        submissions: int | None,
        record: OrderRecord | None,
    ) -> dict[str, Any]:
        """Return the task's result, and announce the stored video to the platform.

        Args:
            run: This call of the task.
            outcome: The outcome of the job.
            stored: The stored video; None if the task stores none.
            submissions: Number of orders that the epoch took; None if it is not known.
            record: The record of the order; None if it is not known.
        """
        result: OrderedVideoResult = {
            **make_video_result(
                outcome,
                self._model,
                self.hook.profile,
                length_was_asked=self.seconds is not None,
                estimated_cost_usd=record.estimated_cost_usd if record else None,
            ),
            "submissions": submissions,
            "prompt_sha256": hash_prompt(self.prompt),
        }
        if stored is None:
            return {**result}
        facts = describe_stored(stored, outcome.video_id, result, run.pass_index)
        frames = record.frames if record else None
        return {**result, **self._announce(run, stored, facts, prompt=self.prompt, frames=frames)}

    def _find(self, video_id: str | None, kept: Kept) -> StoredVideo | None:
        """Return the video that an earlier try has stored, at the destination of this one; None if it is not there."""
        place = destinations.read_target(kept.path)
        if self.destination is None or destinations.find_below(self.destination, place.uri):
            wanted = place
        else:
            wanted = destinations.resolve(self.destination, name=video_id)
        return find_unchanged(place, kept.bytes, kept.sha256, wanted)


def _find_unfinished(outcome: Outcome) -> str | None:
    """Return the ID of a job whose video may still be collected; None if there will be no video."""
    return None if outcome.kind == "failed" or outcome.reason == Reason.NOT_FOUND.value else outcome.video_id


def _keep(stored: StoredVideo, outcome: Outcome, record: OrderRecord) -> Kept:
    return Kept(stored.path, stored.bytes, stored.sha256, outcome.to_event(), record.submissions)


def _describe_outcome(result: Mapping[str, Any], outcome: Outcome, proof: str | None) -> OutcomeEntry:
    """Return the facts about the outcome that the Veo page, the metrics and the log show."""
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
        "cost_usd": result["cost_usd"],
        "submissions": result["submissions"],
    }


def _was_cancelled(outcome: Outcome) -> bool:
    return outcome.status == VideoStatus.CANCELLED.value or outcome.reason == Reason.NOT_FOUND.value
