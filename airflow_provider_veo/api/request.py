"""HTTP requests as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FormPart = tuple[str | None, bytes] | tuple[str | None, bytes, str]


@dataclass(frozen=True)
class ApiRequest:
    """An HTTP request to the API.

    Attributes:
        method: HTTP method of the request.
        path: Path below the base URL, with every part quoted.
        json: Body of a JSON request.
        parts: Body of a multipart request: (field name, (file name or None, bytes[, media type])).
        headers: Headers besides those of every request.
    """

    method: str
    path: str
    json: Mapping[str, Any] | None = None
    parts: tuple[tuple[str, FormPart], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
