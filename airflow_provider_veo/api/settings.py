"""What a client of the video API needs to know."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, get_args

import httpx

from airflow_provider_veo.api.answers.json_text import parse_json
from airflow_provider_veo.api.answers.masking import Mask, make_mask
from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.backends.profiles import DEFAULT_MODEL
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.net import urls
from airflow_provider_veo.api.requests import REQUEST_FORMATS, RequestFormat

AuthScheme = Literal["bearer", "raw"]
AUTH_SCHEMES: tuple[AuthScheme, ...] = get_args(AuthScheme)


@dataclass(frozen=True)
class ClientSettings:
    """Everything a client needs to know, checked when it is made.

    Attributes:
        base_url: root of the API. `/v1`, `/v1/videos`, `/v1/chat/completions` or `/v1/models` at its end is taken off.
        api_key: None for servers without authentication.
        auth_scheme: `bearer` sends `Authorization: Bearer KEY`, `raw` sends `Authorization: KEY`.
        request_format: see `requests.create_video`.
        timeout: of each network operation, in seconds.
        verify: check TLS certificates: True, False, or the path of a CA bundle.
        default_model: what to order when no model is named.
        allow_private_addresses: download from private and loopback addresses that the server names, though its own
            address is none.
        headers: names and values of further headers, see `read_headers`. They go to the API alone, as the key does.
        name: how messages call the place where these settings stand, like `connection 'veo_default'`.

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
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    name: str = ""

    def __post_init__(self) -> None:
        if urls.redact(self.base_url) != self.base_url or urls.resolve_url("", self.base_url) is None:
            raise InvalidInputError(
                f"The base URL {urls.redact(self.base_url)!r} is not of the form https://host[/path]."
            )
        object.__setattr__(self, "base_url", urls.find_api_root(self.base_url))
        # httpx would print the whole header, key included, in its complaint about it
        if self.api_key is not None and not self.api_key.isprintable():
            raise InvalidInputError("The API key has a line break or another character that cannot be printed.")
        if self.auth_scheme not in AUTH_SCHEMES:
            raise InvalidInputError(f"auth_scheme is {self.auth_scheme!r}; it must be {_either(AUTH_SCHEMES)}.")
        if self.request_format not in REQUEST_FORMATS:
            raise InvalidInputError(
                f"request_format is {self.request_format!r}; it must be {_either(REQUEST_FORMATS)}."
            )
        if not 0 < self.timeout < float("inf"):
            raise InvalidInputError(f"timeout is {self.timeout!r}; it must be a number of seconds above 0.")
        if self.api_key and "authorization" in (name.lower() for name, _ in self.headers):
            raise InvalidInputError("headers has Authorization, which the password is sent in. Leave one of them out.")

    @property
    def place(self) -> tuple[str, ...]:
        """What errors say of where they happened; see `VeoError.where`."""
        return tuple(part for part in (self.name, self.mask.hide(self.base_url)) if part)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown: the key first, or an empty text in its place; then the values of the headers."""
        found = (self.api_key or "", *(value for _, value in self.headers))
        return found if any(found) else ()

    @property
    def mask(self) -> Mask:
        """Hides the secrets."""
        return make_mask(self.secrets)

    def authorization(self) -> dict[str, Any]:
        """Return the headers for the API alone: that with the key, and the further ones of the connection.

        Their values are bytes, since httpx takes no text but ASCII.
        """
        found = {name: value.encode() for name, value in self.headers}
        if not self.api_key:
            return found
        value = f"Bearer {self.api_key}" if self.auth_scheme == "bearer" else self.api_key
        return found | {"Authorization": value.encode()}


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_LONGEST_VALUE = 8_192  # bytes; servers and proxies take no longer headers
_OUR_OWN = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "idempotency-key",
        "if-range",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-litellm-num-retries",
    }
)


def read_headers(given: Any) -> tuple[tuple[str, str], ...]:
    """Read the further headers of a connection. No message shows a value: each may be a secret.

    Args:
        given: an object of names and values, or its JSON text.

    Raises:
        InvalidInputError: it is none, or a header cannot be sent, or is one that this provider sends itself.
    """
    parsed = parse_json(given) if isinstance(given, str) else given
    if not isinstance(parsed, Mapping):
        raise InvalidInputError('headers must be a JSON object of texts, like {"x-portkey-provider": "openai"}.')
    headers = tuple((name, _header(name, value)) for name, value in parsed.items())
    if len({name.lower() for name, _ in headers}) < len(headers):
        raise InvalidInputError("headers names one header twice: upper and lower case are the same there.")
    return headers


def _header(name: Any, value: Any) -> str:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        shown = make_line(str(name), 100)
        raise InvalidInputError(f"headers has {shown!r}, which is no name of a header: letters, digits and - make one.")
    if name.lower() in _OUR_OWN:
        raise InvalidInputError(f"headers has {name}, which this provider sets itself. Leave it out.")
    if not isinstance(value, str):
        raise InvalidInputError(f"headers has {name} with a value that is no text, but {type(value).__name__}.")
    text = value.strip()
    if not text.isprintable() or len(text.encode()) > _LONGEST_VALUE:
        raise InvalidInputError(
            f"headers has {name} with a value that cannot be sent: it has a line break or another character that "
            f"cannot be printed, or more than {_LONGEST_VALUE} bytes."
        )
    return text


def _either(words: Iterable[str]) -> str:
    return " or ".join(map(repr, words))


@lru_cache(maxsize=8)
def tls_context(verify: bool | str) -> ssl.SSLContext:
    """Return the TLS context of this process for a `verify` setting: each costs 17 ms and 0.7 MB to make."""
    if isinstance(verify, str):
        try:
            return ssl.create_default_context(cafile=verify)
        except OSError as error:
            raise InvalidInputError(
                f"verify names the CA bundle {verify!r}, which cannot be read: {error}. Correct the path, or put the "
                "file there on all workers, triggerers and API servers."
            ) from None
    return httpx.create_ssl_context(verify=verify)
