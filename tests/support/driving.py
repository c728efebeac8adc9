"""Drives a task through its tries in one process: execute, trigger, resume, retry, Clear."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from types import SimpleNamespace

from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_veo.operators.base import mark_delivered
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.version_compat import AIRFLOW_V_3_3_PLUS


class Store:
    """A task state store in memory; `broken` names the calls that fail."""

    def __init__(self):
        self.values = {}
        self.broken = set()

    def get(self, key, default=None):
        if "get" in self.broken:
            raise RuntimeError("the API server is away")
        return self.values.get(key, default)

    def set(self, key, value, *, retention=None):
        if "set" in self.broken:
            raise RuntimeError("the API server is away")
        self.values[key] = json.loads(json.dumps(value))
        assert self.values[key] == value, "Airflow's store takes JSON values only: no tuples"

    def delete(self, key):
        if "delete" in self.broken:
            raise RuntimeError("the API server is away")
        self.values.pop(key, None)


@dataclass
class Driver:
    """One task instance. Airflow writes down that a task has succeeded only after all of its own steps.

    Attributes:
        fails_afterwards: how many tries fail in one of those steps, after the operator has returned its result.
        arguments: of the operator.
        operator: its class.
        retries: after the first try.
    """

    arguments: dict
    retries: int = 0
    operator: type = VeoCreateVideoOperator
    name: str = "t"
    store: Store | None = field(default_factory=Store)
    max_tries: int = 0
    tries: int = 0
    errors: list = field(default_factory=list)
    xcoms: list = field(default_factory=list)
    fails_afterwards: int = 0

    def run(self):
        """Try until there is a result, a permanent failure, or no try left; return the result or the last error."""
        for _ in range(self.retries + 1):
            self.tries += 1
            try:
                return self.once()
            except AirflowFailException as error:
                self.errors.append(error)
                return error
            except Exception as error:  # noqa: BLE001 - Airflow retries whatever it is
                self.errors.append(error)
        return self.errors[-1]

    def once(self):
        """Run one try, as worker, triggerer and worker do."""
        ti = SimpleNamespace(
            dag_id="d", run_id="r", task_id=self.name, map_index=-1, max_tries=self.max_tries, try_number=self.tries
        )
        xcoms = {}  # of this try
        ti.xcom_pull = lambda task_ids, key, map_indexes: xcoms.get(key)

        def push(key, value):
            xcoms[key] = json.loads(json.dumps(value))
            self.xcoms.append((key, xcoms[key]))

        ti.xcom_push = push
        ti.get_task_states = lambda **_: {ti.run_id: {ti.task_id: "success"}}
        context = {"ti": ti} | ({} if self.store is None else {"task_state_store": self.store})
        method, arguments = "execute", {}
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

    def _finish(self, operator, context):
        if self.fails_afterwards:
            self.fails_afterwards -= 1
            raise RuntimeError("the template of the task's name is wrong")
        # before Airflow 3.3 there is no store, and so nobody to tell; this driver has one all the same
        for callback in operator.on_success_callback if AIRFLOW_V_3_3_PLUS else [mark_delivered]:
            callback(context)

    def clear(self):
        """Do what Airflow does when a user clears the task."""
        self.max_tries = self.tries + self.retries
        return self


async def _first_event(trigger):
    """Run a trigger as a triggerer does: from its serialized form, until its first event."""
    path, kwargs = trigger.serialize()
    assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    async for event in type(trigger)(**json.loads(json.dumps(kwargs))).run():
        return event.payload
    raise AssertionError("the trigger ended without an event")
