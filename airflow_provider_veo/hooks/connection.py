"""Read Airflow connections of type `veo`, and the configuration of waiting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, Connection, conf, mask_secret
from asgiref.sync import sync_to_async

from airflow_provider_veo.api.answers.masking import SHORTEST_SECRET
from airflow_provider_veo.api.backends.backend import Backend
from airflow_provider_veo.api.backends.gemini.backend import GeminiBackend
from airflow_provider_veo.api.backends.openai.backend import OpenAiBackend
from airflow_provider_veo.api.backends.openrouter.backend import OpenRouterBackend
from airflow_provider_veo.api.backends.profiles import find_profile, find_profile_of_host
from airflow_provider_veo.api.backends.registry import choose_backend
from airflow_provider_veo.api.backends.vertex.backend import VertexBackend
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.net import urls
from airflow_provider_veo.api.polling.decision import WaitPolicy
from airflow_provider_veo.api.polling.schedule import OPENING
from airflow_provider_veo.api.settings import ClientSettings, read_headers
from airflow_provider_veo.api.tokens import TokenSource
from airflow_provider_veo.hooks.google import GoogleAccess, get_tokens

DEFAULT_TIMEOUT = timedelta(minutes=20)
"""Default time limit of a video."""

_FLAGS = {"true": True, "false": False}
_VERTEX_LOCATION = "us-central1"  # the location in which Google has always offered Veo


def read_connection(conn_id: str) -> ClientSettings:
    """Look up an Airflow connection, and return the settings of a client for it.

    Args:
        conn_id: ID of the connection.

    Raises:
        InvalidInputError: The connection does not exist, or is incomplete or wrong.
    """
    with explain_missing_connection(conn_id):
        connection = BaseHook.get_connection(conn_id)
    settings = read_client_settings(connection, connection.extra_dejson)
    mask_headers(settings)
    return settings


def read_client_settings(connection: Connection, extra: dict[str, Any]) -> ClientSettings:
    """Return the settings of a client for an Airflow connection.

    Args:
        connection: Connection of type `veo`. A host without a scheme means https. The port counts if the host names
            none. The schema is the scheme, or a path below the host, as in a connection URI.
        extra: Extra of the connection, as a dictionary.

    For Google Cloud this reads credentials, so it must not run on an event loop.

    Raises:
        InvalidInputError: A field is wrong. The message names the connection and the field.
    """
    given = {name: value for name, value in extra.items() if value not in (None, "")}
    try:
        backend, tokens = _read_backend(given, connection.host or "")
        base_url = _base_url(connection, backend.address)
        return ClientSettings(
            base_url=base_url,
            api_key=None if tokens else (connection.password or "").strip() or None,
            auth_scheme=given.get("auth_scheme", "bearer"),
            backend=backend,
            tokens=tokens,
            **({"storage_url": str(given["storage_url"]).rstrip("/")} if "storage_url" in given else {}),
            timeout=_read_timeout(given.get("timeout", 60)),
            verify=_read_verify(given.get("verify", True)),
            default_model=str(given.get("default_model", "")),
            allow_private_addresses=_read_flag("allow_private_addresses", given.get("allow_private_addresses", False)),
            headers=read_headers(given.get("headers", {})),
            name=_name_for_people(connection.conn_id),
            profile=find_profile(given["profile"]) if "profile" in given else find_profile_of_host(base_url),
        )
    except InvalidInputError as error:
        raise InvalidInputError(f"Connection {connection.conn_id!r}: {error}") from None


def describe_connection(conn_id: str) -> tuple[str, ...]:
    """Return the texts by which an error names the connection of its task and the server.

    Args:
        conn_id: ID of the connection.
    """
    try:
        return read_connection(conn_id).place
    except Exception:  # noqa: BLE001 - it completes the message of another error, which must not get lost
        return (_name_for_people(conn_id),)


def _name_for_people(conn_id: str) -> str:
    return f"connection {conn_id!r}"


@contextmanager
def explain_missing_connection(conn_id: str) -> Iterator[None]:
    """Explain how to add a connection if a look-up in the block finds none.

    Args:
        conn_id: ID of the connection.

    Raises:
        InvalidInputError: The connection does not exist. A retry does not help.
    """
    try:
        yield
    except AirflowNotFoundException:
        variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        raise InvalidInputError(
            f"Connection {conn_id!r} does not exist. Add it in Airflow's UI (Admin > Connections, type Veo), by "
            f"`airflow connections add`, or as the environment variable {variable} of all of Airflow's processes; or "
            "correct conn_id."
        ) from None


def mask_headers(settings: ClientSettings) -> None:
    """Let Airflow mask the values of further headers in its logs. Airflow masks the password by itself.

    Args:
        settings: Settings of the connection.
    """
    for _, value in settings.headers:
        if len(value) >= SHORTEST_SECRET:
            mask_secret(value)


async def read_extra(connection: Connection) -> dict[str, Any]:
    """Return the extra of a connection without blocking the event loop: reading it masks secrets, which may block.

    common-compat has a function for this since 1.21, which does not run on Python 3.10.

    Args:
        connection: Airflow connection of type `veo`.
    """
    if hasattr(connection, "aextra_dejson"):
        return dict(await connection.aextra_dejson())
    return await sync_to_async(lambda: connection.extra_dejson)()


def wait_policy(
    submitted_at: float,
    *,
    deadline: float | None = None,
    poll_interval: float | None = None,
    opening: float = OPENING,
) -> WaitPolicy:
    """Return the times and limits of the wait for a job.

    Args:
        submitted_at: Time of the order, as Unix time in seconds.
        deadline: Time at which the wait ends, as Unix time in seconds. By default 20 minutes after the order.
        poll_interval: Seconds between two status calls. By default the value of `[veo] poll_interval`, and without
            one a schedule that learns from progress.
        opening: Seconds from the order to the first status call, while no earlier job of the model is known.

    Raises:
        InvalidInputError: The poll interval is not a number of seconds above 0.
    """
    if deadline is None:
        deadline = submitted_at + DEFAULT_TIMEOUT.total_seconds()
    interval = choose_poll_interval(poll_interval)
    return WaitPolicy(submitted_at, deadline=deadline, poll_interval=interval, opening=opening)


def choose_poll_interval(given: float | None) -> float | None:
    """Return the seconds between two status calls, or None for the schedule that learns from progress.

    Args:
        given: Seconds between two status calls. None means the value of `[veo] poll_interval`.

    Raises:
        InvalidInputError: The poll interval is not a number of seconds above 0.
    """
    interval = conf.get("veo", "poll_interval", fallback="") if given is None else given
    if interval in ("", None):
        return None
    try:
        seconds = float(interval)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidInputError(
            f"poll_interval is {interval!r}; it must be a number of seconds above 0. "
            "(It is an argument of the task, or [veo] poll_interval in Airflow's configuration.)"
        )
    return seconds


def _read_backend(given: Mapping[str, Any], host: str) -> tuple[Backend, TokenSource | None]:
    """Return the backend of a connection, and the source of its tokens if it sends no key.

    For Google Cloud this reads credentials: from files, or from another connection.

    Raises:
        InvalidInputError: A field is wrong or missing.
    """
    match choose_backend(given.get("backend"), host):
        case "openai":
            return OpenAiBackend(given.get("request_format", "auto")), None
        case "openrouter":
            return OpenRouterBackend(), None
        case "gemini" if "project" not in given and "google_conn_id" not in given:
            return GeminiBackend(), None
        case name:
            return _read_google_backend(name, given)


def _read_google_backend(name: str, given: Mapping[str, Any]) -> tuple[Backend, TokenSource]:
    access = GoogleAccess.read(given)
    tokens, project = get_tokens(access)
    if project is None:
        raise InvalidInputError("project is missing: set it to the id of the project that orders and pays.")
    location, output_uri = given.get("location"), given.get("output_uri")
    if name == "gemini":
        return GeminiBackend(project, location, output_uri), tokens
    return VertexBackend(project, location or _VERTEX_LOCATION, output_uri), tokens


def _base_url(connection: Connection, address: str | None) -> str:
    """Return the address of a connection, whose parts may be in several fields.

    Args:
        connection: Connection of type `veo`.
        address: Address of the API if the connection has no host; None if it must have one.
    """
    host, schema = (connection.host or "").strip(), (connection.schema or "").strip().strip("/")
    if not host and address is not None:
        return address
    if not host:
        raise InvalidInputError("it has no host: set it to the API's base URL, like https://api.example.com.")
    scheme = schema.lower() if schema.lower() in urls.DEFAULT_PORT else ""
    if "://" not in host:
        host = f"{scheme or 'https'}://{urls.add_brackets(host)}"
    if connection.port:
        host = urls.add_port(host, connection.port)
    return host if scheme or not schema else f"{host.rstrip('/')}/{schema}"


def _read_timeout(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidInputError(f"timeout is {value!r}; it must be a number of seconds.") from None


def _read_verify(value: Any) -> bool | str:
    text = str(value).strip()
    return _FLAGS.get(text.lower(), text)


def _read_flag(name: str, value: Any) -> bool:
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise InvalidInputError(f"{name} is {value!r}; it must be true or false.")
    return flag
