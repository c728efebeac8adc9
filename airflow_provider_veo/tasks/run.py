"""One call of a task by Airflow: the task instance, the store and the reports, taken from Airflow's context."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, cast

from airflow.providers.common.compat.sdk import Context

from airflow_provider_veo.api.polling.decision import News
from airflow_provider_veo.observability import page, summary
from airflow_provider_veo.observability.keys import PROGRESS_KEY
from airflow_provider_veo.observability.page import OrderEntry, OutcomeEntry
from airflow_provider_veo.observability.progress import format_progress_of
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.store import OrderStore, TaskStateStore
from airflow_provider_veo.utils.task_instance import TaskInstance, TaskLog


class TaskRun:
    """One call of a task by Airflow, with the context that Airflow gives it.

    Args:
        context: Context that Airflow gives to the task.
        log: Logger of the task.
        on_page: Whether the Veo page of Airflow's UI shows the task.
    """

    def __init__(self, context: Context, log: TaskLog, *, on_page: bool = True) -> None:
        self.context = context
        self._log = log
        self._on_page = on_page

    @property
    def ti(self) -> TaskInstance | None:
        """The task instance; None where a test runs the operator without one."""
        return cast("TaskInstance | None", self.context.get("ti"))

    @cached_property
    def identity(self) -> TaskIdentity:
        """The identity of the task instance over all its tries."""
        ti = cast("TaskInstance", self.context["ti"])
        return TaskIdentity.of(ti, self.context.get("dag_run"), self.context.get("task"), self.context.get("loop"))

    @cached_property
    def store(self) -> OrderStore:
        """The store of the task instance's order record."""
        return OrderStore(cast("TaskStateStore | None", self.context.get("task_state_store")))

    @property
    def is_mapped(self) -> bool:
        """Whether the task instance is one of a mapped task, or of a mapped task group."""
        return self.ti is not None and self.ti.map_index >= 0

    @property
    def pass_index(self) -> int | None:
        """Number of the pass of the task loop, from 0; None outside of a loop."""
        return None if self.ti is None else self.identity.pass_index

    def push_xcom(self, key: str, value: Any) -> None:
        """Write an XCom of the task.

        Args:
            key: Name of the XCom.
            value: Value of the XCom, of any JSON type.
        """
        self.context["ti"].xcom_push(key=key, value=value)

    def pull_xcom(self, key: str) -> Any:
        """Return an XCom that the task has written in this try, or None.

        Args:
            key: Name of the XCom.
        """
        ti = cast("TaskInstance", self.context["ti"])
        return ti.xcom_pull(task_ids=ti.task_id, key=key, map_indexes=ti.map_index)

    @property
    def outlet_events(self) -> Any:
        """The asset events of the task, by outlet; None where a test runs the operator without them."""
        return self.context.get("outlet_events")

    @contextmanager
    def reporting_failures(self) -> Iterator[None]:
        """Report an error that ends the task. A task that is skipped, rescheduled or deferred has not failed."""
        with summary.reporting_failures(self.ti, on_page=self._on_page):
            yield

    def report_order(self, entry: OrderEntry) -> None:
        """Show on the Veo page that the task is about to order.

        Args:
            entry: Page entry of the order.
        """
        page.publish_order(self.ti, entry)

    def report_outcome(self, outcome: OutcomeEntry, *, charged_usd: float | None = None) -> None:
        """Report the end of the task: to the task's log, to Airflow's metrics, and on the Veo page.

        Args:
            outcome: Facts about the videos.
            charged_usd: Price of the videos that the server charges now; None if it is not known, or was reported
                with the order.
        """
        report = summary.conclude if self._on_page else summary.report
        report(self.ti, outcome, charged_usd=charged_usd)

    def report_news(self, news: News) -> None:
        """Log news of the job that the task waits for, and show its progress."""
        self._log.info(news.text)
        if news.video:
            self.show_progress(format_progress_of(news.video))

    def show_progress(self, progress: str) -> None:
        """Show the progress of the video, as an XCom of the task. A failure is logged: it must not cost a video.

        Args:
            progress: Text like `processing 42 %`; see `format_progress`.
        """
        if self.ti is None:
            return
        try:
            self.ti.xcom_push(key=PROGRESS_KEY, value=progress)
        except Exception:  # noqa: BLE001 - any error of Airflow's
            self._log.warning("The progress of the video could not be published", exc_info=True)
