"""The Airflow connections by which tasks reach the emulator."""

from __future__ import annotations

import json
from typing import Any


def make_connection(url: str, api_key: str, dialect: str, **extra: Any) -> dict[str, Any]:
    """Return an Airflow connection to the emulator, as a dictionary that can become JSON.

    Args:
        url: Address of the emulator.
        api_key: API key that the emulator accepts.
        dialect: Dialect that it speaks. The backend of the connection is that of the dialect.
        extra: Further fields of the extra, which override those that the dialect needs.
    """
    needed = _find_needed_extra(url, dialect, has_project="project" in extra)
    return {"conn_type": "veo", "host": url, "password": api_key, "extra": needed | extra}


def _find_needed_extra(url: str, dialect: str, *, has_project: bool) -> dict[str, Any]:
    """Return the extra fields without which a connection does not work with a dialect."""
    if dialect == "veo-gateway":
        return {"profile": dialect}  # with the prices of the gateway that the emulator stands in for
    if dialect == "vertex" or (dialect == "gemini" and has_project):
        from airflow_provider_veo.emulator.google_cloud import PROJECT, make_key  # noqa: PLC0415 - needs Starlette

        key = json.dumps(make_key(url))
        return {"backend": dialect, "project": PROJECT, "keyfile_dict": key, "storage_url": url}
    return {"backend": dialect} if dialect in ("gemini", "openrouter") else {}
