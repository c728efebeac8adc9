"""Short-lived tokens, with which some APIs want their requests to be signed."""

from __future__ import annotations

from typing import Protocol


class TokenSource(Protocol):
    """Gives the token of a connection, and renews it. It can be used by many threads at the same time."""

    @property
    def is_fresh(self) -> bool:
        """Whether `get_headers` returns at once, without a request."""
        ...

    @property
    def token(self) -> str | None:
        """The latest token; None before the first one."""
        ...

    def get_headers(self) -> dict[str, str]:
        """Return the headers that hold the token. This may send a request, so it must not run on an event loop.

        Raises:
            VeoError: There is no token.
        """
        ...

    def forget(self, token: str | None) -> None:
        """Let the next call of `get_headers` renew a token that the API has refused.

        Args:
            token: The refused token. If another caller has renewed it since, nothing happens.
        """
        ...
