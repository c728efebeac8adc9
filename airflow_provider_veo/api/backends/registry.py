"""All backends by name, and the backend of a host that is certain."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from airflow_provider_veo.api.errors import InvalidInputError

BackendName = Literal["openai", "openrouter", "gemini", "vertex"]
BACKEND_NAMES: tuple[BackendName, ...] = get_args(BackendName)

_BACKENDS_OF_HOSTS: tuple[tuple[re.Pattern[str], BackendName], ...] = (
    (re.compile(r"openrouter\.ai"), "openrouter"),
    (re.compile(r"generativelanguage\.googleapis\.com"), "gemini"),
    (re.compile(r"([a-z0-9-]+-)?aiplatform(\.[a-z]+\.rep)?\.googleapis\.com"), "vertex"),
)


def choose_backend(name: Any, host: str) -> BackendName:
    """Return the name of a connection's backend.

    Args:
        name: Name that the connection gives; None if it gives none.
        host: Host of the connection, or an address; any text.

    Raises:
        InvalidInputError: There is no backend of this name.
    """
    if name is None:
        return _find_backend_of_host(host)
    if name not in BACKEND_NAMES:
        raise InvalidInputError(f"backend is {name!r}; it must be {' or '.join(map(repr, BACKEND_NAMES))}.")
    found: BackendName = name
    return found


def _find_backend_of_host(host: str) -> BackendName:
    with suppress(ValueError):  # the text is not an address
        found = urlsplit(host if "://" in host else f"https://{host}").hostname or ""
        return next((name for pattern, name in _BACKENDS_OF_HOSTS if pattern.fullmatch(found)), "openai")
    return "openai"
