"""`@task.veo_video`: a function says what to show, and its task makes the video."""

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
from airflow_provider_veo.observability.summary import failures_reported
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.orders import advice

ARGUMENTS_KEY = "veo_arguments"
"""The XCom that keeps what the function has returned while the task is deferred."""

_ARGUMENTS = frozenset(VeoCreateVideoOperator.template_fields)
_NEEDED_AFTERWARDS = ("prompt", "model", "seconds", "destination", "conn_id")


class VeoVideoDecoratedOperator(DecoratedOperator, VeoCreateVideoOperator):
    """A create task whose prompt, and more if it likes, comes from a function.

    The function runs once in each try that orders or looks for its order, on the worker; not when the task resumes
    after the wait. What it returns is used as it is: Airflow renders no template in it. So that a retry recognises
    its order, the function should return the same for the same task instance; where it does not (it asks a language
    model, say), let a task of its own make the prompt. An async function is awaited, in an event loop of its own.

    Args:
        python_callable: returns the prompt, or a dictionary of arguments of `VeoCreateVideoOperator`: `prompt` and
            any other template field of it. It may take the task's context like any `@task` function.
        op_args: of the function.
        op_kwargs: of the function.
        kwargs: see `VeoCreateVideoOperator`.
    """

    custom_operator_name = "@task.veo_video"
    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(name for name in VeoCreateVideoOperator.template_fields if name != "prompt"),
    )
    known_in_run: ClassVar[tuple[str, ...]] = ("prompt",)
    template_fields_renderers = {**DecoratedOperator.template_fields_renderers, "extra_body": "json"}  # noqa: RUF012
    if not hasattr(DecoratedOperator, "xcom_push"):
        xcom_push = None  # Airflow 3.0 asks for it when the work is done, and uses it for nothing

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

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Resume after the trigger has fired."""
        with failures_reported(context):
            self._name_arguments(context)
            self._take(_kept_arguments(context["ti"]))
        return super().execute_complete(context, event)

    def _order_and_wait(self, context: Context) -> dict[str, Any]:
        arguments = arguments_of(self._ask_function(context))
        self._take(arguments)
        self._settle_arguments()
        self._has_own_destination = "destination" in arguments
        context["ti"].xcom_push(key=ARGUMENTS_KEY, value={name: getattr(self, name) for name in _NEEDED_AFTERWARDS})
        return super()._order_and_wait(context)

    def _check_together(self) -> None:
        """Check nothing when the Dag is parsed: the function may return model and frames."""

    def _destination_of_all(self) -> Any:
        return None if self._has_own_destination else super()._destination_of_all()

    def _ask_function(self, context: Context) -> Any:
        self._name_arguments(context)
        found = self.python_callable(*self.op_args, **determine_kwargs(self.python_callable, self.op_args, context))
        return asyncio.run(_awaited(found)) if inspect.isawaitable(found) else found

    def _name_arguments(self, context: Context) -> None:
        """Let `map_index_template` use the names of the function's arguments, as in other tasks made of functions."""
        context_merge(context, self.op_kwargs)

    def _take(self, arguments: Mapping[str, Any]) -> None:
        for name, value in arguments.items():
            setattr(self, name, value)


def arguments_of(returned: Any) -> dict[str, Any]:
    """Return the arguments that a function has returned.

    Raises:
        InvalidInputError: it has returned something else.
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


async def _awaited(returned: Awaitable[Any]) -> Any:
    return await returned


def _kept_arguments(ti: Any) -> dict[str, Any]:
    kept = ti.xcom_pull(task_ids=ti.task_id, key=ARGUMENTS_KEY, map_indexes=ti.map_index)
    if not isinstance(kept, Mapping):
        raise VeoError(f"The XCom {ARGUMENTS_KEY} of this try is gone. {advice.of_a_clear()}")
    return dict(kept)


def veo_video_task(
    python_callable: Callable[..., Any] | None = None, multiple_outputs: bool = False, **kwargs: Any
) -> TaskDecorator:
    """Make a task of a function that returns a prompt: `@task.veo_video(model=...)`.

    Args:
        python_callable: the function; see `VeoVideoDecoratedOperator`.
        multiple_outputs: push each item of the task's result as an XCom of its own, too.
        kwargs: of `VeoCreateVideoOperator`.
    """
    name = kwargs.get("task_id") or getattr(python_callable, "__name__", "@task.veo_video")
    VeoVideoDecoratedOperator.check_shared(kwargs, name)  # mapped tasks are made in the run only
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=VeoVideoDecoratedOperator,
        **kwargs,
    )
