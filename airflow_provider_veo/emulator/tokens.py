"""Access tokens of Google Cloud."""

from __future__ import annotations

import secrets
from typing import Any

from airflow_provider_veo.emulator.jobs import Jobs


class Tokens:
    """The tokens that the token endpoint has given.

    Args:
        jobs: All jobs, with the settings and the clock of the emulator.

    Attributes:
        given: Number of tokens that were given.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._ends: dict[str, float] = {}
        self.given = 0

    def give(self) -> dict[str, Any]:
        """Return a new token, as the token endpoint answers."""
        token, seconds = f"ya29.{secrets.token_urlsafe(24)}", self._jobs.settings.token_seconds
        self._ends[token] = self._jobs.clock() + seconds
        self.given += 1
        return {"access_token": token, "expires_in": int(seconds), "token_type": "Bearer"}

    def takes(self, token: str) -> bool:
        """Return whether a token was given, and is still valid."""
        return self._jobs.clock() < self._ends.get(token, 0.0)

    def expire(self) -> None:
        """Let all tokens expire that were given so far, earlier than was announced."""
        self._ends.clear()
