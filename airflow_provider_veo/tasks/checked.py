"""Tasks whose arguments are checked when the Dag is parsed, and again before they do anything.

A Dag that cannot work is refused when it is parsed, so that its author sees the error. In the run, the same rules check
the values that are not known before (templates, results of other tasks, mapped arguments), and those that a subclass or
`pre_execute` has set.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from os import PathLike
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator, ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.tasks.arguments import ArgumentRule

_KEPT = (Mapping, Sequence, AbstractSet, PathLike, ObjectStoragePath)
"""Types that a template of a text may be rendered to, if it consists of one value only: results of other tasks."""

_LATER = "the result of another task"
"""Text that replaces a value of the run in a dictionary or a list while the Dag is parsed."""


class CheckedTask(BaseOperator):
    """A task that has a rule for each of its arguments. Name it before Airflow's classes among the bases of a class.

    Attributes:
        argument_rules: The rule for each argument, by name.
        known_in_run: Names of arguments that only the run knows. They are not checked when the Dag is parsed.
    """

    argument_rules: ClassVar[Mapping[str, ArgumentRule]] = {}
    known_in_run: ClassVar[Collection[str]] = ()
    _renders_text = False

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Do as Airflow's method, and check the arguments that all tasks of the mapped task share.

        Args:
            kwargs: The arguments by name.

        Raises:
            InvalidInputError: An argument is wrong.
        """
        made = super().partial(**kwargs)
        dag = made.kwargs.get("dag")
        defaults = getattr(dag, "default_args", None) or {}  # Airflow applies them in the run only
        cls.check_shared({**defaults, **made.kwargs}, made.kwargs.get("task_id"), _find_marks(dag))
        return made

    @classmethod
    def check_shared(cls, given: Mapping[str, Any], task_id: Any, marks: Iterable[str] = ("",)) -> None:
        """Check the arguments of a task that is not made yet.

        Args:
            given: The arguments by name. Those without a rule are ignored.
            task_id: ID of the task, for the message.
            marks: Texts that mark a template: each template has one of them. By default any text may be a template.

        Raises:
            InvalidInputError: An argument is wrong.
        """
        for name, value in given.items():
            if name in cls.argument_rules and name not in cls.known_in_run:
                cls._check(name, value, task_id, marks)

    def _check_arguments(self) -> None:
        """Check the known arguments when the Dag is parsed, and keep them as the task uses them.

        A constructor calls this at its end.

        Raises:
            InvalidInputError: An argument is wrong.
        """
        if getattr(self, "_BaseOperator__from_mapped", False):
            return  # this is the run of a mapped task, and here an error would not count as permanent
        marks = _find_marks(self.dag if self.has_dag() else None)
        for name in self.argument_rules:
            if name not in self.known_in_run:
                setattr(self, name, self._check(name, getattr(self, name), self.task_id, marks))
        try:
            self._check_together()
        except InvalidInputError as error:
            raise InvalidInputError(f"Task {self.task_id!r}: {error}") from None

    def _check_together(self) -> None:
        """Check arguments that depend on each other, if they are known when the Dag is parsed."""

    def _settle_arguments(self, names: Iterable[str] | None = None) -> None:
        """Check arguments in the run, and keep them as the task uses them.

        Args:
            names: Names of the arguments; None for all.

        Raises:
            InvalidInputError: An argument is wrong.
        """
        for name in self.argument_rules if names is None else names:
            setattr(self, name, self.argument_rules[name].settle(name, getattr(self, name), self.task_id))

    def _are_known(self, *names: str) -> bool:
        """Return whether arguments are known when the Dag is parsed."""
        marks = _find_marks(self.dag if self.has_dag() else None)
        return not any(_is_later(getattr(self, name), marks) for name in names)

    @classmethod
    def _check(cls, name: str, value: Any, task_id: Any, marks: Iterable[str]) -> Any:
        """Return an argument when the Dag is parsed: as the task uses it, or unchanged if only the run knows it."""
        rule = cls.argument_rules[name]
        if name not in cls.template_fields:
            return rule.settle(name, value, task_id)
        if _is_later(value, marks):
            return value
        try:
            known = _replace_later(value)
        except RecursionError:  # the value contains itself; the rule has a better message
            known = value
        settled = rule.settle(name, known, task_id)
        return settled if known is value else value

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> None:
        """Render the templates of text arguments as texts, even in a Dag with native rendering; others as Airflow does.

        A Dag with `render_template_as_native_obj` reads rendered texts as Python: the prompt "1984" would become a
        number, the ID "007" would become 7, and the prompt "3, 2, 1" a tuple.
        """
        for name in template_fields:
            before = self._renders_text
            rule = self.argument_rules.get(name) if parent is self else None
            self._renders_text = rule is not None and rule.is_text
            try:
                super()._do_render_template_fields(parent, [name], *args, **kwargs)
            finally:
                self._renders_text = before

    def _render(self, template: Any, context: Any, dag: Any = None) -> Any:
        if not self._renders_text:
            return super()._render(template, context, dag)
        found = list(_render_parts(template, context))
        is_kept = len(found) == 1 and (found[0] is None or isinstance(found[0], _KEPT))
        return found[0] if is_kept else "".join(map(str, found))


def _render_parts(template: Any, context: Any) -> Iterator[Any]:
    """Yield the rendered parts of a template as Airflow does, without evaluating the whole context."""
    context, environment = copy.copy(context), template.environment
    context.update((name, value) for name, value in template.globals.items() if name not in context)
    try:
        yield from template.root_render_func(
            environment.context_class(environment, context, template.name, template.blocks)
        )
    except Exception:  # noqa: BLE001 - raised again, with the lines of the template
        environment.handle_exception()


def _find_marks(dag: Any) -> tuple[str, ...]:
    """Return the texts that mark a template. A Dag may define other marks; then any text may be a template."""
    return ("",) if getattr(dag, "jinja_environment_kwargs", None) else ("{{", "{%", "{#")


def _is_later(value: Any, marks: Iterable[str]) -> bool:
    """Return whether only the run knows a value: a template, or a reference that Airflow resolves."""
    if isinstance(value, (str, PathLike, ObjectStoragePath)):
        text = str(value)
        return any(mark in text for mark in marks)
    return callable(value) or (hasattr(value, "resolve") and hasattr(value, "iter_references"))


def _replace_later(value: Any) -> Any:
    """Return a value with a text in place of each part that only the run knows; the value itself if there is none."""
    if isinstance(value, Mapping):
        known = {name: _replace_later(one) for name, one in value.items()}
        return value if all(known[name] is value[name] for name in known) else known
    if isinstance(value, (list, tuple)):
        listed = [_replace_later(one) for one in value]
        return value if all(new is old for new, old in zip(listed, value, strict=True)) else listed
    return _LATER if _is_later(value, ()) else value
