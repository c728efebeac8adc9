"""Tasks whose arguments are checked when the Dag is parsed, and once more before they do anything.

A Dag that cannot work is refused where its author sees it. In the run, the same rules check the values that only the
run knows (templates, results of other tasks, mapped arguments), and those that a subclass or `pre_execute` has set.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from os import PathLike
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator, ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.tasks.arguments import Rule

_KEPT = (Mapping, Sequence, AbstractSet, PathLike, ObjectStoragePath)
"""What a template of a text may be, if it is nothing else: the result of another task. A text is a sequence, too."""

_LATER = "what another task returns"
"""Stands for that while a Dag is parsed, within a dictionary or a list."""


class CheckedTask(BaseOperator):
    """A task that has a rule for each of its arguments. Another class of Airflow's is named after it among the bases.

    Attributes:
        argument_rules: by argument.
        known_in_run: arguments that are not known when the Dag is parsed, whatever their value is then.
    """

    argument_rules: ClassVar[Mapping[str, Rule]] = {}
    known_in_run: ClassVar[Collection[str]] = ()
    _renders_text = False

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Do as Airflow's, and check the arguments that all tasks of the mapped one share.

        Raises:
            InvalidInputError: one of them is wrong.
        """
        made = super().partial(**kwargs)
        dag = made.kwargs.get("dag")
        defaults = getattr(dag, "default_args", None) or {}  # which Airflow looks at in the run only
        cls.check_shared({**defaults, **made.kwargs}, made.kwargs.get("task_id"), _marks_of(dag))
        return made

    @classmethod
    def check_shared(cls, given: Mapping[str, Any], task_id: Any, marks: Iterable[str] = ("",)) -> None:
        """Check arguments of a task that is not made yet.

        Args:
            given: arguments by name; those of Airflow are not looked at.
            task_id: of the task, for the message.
            marks: texts of which one stands in each template; by default each text may be one.

        Raises:
            InvalidInputError: one of them is wrong.
        """
        for name, value in given.items():
            if name in cls.argument_rules and name not in cls.known_in_run:
                cls._checked(name, value, task_id, marks)

    def _check_arguments(self) -> None:
        """Check what is known when the Dag is parsed, and keep it as the task uses it: the end of a constructor.

        Raises:
            InvalidInputError: an argument is wrong.
        """
        if getattr(self, "_BaseOperator__from_mapped", False):
            return  # this is the run already, and an error would not count as permanent here
        marks = _marks_of(self.dag if self.has_dag() else None)
        for name in self.argument_rules:
            if name not in self.known_in_run:
                setattr(self, name, self._checked(name, getattr(self, name), self.task_id, marks))
        try:
            self._check_together()
        except InvalidInputError as error:
            raise InvalidInputError(f"Task {self.task_id!r}: {error}") from None

    def _check_together(self) -> None:
        """Check arguments that depend on each other, as far as they are known when the Dag is parsed."""

    def _settle_arguments(self, names: Iterable[str] | None = None) -> None:
        """Check arguments in the run, and keep them as the task uses them.

        Args:
            names: of the arguments; None for all.

        Raises:
            InvalidInputError: an argument is wrong.
        """
        for name in self.argument_rules if names is None else names:
            setattr(self, name, self.argument_rules[name].settled(name, getattr(self, name), self.task_id))

    def _are_known(self, *names: str) -> bool:
        """Whether arguments are known when the Dag is parsed."""
        marks = _marks_of(self.dag if self.has_dag() else None)
        return not any(_is_later(getattr(self, name), marks) for name in names)

    @classmethod
    def _checked(cls, name: str, value: Any, task_id: Any, marks: Iterable[str]) -> Any:
        """Return an argument of a Dag that is parsed: as the task uses it, or as it is where only the run knows it."""
        rule = cls.argument_rules[name]
        if name not in cls.template_fields:
            return rule.settled(name, value, task_id)
        if _is_later(value, marks):
            return value
        try:
            known = _without_later(value)
        except RecursionError:  # it holds itself, which the rule says better
            known = value
        settled = rule.settled(name, known, task_id)
        return settled if known is value else value

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> None:
        """Render the templates of texts as texts, whatever the Dag says; all others as Airflow does.

        A Dag with `render_template_as_native_obj` reads rendered texts as Python: the prompt "1984" would be a number,
        the id "007" would be 7, and the prompt "3, 2, 1" a tuple.
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
        found = list(_pieces(template, context))
        is_kept = len(found) == 1 and (found[0] is None or isinstance(found[0], _KEPT))
        return found[0] if is_kept else "".join(map(str, found))


def _pieces(template: Any, context: Any) -> Iterator[Any]:
    """Yield what a template is rendered to, piece by piece, as Airflow does: without looking at all of the context."""
    context, environment = copy.copy(context), template.environment
    context.update((name, value) for name, value in template.globals.items() if name not in context)
    try:
        yield from template.root_render_func(
            environment.context_class(environment, context, template.name, template.blocks)
        )
    except Exception:  # noqa: BLE001 - raised anew, with the template's own lines
        environment.handle_exception()


def _marks_of(dag: Any) -> tuple[str, ...]:
    """Return the texts of which one stands in each template; a Dag may have marks of its own."""
    return ("",) if getattr(dag, "jinja_environment_kwargs", None) else ("{{", "{%", "{#")


def _is_later(value: Any, marks: Iterable[str]) -> bool:
    """Whether only the run knows a value: a template, or something that Airflow resolves."""
    if isinstance(value, (str, PathLike, ObjectStoragePath)):
        text = str(value)
        return any(mark in text for mark in marks)
    return callable(value) or (hasattr(value, "resolve") and hasattr(value, "iter_references"))


def _without_later(value: Any) -> Any:
    """Return a value with a text in place of what only the run knows; the value itself where it has nothing such."""
    if isinstance(value, Mapping):
        known = {name: _without_later(one) for name, one in value.items()}
        return value if all(known[name] is value[name] for name in known) else known
    if isinstance(value, (list, tuple)):
        listed = [_without_later(one) for one in value]
        return value if all(new is old for new, old in zip(listed, value, strict=True)) else listed
    return _LATER if _is_later(value, ()) else value
