"""Fixtures of the unit tests. They have no network: an attempt to connect fails the test."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import hypothesis
import pytest

from tests.support.scripted_server import connect
from tests.support.task_state_store import FakeTaskStateStore

# a slow machine must not fail a test
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


@pytest.fixture
def gateway(monkeypatch):
    """Make a gateway that cannot be reached the default connection, with the profile `veo-gateway`."""
    connect(monkeypatch, "https://api.example.com")


@pytest.fixture
def store():
    return FakeTaskStateStore()


@pytest.fixture
def context(store):
    """Return the part of a task's context that the operators use."""
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, max_tries=0, try_number=1, xcoms={})
    ti.xcom_push = lambda key, value: ti.xcoms.update({key: value})
    return {"ti": ti, "task_state_store": store}
