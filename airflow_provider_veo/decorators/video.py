"""`@task.veo_video`: a function returns the prompt, and its task makes the video."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import (
    Context,
    DecoratedOperator,
    TaskDecorator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_provider_veo.api.errors import InvalidInputError, VeoError
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.orders.decision import HandOver
from airflow_provider_veo.tasks.run import TaskRun

ARGUMENTS_KEY = "veo_arguments"
"""The XCom that keeps the returned arguments of the function while the task is deferred."""

_ARGUMENTS = frozenset(VeoCreateVideoOperator.template_fields)
_NEEDED_AFTERWARDS = ("prompt", "model", "seconds", "destination", "conn_id")


class VeoVideoDecoratedOperator(DecoratedOperator, VeoCreateVideoOperator):
    """A create task that gets its prompt, and optionally other arguments, from a function.

    The function runs once in each try that orders or looks for its order, on the worker; not when the task resumes
    after the wait. Airflow renders no templates in the returned values. A retry recognises its order only if the
    function returns the same values again for the same task instance. If the values differ (the function asks a
    language model, for example), let another task make the prompt. An async function is awaited, in a new event loop.

    Args:
        python_callable: Function that returns the prompt, or a dictionary of arguments of `VeoCreateVideoOperator`:
            `prompt`, and any other template field of this operator. The function may take the task's context like any
            `@task` function.
        op_args: Positional arguments of the function.
        op_kwargs: Keyword arguments of the function.
        kwargs: Further arguments of `VeoCreateVideoOperator`.
    """

    custom_operator_name = "@task.veo_video"
    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(name for name in VeoCreateVideoOperator.template_fields if name != "prompt"),
    )
    known_in_run: ClassVar[tuple[str, ...]] = ("prompt",)
    template_fields_renderers = {**DecoratedOperator.template_fields_renderers, "extra_body": "json"}  # noqa: RUF012
    if not hasattr(DecoratedOperator, "xcom_push"):
        xcom_push = None  # Airflow 3.0 reads the attribute after the task, and does not use it

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Sequence[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if "prompt" in kwargs:
            raise TypeError("@task.veo_video takes no prompt: the function returns it.")
        if inspect.isgeneratorfunction(python_callable) or inspect.isasyncgenfunction(python_callable):
            raise TypeError("The function of @task.veo_video yields: it must return the prompt, or a dictionary.")
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, prompt="", **kwargs)
        self._has_own_destination = False

    def _settle_to_resume(self, run: TaskRun) -> None:
        self._name_arguments(run.context)
        self._take(_read_kept_arguments(run))
        super()._settle_to_resume(run)

    def _order_and_wait(self, run: TaskRun) -> Outcome | HandOver:
        arguments = read_arguments(self._call_function(run.context))
        self._take(arguments)
        self._settle_arguments()
        self._has_own_destination = "destination" in arguments
        run.push_xcom(ARGUMENTS_KEY, {name: getattr(self, name) for name in _NEEDED_AFTERWARDS})
        return super()._order_and_wait(run)

    def _check_together(self) -> None:
        """Check nothing when the Dag is parsed: the function may return model and frames."""

    def _destination_of_all(self) -> Any:
        return None if self._has_own_destination else super()._destination_of_all()

    def _call_function(self, context: Context) -> Any:
        self._name_arguments(context)
        returned = self.python_callable(*self.op_args, **determine_kwargs(self.python_callable, self.op_args, context))
        return asyncio.run(_wait_for(returned)) if inspect.isawaitable(returned) else returned

    def _name_arguments(self, context: Context) -> None:
        """Let `map_index_template` use the names of the function's arguments, as in other tasks made of functions."""
        context_merge(context, self.op_kwargs)

    def _take(self, arguments: Mapping[str, Any]) -> None:
        for name, value in arguments.items():
            setattr(self, name, value)
        vars(self).pop("hook", None)  # the function may have returned another connection


def read_arguments(returned: Any) -> dict[str, Any]:
    """Return the arguments that a function has returned.

    Args:
        returned: The returned value: the prompt, or a dictionary of arguments.

    Raises:
        InvalidInputError: The value is neither a prompt nor a dictionary of valid arguments.
    """
    if isinstance(returned, str):
        return {"prompt": returned}
    if not isinstance(returned, Mapping):
        raise InvalidInputError(
            f"The function of @task.veo_video returned {type(returned).__name__}; it must return the prompt (str) or a "
            "dictionary of arguments of VeoCreateVideoOperator."
        )
    unknown = sorted(str(name) for name in returned if name not in _ARGUMENTS)
    if unknown or "prompt" not in returned:
        wrong = f"unknown: {', '.join(unknown)}" if unknown else "prompt is missing"
        raise InvalidInputError(
            f"The function of @task.veo_video returned a dictionary with wrong arguments ({wrong}). "
            f"It must have prompt, and may have {', '.join(sorted(_ARGUMENTS - {'prompt'}))}."
        )
    return dict(returned)


async def _wait_for(returned: Awaitable[Any]) -> Any:
    return await returned


def _read_kept_arguments(run: TaskRun) -> dict[str, Any]:
    kept = run.pull_xcom(ARGUMENTS_KEY)
    if not isinstance(kept, Mapping):
        raise VeoError(f"The XCom {ARGUMENTS_KEY} of this try is gone.")
    return dict(kept)


def veo_video_task(
    python_callable: Callable[..., Any] | None = None, multiple_outputs: bool = False, **kwargs: Any
) -> TaskDecorator:
    """Make a task of a function that returns a prompt: `@task.veo_video(model=...)`.

    Args:
        python_callable: Function that returns the prompt, or a dictionary of arguments.
        multiple_outputs: Whether to push each item of the task's result as a separate XCom, too.
        kwargs: Further arguments of `VeoCreateVideoOperator`.
    """
    name = kwargs.get("task_id") or getattr(python_callable, "__name__", "@task.veo_video")
    VeoVideoDecoratedOperator.check_shared(kwargs, name)  # Airflow makes mapped tasks in the run only
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=VeoVideoDecoratedOperator,
        **kwargs,
    )
