"""The settings of a client of the video API."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, get_args

import httpx

from airflow_provider_veo.api.answers.json_text import parse_json
from airflow_provider_veo.api.answers.masking import Mask, make_mask
from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.backends.backend import Backend
from airflow_provider_veo.api.backends.openai.backend import OpenAiBackend
from airflow_provider_veo.api.backends.profiles import GENERIC, GatewayProfile
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.net import urls
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.tokens import TokenSource

AuthScheme = Literal["bearer", "raw"]
AUTH_SCHEMES: tuple[AuthScheme, ...] = get_args(AuthScheme)


@dataclass(frozen=True)
class ClientSettings:
    """The settings of a client, which are checked on construction.

    Attributes:
        base_url: Root of the API. `/v1`, `/v1/videos`, `/v1/chat/completions` or `/v1/models` at its end is removed.
        api_key: Key of the API. None for servers without authentication.
        auth_scheme: `bearer` sends `Authorization: Bearer KEY`, `raw` sends `Authorization: KEY`.
        backend: Protocol of the API.
        timeout: Time limit of each network operation, in seconds.
        verify: Whether to check TLS certificates, or the path of a CA bundle.
        default_model: Model to order if a task names none. An empty text means the default model of the profile.
        allow_private_addresses: Whether to download from private and loopback addresses that the server names,
            although its own address is public.
        headers: Names and values of further headers; see `read_headers`. Like the key, they are sent to the API only.
        name: Name of the settings in messages, like `connection 'veo_default'`.
        profile: Models, prices and quirks of the gateway.
        tokens: Source of short-lived tokens, which are sent in place of a key; None for a key.
        storage_url: Root of Google Cloud Storage, whose objects are read with the same tokens.

    Raises:
        InvalidInputError: A setting is wrong. The message names it.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    auth_scheme: AuthScheme = "bearer"
    backend: Backend = field(default_factory=OpenAiBackend)
    timeout: float = 60.0
    verify: bool | str = True
    default_model: str = ""
    allow_private_addresses: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    name: str = ""
    profile: GatewayProfile = GENERIC
    tokens: TokenSource | None = None
    storage_url: str = "https://storage.googleapis.com"

    def __post_init__(self) -> None:
        for name, url in (("base URL", self.base_url), ("storage_url", self.storage_url)):
            if urls.redact(url) != url or urls.resolve_url("", url) is None:
                raise InvalidInputError(f"The {name} {urls.redact(url)!r} is not of the form https://host[/path].")
        object.__setattr__(self, "base_url", urls.find_api_root(self.base_url))
        model = self.default_model or self.profile.default_model or self.backend.default_model
        object.__setattr__(self, "default_model", model)
        # httpx would print the whole header with the key in its error
        if self.api_key is not None and not self.api_key.isprintable():
            raise InvalidInputError("The API key has a line break or another character that cannot be printed.")
        if self.auth_scheme not in AUTH_SCHEMES:
            raise InvalidInputError(f"auth_scheme is {self.auth_scheme!r}; it must be {_join(AUTH_SCHEMES)}.")
        if not 0 < self.timeout < float("inf"):
            raise InvalidInputError(f"timeout is {self.timeout!r}; it must be a number of seconds above 0.")
        if self.api_key and "authorization" in (name.lower() for name, _ in self.headers):
            raise InvalidInputError("headers has Authorization, which the password is sent in. Leave one of them out.")

    @property
    def place(self) -> tuple[str, ...]:
        """The texts by which errors name the connection and the server; see `VeoError.where`."""
        return tuple(part for part in (self.name, self.mask.hide(self.base_url)) if part)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key or the latest token, or an empty text in their place, and the values of the headers.

        None of them may be shown.
        """
        key = self.tokens.token if self.tokens else self.api_key
        found = (key or "", *(value for _, value in self.headers))
        return found if any(found) else ()

    @property
    def mask(self) -> Mask:
        """Mask that hides the secrets."""
        return make_mask(self.secrets)

    def check(self, spec: VideoSpec) -> Iterator[str]:
        """Yield a warning for each part of an order that the server may not take as it is meant.

        Args:
            spec: Order for one video.

        Raises:
            InvalidInputError: The server would refuse the order, ignore a part of it, or make another video.
        """
        yield from self.profile.check(spec)
        yield from self.backend.check(spec)

    def check_backend(self, name: str | None, video_id: str | None) -> None:
        """Refuse to ask one API for a job of another one.

        Args:
            name: Name of the backend by which the job was ordered; None if it is not known.
            video_id: ID of the job.

        Raises:
            InvalidInputError: The connection has another backend now.
        """
        if name not in (None, self.backend.name):
            raise InvalidInputError(
                f"Video {video_id} was ordered by the backend {name!r}, and the connection has {self.backend.name!r} "
                "now, so it cannot be asked for. Set the connection's backend and host back until the task is done, "
                "or let VeoDownloadOperator store the video by another connection."
            )

    def estimate_cost(self, spec: VideoSpec) -> float | None:
        """Return the price of an order in US dollars, or None if it is not known.

        Args:
            spec: Order for one video.
        """
        cost = self.profile.estimate_cost(spec)
        return self.backend.estimate_cost(spec) if cost is None else cost

    def authorization(self) -> dict[str, Any]:
        """Return the headers with the secrets, which are sent to the API only. A token may have to be asked for.

        Their values are bytes, since httpx takes only ASCII as text.

        Raises:
            VeoError: There is no token.
        """
        found = dict(self.headers)
        header = self.backend.key_header
        if not self.tokens and self.api_key:
            is_bearer = header == "Authorization" and self.auth_scheme == "bearer"
            found[header] = f"Bearer {self.api_key}" if is_bearer else self.api_key
        return {name: value.encode() for name, value in found.items()} | self.authorization_of_buckets()

    def authorization_of_buckets(self) -> dict[str, Any]:
        """Do as `authorization`, for Cloud Storage: only the token is sent there, and not the further headers."""
        return {name: value.encode() for name, value in self.tokens.get_headers().items()} if self.tokens else {}


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
    """Return the further headers of a connection. No error shows a value, since each may be a secret.

    Args:
        given: Object of names and values, or its JSON text.

    Raises:
        InvalidInputError: The value is not an object, a header cannot be sent, or this provider sends it itself.
    """
    parsed = parse_json(given) if isinstance(given, str) else given
    if not isinstance(parsed, Mapping):
        raise InvalidInputError('headers must be a JSON object of texts, like {"x-portkey-provider": "openai"}.')
    headers = tuple((name, _read_header(name, value)) for name, value in parsed.items())
    if len({name.lower() for name, _ in headers}) < len(headers):
        raise InvalidInputError("headers names one header twice: upper and lower case are the same there.")
    return headers


def _read_header(name: Any, value: Any) -> str:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        shown = make_line(str(name), 100)
        raise InvalidInputError(f"headers has {shown!r}, which is not the name of a header. Use letters, digits and -.")
    if name.lower() in _OUR_OWN:
        raise InvalidInputError(f"headers has {name}, which this provider sets itself. Leave it out.")
    if not isinstance(value, str):
        raise InvalidInputError(f"headers has {name} with a value that is not a text, but {type(value).__name__}.")
    text = value.strip()
    if not text.isprintable() or len(text.encode()) > _LONGEST_VALUE:
        raise InvalidInputError(
            f"headers has {name} with a value that cannot be sent: it has a line break or another character that "
            f"cannot be printed, or more than {_LONGEST_VALUE} bytes."
        )
    return text


def _join(words: Iterable[str]) -> str:
    return " or ".join(map(repr, words))


@lru_cache(maxsize=8)
def make_tls_context(verify: bool | str) -> ssl.SSLContext:
    """Return the TLS context for a `verify` setting. It is made once per process: it costs 17 ms and 0.7 MB.

    Args:
        verify: Whether to check certificates, or the path of a CA bundle.

    Raises:
        InvalidInputError: The CA bundle cannot be read.
    """
    if isinstance(verify, str):
        try:
            return ssl.create_default_context(cafile=verify)
        except OSError as error:
            raise InvalidInputError(
                f"verify names the CA bundle {verify!r}, which cannot be read: {error}. Correct the path, or put the "
                "file there on all workers, triggerers and API servers."
            ) from None
    return httpx.create_ssl_context(verify=verify)
