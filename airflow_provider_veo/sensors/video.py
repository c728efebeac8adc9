"""The sensor that waits for a video that another program has ordered."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    conf,
)

from airflow_provider_veo.api.answers.own_words import OwnWords
from airflow_provider_veo.api.errors import VideoFailedError, VideoTimeoutError
from airflow_provider_veo.api.polling.decision import News, WaitPolicy
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.polling.wait import Wait
from airflow_provider_veo.exceptions import VeoSensorTimeout, as_failure, fail_fast
from airflow_provider_veo.hooks.connection import wait_policy
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.orders import advice
from airflow_provider_veo.orders.result import VideoResult, make_video_result
from airflow_provider_veo.tasks import arguments
from airflow_provider_veo.tasks.checked import CheckedTask
from airflow_provider_veo.tasks.deferral import defer
from airflow_provider_veo.tasks.run import TaskRun


class VeoVideoSensor(CheckedTask, BaseSensorOperator):
    """Waits for a job that another Dag, a script or a person has ordered.

    The sensor only reads. It never cancels the job, and it orders nothing. If the job ends without a video, the task
    fails at once, since asking again cannot help. With `soft_fail`, the task is skipped instead.

    Args:
        video_id: ID of the job, or the whole result of a task that has ordered it: `create.output`, also mapped.
        conn_id: ID of the Airflow connection of type `veo`.
        deferrable: Whether to wait in the triggerer. The default is `[operators] default_deferrable`.
        poll_interval: Time between two status calls while deferred, in seconds or as a `timedelta`. None means
            `[veo] poll_interval`; without that, the interval adapts to the progress of the job.
        kwargs: Arguments of Airflow's sensors. `timeout` bounds the wait of one try, and `execution_timeout` shortens
            it. `poke_interval` and `mode` apply to a sensor that is not deferrable.

    Returns:
        The part of `VeoCreateVideoOperator`'s result that describes a job: `id`, `status`, `model`, `url`, `size`,
        `seconds`, `created_at`, `completed_at`, `expires_at` and `estimated_cost_usd`. Unknown values are None.

    Raises:
        AirflowSensorTimeout: `timeout` has passed.
        VeoFailException: The job ended without a video, or its status cannot be read. The task is not retried.
        VeoError: A retry may help.
    """

    template_fields: Sequence[str] = ("video_id", "conn_id")
    ui_color = "#e8f0fe"
    argument_rules: ClassVar[Mapping[str, arguments.ArgumentRule]] = {
        "video_id": arguments.JOB,
        "conn_id": arguments.TEXT,
        "deferrable": arguments.FLAG,
        "poll_interval": arguments.SECONDS.or_nothing,
        "timeout": arguments.SENSOR_TIMEOUT,
    }

    def __init__(
        self,
        *,
        video_id: str | Mapping[str, Any],
        conn_id: str = VeoHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.video_id = video_id
        self.conn_id = conn_id
        self.deferrable = deferrable
        self.poll_interval: Any = poll_interval
        self._wait: Wait | None = None
        self._check_arguments()

    def execute(self, context: Context) -> Any:
        """Wait on the worker, or defer."""
        run = TaskRun(context, self.log, on_page=False)
        with run.reporting_failures(), fail_fast(self.conn_id, advice.advise_on_read):
            self._settle_arguments()
            if self.deferrable:
                self._defer(time.time())
            try:
                return super().execute(context)
            except AirflowSensorTimeout as error:
                raise VeoSensorTimeout(self._make_timeout_error()) from error

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after the trigger has fired. Airflow's own method turns failures into skips (`soft_fail`)."""
        with TaskRun(context, self.log, on_page=False).reporting_failures():
            return super().resume_execution(next_method, next_kwargs, context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask for the status once; more often only in reschedule mode, while the status calls fail."""
        run = TaskRun(context, self.log, on_page=False)
        with fail_fast(self.conn_id, advice.advise_on_read):
            hook = VeoHook(self.conn_id)  # a new one for each poke: the key may change while the sensor waits
            outcome = self._ask(hook)
            if outcome is None:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._conclude(run, hook, outcome))

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> VideoResult:
        """Return the result of the job whose outcome the trigger has found."""
        run = TaskRun(context, self.log, on_page=False)
        with fail_fast(self.conn_id, advice.advise_on_read):
            self._settle_arguments(("video_id", "conn_id"))
            return self._conclude(run, VeoHook(self.conn_id), Outcome.from_event(event))

    def _ask(self, hook: VeoHook) -> Outcome | None:
        """Return the outcome of the job, or None while it is running.

        A task that is rescheduled forgets the failed calls of its last poke. So a failed call is repeated within the
        poke, until the server answers, or the calls have failed for so long that the sensor gives up.
        """
        begun_at = time.time()
        if self._wait is None:
            self._wait = Wait(self._id(), WaitPolicy(begun_at, deadline=math.inf), self._log_news)
        give_up_at = begun_at + min(self._wait.policy.failure_budget, self.timeout)
        with hook.get_conn() as client:
            while True:
                step = self._wait.ask(client.get_video)
                if isinstance(step, Outcome):
                    return step
                if not (self.reschedule and self._wait.is_failing) or time.time() >= give_up_at:
                    return None
                time.sleep(step)

    def _make_timeout_error(self) -> VideoTimeoutError:
        """Return the error that replaces the error of Airflow, which names neither the job nor the reason."""
        late = VideoTimeoutError(
            f"Video {self._id()} was not finished within the sensor's timeout of {self.timeout:g} s.",
            video_id=self._id(),
        )
        if self._wait and (last := self._wait.last_error):
            late.reason = last.reason
            late.args = (f"{late.args[0]} Its status could not be read any more. Last error: {last}",)
        return late

    def _id(self) -> str:
        return str(self.video_id["id"] if isinstance(self.video_id, Mapping) else self.video_id)

    def _defer(self, now: float) -> NoReturn:
        seconds = self.timeout
        if self.execution_timeout is not None:
            # Airflow 3 does not apply the execution timeout to the deferral
            seconds = min(seconds, self.execution_timeout.total_seconds())
        policy = wait_policy(now, deadline=now + seconds, poll_interval=self.poll_interval)
        defer(self, self.conn_id, self._id(), policy, cancel_on_kill=False)

    def _log_news(self, news: News) -> None:
        self.log.info(news.text)

    def _conclude(self, run: TaskRun, hook: VeoHook, outcome: Outcome) -> VideoResult:
        """Return the result of a job that has ended."""
        ordered = self.video_id.get("model") if isinstance(self.video_id, Mapping) else None
        try:
            outcome = hook.settle(outcome.judge_reason(OwnWords.of(ordered, outcome.model)))
            outcome.raise_for_kind()
        except VideoTimeoutError as error:
            raise VeoSensorTimeout(error) from error
        except VideoFailedError as error:
            raise as_failure(error) from None
        self.log.info("Video %s is completed", outcome.video_id)
        result = make_video_result(hook.restore_url(outcome), ordered or outcome.model, hook.profile)
        run.report_outcome(
            {
                "of": outcome.video_id,
                "model": result["model"],
                "generation_seconds": outcome.generation_seconds,
                "polls": outcome.polls,
            }
        )
        return result
