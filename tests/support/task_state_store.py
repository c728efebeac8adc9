"""A task state store in memory, with the interface of the one that Airflow 3.3 gives to tasks."""

from __future__ import annotations

import copy
import json
from typing import Any


class FakeTaskStateStore:
    """Keeps values in memory, and can fail as a store does whose API server cannot be reached.

    Attributes:
        values: The stored values, by key.
        retentions: The `retention` of the last `set`, by key.
        broken: Names of the methods that raise an error: `get`, `set` or `delete`.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.retentions: dict[str, Any] = {}
        self.broken: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        """Return a copy of a value: a change of it does not reach the store, as with Airflow's."""
        self._check("get")
        return copy.deepcopy(self.values.get(key, default))

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Store a value, after a round trip through JSON."""
        self._check("set")
        stored = json.loads(json.dumps(value))
        assert repr(stored) == repr(value), "Airflow's store takes JSON values only: no tuples, no enums"
        self.values[key], self.retentions[key] = stored, retention

    def delete(self, key: str) -> None:
        """Remove a value, if there is one."""
        self._check("delete")
        self.values.pop(key, None)

    def _check(self, method: str) -> None:
        if method in self.broken:
            raise RuntimeError("the API server is away")
