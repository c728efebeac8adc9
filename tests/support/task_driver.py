"""Run a task through all its tries in one process: execute, trigger, resume, retry, clear."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from tests.support.task_state_store import FakeTaskStateStore


@dataclass
class TaskDriver:
    """Run one task instance as worker and triggerer do: `TaskDriver({"prompt": "p"}, retries=1).run()`.

    Attributes:
        arguments: Arguments of the operator.
        retries: Number of retries after the first try.
        operator: Class of the operator.
        name: Task ID.
        store: Task state store of the task; None before Airflow 3.3.
        max_tries: Airflow's counter of this name, which changes with each clear.
        tries: Number of tries so far.
        errors: Errors of the tries that failed.
        xcoms: All XComs that were pushed, in order: key and value.
        fails_afterwards: Number of tries that fail in a step of Airflow after the operator has returned its result.
            Only after all these steps does Airflow record that a task has succeeded.
        forgets: Whether a clear empties the task state store, as on Airflow 3.4.
    """

    arguments: dict[str, Any]
    retries: int = 0
    operator: type[Any] = VeoCreateVideoOperator
    name: str = "t"
    store: FakeTaskStateStore | None = field(default_factory=FakeTaskStateStore)
    max_tries: int = 0
    tries: int = 0
    errors: list[Exception] = field(default_factory=list)
    xcoms: list[tuple[str, Any]] = field(default_factory=list)
    fails_afterwards: int = 0
    forgets: bool = False

    def run(self) -> Any:
        """Try until a result, a permanent failure, or the last try. Return the result or the last error."""
        for _ in range(self.retries + 1):
            self.tries += 1
            try:
                return self.once()
            except AirflowFailException as error:
                self.errors.append(error)
                return error
            except Exception as error:  # noqa: BLE001 - Airflow retries after any error
                self.errors.append(error)
        return self.errors[-1]

    def once(self) -> Any:
        """Run one try, as worker, triggerer and worker do, and return the result."""
        ti = SimpleNamespace(
            dag_id="d", run_id="r", task_id=self.name, map_index=-1, max_tries=self.max_tries, try_number=self.tries
        )
        xcoms: dict[str, Any] = {}  # of this try
        ti.xcom_pull = lambda task_ids, key, map_indexes: xcoms.get(key)

        def push(key: str, value: Any) -> None:
            xcoms[key] = json.loads(json.dumps(value))
            self.xcoms.append((key, xcoms[key]))

        ti.xcom_push = push
        ti.get_task_states = lambda **_: {ti.run_id: {ti.task_id: "success"}}
        context = {"ti": ti} | ({} if self.store is None else {"task_state_store": self.store})
        method = "execute"
        arguments: dict[str, Any] = {}
        while True:
            # Airflow makes the operator anew when a task resumes
            operator = self.operator(task_id=self.name, **self.arguments)
            try:
                result = getattr(operator, method)(dict(context), **arguments)
            except TaskDeferred as deferred:
                method = deferred.method_name
                arguments = {"event": asyncio.run(_first_event(deferred.trigger))}
            else:
                self._finish(operator, context)
                return result

    def _finish(self, operator: Any, context: dict[str, Any]) -> None:
        if self.fails_afterwards:
            self.fails_afterwards -= 1
            raise RuntimeError("the template of the task's name is wrong")
        for callback in operator.on_success_callback:
            callback(context)

    def clear(self) -> TaskDriver:
        """Do what Airflow does when a user clears the task."""
        self.max_tries = self.tries + self.retries
        if self.forgets and self.store:
            self.store.values.clear()
        return self


async def _first_event(trigger: Any) -> Any:
    """Run a trigger as a triggerer does: from its serialized form, until its first event."""
    path, kwargs = trigger.serialize()
    assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    async for event in type(trigger)(**json.loads(json.dumps(kwargs))).run():
        return event.payload
    raise AssertionError("the trigger ended without an event")
