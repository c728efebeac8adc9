"""The interface of all dialects. A dialect decides about the answers of one server; it is pure.

The routes of its protocol are in another module, which a dialect must not import: it needs the extra `emulator`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NoReturn

from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.messages import Call, RefusedError, Reply


class Dialect(ABC):
    """The requests and answers of one server.

    Args:
        settings: Settings of the emulator.

    Attributes:
        name: Name of the dialect on the command line.
    """

    name: ClassVar[str]

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    @abstractmethod
    def find_call(self, method: str, path: str) -> Call | None:
        """Return the kind of a call, for faults; None if no fault is meant for it.

        Args:
            method: Method of the request.
            path: Path of the request.
        """

    def find_pictures(self, fields: Mapping[str, Any]) -> Iterable[str]:  # noqa: ARG002 - most servers take files only
        """Return the addresses of the frames in an order, the first frame first.

        Args:
            fields: JSON object of the order.
        """
        return ()

    @abstractmethod
    def error(self, status: int, message: str, code: str) -> Reply:
        """Return an error in the server's shape."""

    def refuse(self, status: int, message: str, code: str) -> NoReturn:
        """Raise an error in the server's shape."""
        raise RefusedError(self.error(status, message, code))

    def bad_json(self) -> Reply:
        """Return the answer to an order that is not a JSON object."""
        return self.error(400, "The request body is not a JSON object", "invalid_json")

    @abstractmethod
    def bad_picture(self, error: Exception) -> Reply:
        """Return the answer to an order with a frame that cannot be read."""

    @abstractmethod
    def rate_limit(self, seconds: float) -> Reply:
        """Return the answer of a server with too many requests."""

    @abstractmethod
    def server_error(self) -> Reply:
        """Return the answer of a server with an internal error."""

    @abstractmethod
    def no_money(self) -> Reply:
        """Return the answer about an empty account."""
