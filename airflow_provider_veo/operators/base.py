"""The parts that the operators of this provider share."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

from airflow_provider_veo.api.content.download import DEFAULT_MAX_BYTES
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec, check_last_frame
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.links.video import VeoVideoLink
from airflow_provider_veo.observability.lineage import (
    StoredFacts,
    announce,
    describe_to_openlineage,
    name_task,
    write_sidecar,
)
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.order import OnUnknownSubmission, Order, make_fingerprint
from airflow_provider_veo.orders.result import FileResult
from airflow_provider_veo.policies.retry import make_default_retry_policy
from airflow_provider_veo.storage import destinations
from airflow_provider_veo.storage.files import StoredVideo
from airflow_provider_veo.storage.frames import FrameSource
from airflow_provider_veo.tasks import arguments
from airflow_provider_veo.tasks.checked import CheckedTask
from airflow_provider_veo.tasks.run import TaskRun
from airflow_provider_veo.utils.airflow_internals import task_has_succeeded
from airflow_provider_veo.utils.task_instance import TaskInstance
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS, AIRFLOW_V_3_3_PLUS

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


log = logging.getLogger(__name__)


class VeoTask(CheckedTask):
    """An operator whose tasks have the link "Video" to the Veo page of Airflow's UI (Airflow 3.1 and later)."""

    operator_extra_links = (VeoVideoLink(),) if AIRFLOW_V_3_1_PLUS else ()
    _placeholder = "{{ ti.map_index }}"
    """Text for a destination that gives each mapped task its own file."""

    def _check_own_place(self, run: TaskRun) -> None:
        """Refuse a destination that all mapped tasks share, and warn of one that all passes of a task loop share.

        Each task would replace the file of another one. In a loop this may be wanted, to keep the last file.

        Args:
            run: This call of the task.

        Raises:
            InvalidInputError: All tasks of a mapped task, or of a mapped task group, have the same destination.
        """
        template = self._destination_of_all() if run.is_mapped or run.pass_index is not None else None
        if not isinstance(template, (str, os.PathLike, ObjectStoragePath)):
            return
        if run.is_mapped and destinations.is_same_for_all(str(template)):
            raise InvalidInputError(
                f"destination {str(template)!r} is the same for all tasks of this mapped task or task group, so each "
                f"task would replace the file of another one. Put {self._placeholder} into it."
            )
        if run.pass_index is not None and destinations.is_same_in_all_passes(str(template)):
            self.log.warning(
                "destination %r is the same in all passes of this task loop, so each pass replaces the file of the "
                "pass before. To keep all files, put {{ loop.index }} into it.",
                str(template),
            )

    def _destination_of_all(self) -> Any:
        """Return the destination that the Dag gives to all mapped tasks; None if it gives none, or one to each task.

        A destination from a mapped task group differs between the tasks; the returned value is not a text then.
        """
        of_dag = self.dag.get_task(self.task_id)  # this task is a copy, and its templates are rendered
        partial = getattr(of_dag, "partial_kwargs", None)  # of a task that is mapped itself
        return partial.get("destination") if partial is not None else getattr(of_dag, "destination", None)


class VeoOperator(VeoTask):
    """An operator with a connection and, on Airflow 3.3+, with `VeoRetryPolicy` unless another policy is given.

    Args:
        conn_id: ID of the Airflow connection of type `veo`.
    """

    argument_rules: ClassVar[Mapping[str, arguments.ArgumentRule]] = {"conn_id": arguments.TEXT}

    def __init__(self, *, conn_id: str = VeoHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        if AIRFLOW_V_3_3_PLUS and self.retry_policy is None:  # no argument and no default_args have set it
            self.retry_policy = make_default_retry_policy()

    @cached_property
    def hook(self) -> VeoHook:
        """The hook of the connection, made at its first use in the run."""
        return VeoHook(self.conn_id)


def mark_delivered(context: Context) -> None:
    """Record that a task has succeeded, so that a clear orders a new video. Airflow calls this after the task.

    Airflow runs success callbacks even if it has refused the success of the task, or has failed the task. So this
    function asks Airflow for the state of the task.

    Args:
        context: Airflow's context of the task.
    """
    run = TaskRun(context, log)
    try:
        record = run.store.read()
        if record and record.has_job and run.ti and task_has_succeeded(run.ti):
            run.store.write_or_log(record.as_delivered())
    except Exception:
        log.warning(
            "The success of this task could not be recorded: a clear of the task collects this video once more, "
            "free of charge, instead of ordering a new one.",
            exc_info=True,
        )


class OrderingOperator(VeoOperator):
    """An operator that orders videos. Its order counts as delivered once the task has succeeded.

    Each subclass takes the arguments below in its own signature, with its own descriptions.
    """

    prompt: str
    model: str | None
    first_frame: FrameSource | None
    last_frame: FrameSource | None
    extra_body: Mapping[str, Any] | None
    timeout: timedelta
    max_submissions: int
    on_unknown_submission: OnUnknownSubmission

    argument_rules: ClassVar[Mapping[str, arguments.ArgumentRule]] = {
        **VeoOperator.argument_rules,
        "prompt": arguments.TEXT,
        "model": arguments.MODEL,
        "first_frame": arguments.PICTURE,
        "last_frame": arguments.PICTURE,
        "timeout": arguments.DURATION,
        "max_submissions": arguments.COUNT,
        "on_unknown_submission": arguments.make_choice_rule(OnUnknownSubmission),
    }

    @property
    def _model(self) -> str:
        """The model that the task orders."""
        return self.model or self.hook.settings.default_model

    def _check_together(self) -> None:
        if self._are_known("first_frame", "last_frame"):
            check_last_frame(has_first=self.first_frame is not None, has_last=self.last_frame is not None)

    if AIRFLOW_V_3_3_PLUS:

        @property
        def on_success_callback(self) -> Sequence[Callable[[Context], Any]]:
            """`mark_delivered`, and then the callbacks of the user, from an argument or from a policy."""
            found: Sequence[Callable[[Context], Any]] = self.__dict__.get("on_success_callback", [])
            return found

        @on_success_callback.setter
        def on_success_callback(self, given: Any) -> None:
            own = list(given) if isinstance(given, Collection) else [given] if given else []
            # under the attribute's own name, so that copies have it, too
            self.__dict__["on_success_callback"] = [mark_delivered, *(one for one in own if one is not mark_delivered)]

    def _make_order(
        self,
        task: TaskIdentity,
        spec: VideoSpec | ChatSpec,
        now: float,
        frames: Mapping[str, str] = MappingProxyType({}),
    ) -> Order:
        """Return the order that the task wants to send in this try.

        Args:
            task: Identity of the task instance.
            spec: Request that the order sends.
            now: Unix time at the start of this try, in seconds.
            frames: SHA-256 of each picture of the request, by argument.
        """
        return Order(
            fingerprint=make_fingerprint(spec, self.conn_id),
            epoch=task.epoch,
            now=now,
            timeout=self.timeout.total_seconds(),
            max_submissions=self.max_submissions,
            on_unknown_submission=self.on_unknown_submission,
            frames=dict(frames),
            execution_timeout=None if self.execution_timeout is None else self.execution_timeout.total_seconds(),
            model=spec.model,
            conn_id=self.conn_id,
            try_number=task.try_number,
            clear_number=task.clear_number,
            retries=task.retries,
        )


class StoringOperator(VeoOperator):
    """An operator that stores a video, and announces it to the rest of the platform.

    Args:
        max_bytes: Size of the largest file that is taken, in bytes, 2 GiB by default; None for no limit.
        sidecar: Whether to write the known facts about the video into `<name>.json` beside it.
    """

    _placeholder = "{video_id} or {{ ti.map_index }}"

    argument_rules: ClassVar[Mapping[str, arguments.ArgumentRule]] = {
        **VeoOperator.argument_rules,
        "max_bytes": arguments.MOST_BYTES,
        "sidecar": arguments.FLAG,
    }

    def __init__(self, *, max_bytes: int | None = DEFAULT_MAX_BYTES, sidecar: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_bytes: Any = max_bytes
        self.sidecar = sidecar
        self._announced: tuple[StoredFacts, str] | None = None
        self._proof: str | None = None  # of the file that this try has stored: for the Veo page, never for the result

    def _announce(self, run: TaskRun, stored: StoredVideo, facts: StoredFacts, **more: Any) -> FileResult:
        """Announce a stored video to the platform, and return the part of the task's result about the file.

        Args:
            run: This call of the task.
            stored: Description of the stored video.
            facts: Facts about the video, as `describe_stored` returns them.
            more: Further facts for the sidecar, as `write_sidecar` takes them.
        """
        result: FileResult = {"path": stored.path, "bytes": stored.bytes, "sha256": stored.sha256}
        if self.sidecar:
            task = name_task(cast("TaskInstance", run.context["ti"]), run.pass_index)
            result["sidecar"] = write_sidecar(stored, facts, task=task, conn_id=self.conn_id, **more)
        announce(run.outlet_events, self.outlets, facts)
        self._announced = facts, self.hook.settings.base_url
        self._proof = stored.proof
        return result

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> OperatorLineage | None:
        """Describe the stored video to OpenLineage, whose listener calls this after the task's success."""
        return describe_to_openlineage(*self._announced) if self._announced else None
