"""What the operators of this provider share."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

from airflow_provider_veo.api.content.download import DEFAULT_MAX_BYTES
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec, check_last_frame
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.links.video import VeoVideoLink
from airflow_provider_veo.observability.keys import PROGRESS_KEY
from airflow_provider_veo.observability.lineage import (
    StoredFacts,
    announce,
    describe_to_openlineage,
    name_task,
    write_sidecar,
)
from airflow_provider_veo.orders.result import FileResult
from airflow_provider_veo.orders.submission import Ledger, OnUnknownSubmission, Order, fingerprint_of, seconds_of
from airflow_provider_veo.orders.video import TaskIdentity
from airflow_provider_veo.policies.retry import default_retry_policy
from airflow_provider_veo.storage import destinations
from airflow_provider_veo.storage.files import StoredVideo
from airflow_provider_veo.tasks import arguments
from airflow_provider_veo.tasks.checked import CheckedTask
from airflow_provider_veo.utils.airflow_internals import task_has_succeeded
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS, AIRFLOW_V_3_3_PLUS

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


log = logging.getLogger(__name__)


class VeoTask(CheckedTask):
    """An operator whose tasks the Veo page of Airflow's UI shows: by the link "Video" (Airflow 3.1 and later)."""

    operator_extra_links = (VeoVideoLink(),) if AIRFLOW_V_3_1_PLUS else ()
    _tells_apart = "{{ ti.map_index }}"

    def _check_own_place(self, context: Context) -> None:
        """Refuse one destination for all tasks that are mapped, alone or with their group: they would replace it.

        Raises:
            InvalidInputError: they have one.
        """
        is_mapped = getattr(context.get("ti"), "map_index", -1) >= 0
        template = self._destination_of_all() if is_mapped else None
        if isinstance(template, (str, os.PathLike, ObjectStoragePath)) and destinations.is_same_for_all(str(template)):
            raise InvalidInputError(
                f"destination {str(template)!r} is the same for all tasks that this one is mapped to, alone or with "
                f"its task group, and each would replace the file of another: put {self._tells_apart} into it."
            )

    def _destination_of_all(self) -> Any:
        """Return the destination as the Dag has it; None where there is none, or each mapped task has its own.

        Of an argument that the mapped task group was given it is no text, since it differs.
        """
        of_dag = self.dag.get_task(self.task_id)  # this task is a copy, and its templates are rendered
        partial = getattr(of_dag, "partial_kwargs", None)  # of a task that is mapped itself
        return partial.get("destination") if partial is not None else getattr(of_dag, "destination", None)


class VeoOperator(VeoTask):
    """An operator with a connection and, on Airflow 3.3+, with `VeoRetryPolicy` unless another policy is given.

    Args:
        conn_id: the Airflow connection of type `veo`.
    """

    argument_rules: ClassVar[Mapping[str, arguments.Rule]] = {"conn_id": arguments.TEXT}

    def __init__(self, *, conn_id: str = VeoHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        if AIRFLOW_V_3_3_PLUS and self.retry_policy is None:  # no argument and no default_args have set it
            self.retry_policy = default_retry_policy()

    def _show(self, ti: Any, progress: str) -> None:
        """Say how far the video is; see `format_progress`."""
        if ti is None:
            return
        try:
            ti.xcom_push(key=PROGRESS_KEY, value=progress)
        except Exception:  # it is only for the eye
            self.log.warning("The progress of the video could not be published", exc_info=True)


def mark_delivered(context: Context) -> None:
    """Write down that a task has succeeded, so that a Clear orders a new video: a success callback of Airflow's.

    Airflow runs those even where it has refused the task's success, or failed the task because of it, so it is asked.

    Args:
        context: of the task.
    """
    ledger = Ledger(context.get("task_state_store"))
    try:
        ti: Any = context["ti"]
        record = ledger.read()
        if record and record.has_job and task_has_succeeded(ti):
            ledger.note(record.delivered())
    except Exception:
        log.warning(
            "It could not be written down that this task has succeeded: a Clear of it collects this video once more, "
            "free of charge, instead of ordering a new one.",
            exc_info=True,
        )


class OrderingTask:
    """A task whose order counts as delivered once the task has succeeded: see `mark_delivered`."""

    argument_rules: ClassVar[Mapping[str, arguments.Rule]] = {
        "prompt": arguments.TEXT,
        "model": arguments.MODEL,
        "first_frame": arguments.PICTURE,
        "last_frame": arguments.PICTURE,
        "timeout": arguments.DURATION,
        "max_submissions": arguments.COUNT,
        "on_unknown_submission": arguments.one_of(OnUnknownSubmission),
    }

    def _check_together(self: Any) -> None:
        if self._are_known("first_frame", "last_frame"):
            check_last_frame(has_first=self.first_frame is not None, has_last=self.last_frame is not None)

    if AIRFLOW_V_3_3_PLUS:

        @property
        def on_success_callback(self) -> Sequence[Callable[[Context], Any]]:
            """`mark_delivered` and, after it, the user's own, whether given as an argument or set by a policy."""
            found: Sequence[Callable[[Context], Any]] = self.__dict__.get("on_success_callback", [])
            return found

        @on_success_callback.setter
        def on_success_callback(self, given: Any) -> None:
            own = list(given) if isinstance(given, Collection) else [given] if given else []
            # under the attribute's own name, so that copies have it, too
            self.__dict__["on_success_callback"] = [mark_delivered, *(one for one in own if one is not mark_delivered)]

    def _order(
        self: Any,
        who: TaskIdentity,
        spec: VideoSpec | ChatSpec,
        now: float,
        frames: Mapping[str, str] = MappingProxyType({}),
    ) -> Order:
        """Return the order that the task wants to place now; for the arguments see `Order`."""
        return Order(
            fingerprint=fingerprint_of(spec, self.conn_id),
            epoch=who.epoch,
            now=now,
            timeout=self.timeout.total_seconds(),
            max_submissions=self.max_submissions,
            on_unknown_submission=self.on_unknown_submission,
            frames=dict(frames),
            execution_timeout=seconds_of(self.execution_timeout),
            model=spec.model,
            conn_id=self.conn_id,
            try_number=who.try_number,
            clear_number=who.clear_number,
            retries=who.retries,
        )


class StoringOperator(VeoOperator):
    """An operator that stores a video, and lets the rest of the platform know.

    Args:
        max_bytes: largest file taken, 2 GiB by default; None for no limit.
        sidecar: also write what is known about the video beside it, into `<name>.json`.
    """

    _tells_apart = "{video_id} or {{ ti.map_index }}"

    argument_rules: ClassVar[Mapping[str, arguments.Rule]] = {
        **VeoOperator.argument_rules,
        "max_bytes": arguments.MOST_BYTES,
        "sidecar": arguments.FLAG,
    }

    def __init__(self, *, max_bytes: int | None = DEFAULT_MAX_BYTES, sidecar: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_bytes: Any = max_bytes
        self.sidecar = sidecar
        self._told: tuple[StoredFacts, str] | None = None
        self._proof: str | None = None  # of what this try has stored: for the page's record, never for the result

    def _tell_platform(
        self, context: Context, hook: VeoHook, stored: StoredVideo, facts: StoredFacts, **more: Any
    ) -> FileResult:
        """Tell of a stored video, and return what the task's result says of it.

        Args:
            context: of the task.
            hook: that has stored the video.
            stored: the video.
            facts: see `describe_stored`.
            more: see `write_sidecar`.
        """
        result: FileResult = {"path": stored.path, "bytes": stored.bytes, "sha256": stored.sha256}
        if self.sidecar:
            ti: Any = context["ti"]
            task = name_task(ti)
            result = {**result, "sidecar": write_sidecar(stored, facts, task=task, conn_id=self.conn_id, **more)}
        announce(context, self.outlets, facts)
        self._told = facts, hook.settings.base_url
        self._proof = stored.proof
        return result

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> OperatorLineage | None:
        """Describe the stored video to OpenLineage, whose listener calls this after the task's success."""
        return describe_to_openlineage(*self._told) if self._told else None
