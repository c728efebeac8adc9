"""The sensor that waits for a video which something else has ordered."""

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
from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import VideoFailedError, VideoTimeoutError
from airflow_provider_veo.api.polling.decision import News, WaitPolicy
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.polling.wait import Wait
from airflow_provider_veo.exceptions import VeoSensorTimeout, as_failure, fail_fast
from airflow_provider_veo.hooks.connection import wait_policy
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.observability.summary import failures_reported, report
from airflow_provider_veo.orders import advice
from airflow_provider_veo.orders.result import VideoResult, video_result
from airflow_provider_veo.tasks import arguments
from airflow_provider_veo.tasks.checked import CheckedTask
from airflow_provider_veo.tasks.deferral import defer


class VeoVideoSensor(CheckedTask, BaseSensorOperator):
    """Waits until a job that something else has ordered is finished: another Dag, a script, the gateway's own console.

    It only reads: the job is never cancelled, whatever happens to the task. A job that ends without a video fails the
    task at once, since asking again cannot help; `soft_fail` skips it instead.

    Args:
        video_id: of the job, or the whole result of a task that has ordered it: `create.output`, also mapped.
        conn_id: the Airflow connection of type `veo`.
        deferrable: wait in the triggerer. By default as `[operators] default_deferrable` says.
        poll_interval: time between two status calls while deferred: seconds, or a `timedelta`. None means
            `[veo] poll_interval`, and without that a schedule that learns from the job's progress.
        kwargs: of Airflow's sensors. `timeout` bounds the wait of one try, and `execution_timeout` shortens it.
            `poke_interval` and `mode` count where the sensor is not deferrable.

    Returns:
        What `VeoCreateVideoOperator` returns of a job: `id`, `status`, `model`, `url`, `size`, `seconds`, `created_at`,
        `completed_at`, `expires_at` and `estimated_cost_usd`. What is not known is None.

    Raises:
        AirflowSensorTimeout: `timeout` has passed.
        VeoFailException: the job ended without a video, or it cannot be asked for; no retry.
        VeoError: a retry may help.
    """

    template_fields: Sequence[str] = ("video_id", "conn_id")
    ui_color = "#e8f0fe"
    argument_rules: ClassVar[Mapping[str, arguments.Rule]] = {
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
        """Wait here, or defer."""
        with failures_reported(context, on_page=False), fail_fast(self.conn_id, advice.of_a_look):
            self._settle_arguments()
            if self.deferrable:
                self._defer(time.time())
            try:
                return super().execute(context)
            except AirflowSensorTimeout as error:
                raise VeoSensorTimeout(self._late()) from error

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after the trigger has fired. Airflow's own part of this turns failures into skips (`soft_fail`)."""
        with failures_reported(context, on_page=False):
            return super().resume_execution(next_method, next_kwargs, context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask for the status once; more often only in reschedule mode, while the server does not answer well."""
        with fail_fast(self.conn_id, advice.of_a_look):
            hook = VeoHook(self.conn_id)
            with hook.get_conn() as client:
                outcome = self._look(client)
            if outcome is None:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._conclude(context, hook, outcome))

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> VideoResult:
        """Take the outcome that the trigger has found."""
        with fail_fast(self.conn_id, advice.of_a_look):
            self._settle_arguments(("video_id", "conn_id"))
            return self._conclude(context, VeoHook(self.conn_id), Outcome.from_event(event))

    def _look(self, client: VeoClient) -> Outcome | None:
        """Return how the job has ended, or None while it is running.

        A rescheduled task forgets the failed calls of the look before. So a look that fails is repeated within the
        look, until the server answers or the failures are enough to give up.
        """
        begun_at = time.time()
        if self._wait is None:
            self._wait = Wait(self._id(), WaitPolicy(begun_at, deadline=math.inf), self._tell)
        give_up_at = begun_at + min(self._wait.policy.failure_budget, self.timeout)
        while True:
            step = self._wait.ask(client.get_video)
            if isinstance(step, Outcome):
                return step
            if not (self.reschedule and self._wait.is_failing) or time.time() >= give_up_at:
                return None
            time.sleep(step)

    def _late(self) -> VideoTimeoutError:
        """Return the error for Airflow's own, which knows neither the job nor how it stands."""
        late = VideoTimeoutError(
            f"Video {self._id()} was not finished within the sensor's timeout of {self.timeout:g} s.",
            video_id=self._id(),
        )
        if self._wait and (last := self._wait.last_error):
            late.reason = last.reason
            late.args = (f"{late.args[0]} Its status could not be learnt any more. Last error: {last}",)
        return late

    def _id(self) -> str:
        return str(self.video_id["id"] if isinstance(self.video_id, Mapping) else self.video_id)

    def _defer(self, now: float) -> NoReturn:
        seconds = self.timeout
        if self.execution_timeout is not None:
            # Airflow 3 does not apply it to the deferral
            seconds = min(seconds, self.execution_timeout.total_seconds())
        policy = wait_policy(now, deadline=now + seconds, poll_interval=self.poll_interval)
        defer(self, self.conn_id, self._id(), policy, cancel_on_kill=False)

    def _tell(self, news: News) -> None:
        self.log.info(news.text)

    def _conclude(self, context: Context, hook: VeoHook, outcome: Outcome) -> VideoResult:
        ordered = self.video_id.get("model") if isinstance(self.video_id, Mapping) else None
        try:
            outcome = hook.settle(outcome.judge_reason(OwnWords.of(ordered, outcome.model)))
            outcome.raise_for_kind()
        except VideoTimeoutError as error:
            raise VeoSensorTimeout(error) from error
        except VideoFailedError as error:
            raise as_failure(error) from None
        self.log.info("Video %s is completed", outcome.video_id)
        result = video_result(hook.restore_url(outcome), ordered or outcome.model, hook.settings.profile)
        made_in = outcome.generation_seconds
        report(
            context,
            {"of": outcome.video_id, "model": result["model"], "generation_seconds": made_in, "polls": outcome.polls},
        )
        return result
