"""Unit tests have no network: a connection attempt is a failure, wherever it is hidden."""

from __future__ import annotations

import copy
import json
import socket
from types import SimpleNamespace

import hypothesis
import pytest

# a slow machine is no failure
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(self, address):
        raise AssertionError(f"a unit test tried to connect to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


class Store:
    """A task state store in memory, with the interface of Airflow's."""

    def __init__(self):
        self.values = {}
        self.retentions = {}
        self.broken = False

    def get(self, key, default=None):
        self._check()
        return copy.deepcopy(self.values.get(key, default))

    def set(self, key, value, *, retention=None):
        self._check()
        self.values[key] = json.loads(json.dumps(value))
        self.retentions[key] = retention
        assert repr(self.values[key]) == repr(value), "Airflow's store takes JSON values only: no tuples, no enums"

    def _check(self):
        if self.broken:
            raise RuntimeError("the API server is away")


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def context(store):
    """The part of a task's context that the operators use."""
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, max_tries=0, try_number=1, xcoms={})
    ti.xcom_push = lambda key, value: ti.xcoms.update({key: value})
    return {"ti": ti, "task_state_store": store}
