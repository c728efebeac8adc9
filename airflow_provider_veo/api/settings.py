"""What a client of the video API needs to know."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, get_args

import httpx

from airflow_provider_veo.api import urls
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.masking import Mask, mask_of
from airflow_provider_veo.api.models import DEFAULT_MODEL
from airflow_provider_veo.api.requests import REQUEST_FORMATS, RequestFormat

AuthScheme = Literal["bearer", "raw"]
AUTH_SCHEMES: tuple[AuthScheme, ...] = get_args(AuthScheme)


@dataclass(frozen=True)
class ClientSettings:
    """Everything a client needs to know, checked when it is made.

    Attributes:
        base_url: root of the API, with or without `/v1` at its end.
        api_key: None for servers without authentication.
        auth_scheme: `bearer` sends `Authorization: Bearer KEY`, `raw` sends `Authorization: KEY`.
        request_format: see `requests.create_video`.
        timeout: of each network operation, in seconds.
        verify: check TLS certificates: True, False, or the path of a CA bundle.
        default_model: what to order when no model is named.
        allow_private_addresses: download from private and loopback addresses that the server names, though its own
            address is none.

    Raises:
        InvalidInputError: on construction, naming the setting.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    auth_scheme: AuthScheme = "bearer"
    request_format: RequestFormat = "auto"
    timeout: float = 60.0
    verify: bool | str = True
    default_model: str = DEFAULT_MODEL
    allow_private_addresses: bool = False

    def __post_init__(self) -> None:
        if urls.redact(self.base_url) != self.base_url or urls.absolute("", self.base_url) is None:
            raise InvalidInputError(
                f"The base URL {urls.redact(self.base_url)!r} is not of the form https://host[/path]."
            )
        root = self.base_url.rstrip("/").removesuffix("/v1").rstrip("/")
        object.__setattr__(self, "base_url", root)
        # httpx would print the whole header, key included, in its complaint about it
        if self.api_key is not None and not self.api_key.isprintable():
            raise InvalidInputError("The API key has a line break or another character that cannot be printed.")
        if self.auth_scheme not in AUTH_SCHEMES:
            raise InvalidInputError(f"auth_scheme is {self.auth_scheme!r}; it must be one of {AUTH_SCHEMES}.")
        if self.request_format not in REQUEST_FORMATS:
            raise InvalidInputError(f"request_format is {self.request_format!r}; it must be one of {REQUEST_FORMATS}.")
        if not 0 < self.timeout < float("inf"):
            raise InvalidInputError(f"timeout is {self.timeout!r}; it must be a number of seconds above 0.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return (self.api_key,) if self.api_key else ()

    @property
    def mask(self) -> Mask:
        """Hides the secrets."""
        return mask_of(self.secrets)

    def authorization(self) -> dict[str, Any]:
        """Return the header that carries the key: as bytes, since httpx takes no text but ASCII."""
        if not self.api_key:
            return {}
        value = f"Bearer {self.api_key}" if self.auth_scheme == "bearer" else self.api_key
        return {"Authorization": value.encode()}


@lru_cache(maxsize=8)
def tls_context(verify: bool | str) -> ssl.SSLContext:
    """Return the TLS context of this process for a `verify` setting: each costs 17 ms and 0.7 MB to make."""
    if isinstance(verify, str):
        try:
            return ssl.create_default_context(cafile=verify)
        except OSError as error:
            raise InvalidInputError(f"verify names the CA bundle {verify!r}, which cannot be read: {error}.") from None
    return httpx.create_ssl_context(verify=verify)
