"""Access to Google Cloud: the credentials of a connection, and the tokens that they give.

The extra `google` of this package installs google-auth. Google's SDKs are not used: they send a paid order again by
themselves.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.errors import InvalidInputError, NotSentError

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
"""Scope of the tokens. It covers Vertex AI and Cloud Storage."""

_KEY_FIELDS = ("keyfile_dict", "key_path", "credential_config_file")
_PREFIX = "extra__google_cloud_platform__"  # of connections that old versions of Airflow's Google provider have made
_TIMEOUT = 20.0  # seconds for each request to the token endpoint


@dataclass(frozen=True)
class GoogleAccess:
    """The fields of a connection that give access to Google Cloud, named as Airflow's Google provider names them.

    Attributes:
        conn_id: ID of a connection of type `google_cloud_platform`; None if the fields are in the `veo` connection.
        project: ID of the project; None for the project of the credentials.
        key: JSON text of a service account's key, or of another kind of credentials.
        key_path: Path of a file with such a JSON text.
        scopes: Scopes of the tokens.
        quota_project: ID of the project that pays for the requests; None for the default.
        impersonation_chain: Service accounts to act as. The last one is the account that sends the requests.
    """

    conn_id: str | None = None
    project: str | None = None
    key: str | None = field(default=None, repr=False)
    key_path: str | None = None
    scopes: tuple[str, ...] = (SCOPE,)
    quota_project: str | None = None
    impersonation_chain: tuple[str, ...] = ()

    @classmethod
    def read(cls, extra: Mapping[str, Any]) -> GoogleAccess:
        """Read the fields from the extra of a `veo` connection, or of the Google connection that it names.

        Args:
            extra: Extra of the `veo` connection.

        Raises:
            InvalidInputError: A field is wrong.
            AirflowNotFoundException: The named connection does not exist.
        """
        conn_id = extra.get("google_conn_id") or None
        given = BaseHook.get_connection(conn_id).extra_dejson if conn_id else extra
        plain = {name.removeprefix(_PREFIX): value for name, value in given.items() if value not in (None, "")}
        key = plain.get("keyfile_dict")
        return cls(
            conn_id=conn_id,
            project=str(extra.get("project") or plain.get("project") or "") or None,
            key=None if key is None else key if isinstance(key, str) else json.dumps(key),
            key_path=plain.get("key_path") or plain.get("credential_config_file"),
            scopes=_read_list(plain.get("scope")) or (SCOPE,),
            quota_project=plain.get("quota_project_id"),
            impersonation_chain=_read_list(plain.get("impersonation_chain")),
        )


class GoogleTokens:
    """Tokens of one set of credentials: cached, and renewed by one thread at a time.

    Args:
        credentials: Credentials of google-auth.
    """

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._refused: str | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether `get_headers` returns at once, without a request."""
        return bool(self._credentials.valid) and self._credentials.token != self._refused

    @property
    def token(self) -> str | None:
        """The latest token; None before the first one."""
        found: str | None = self._credentials.token
        return found

    def get_headers(self) -> dict[str, str]:
        """Return the headers that hold the token. This may send a request, so it must not run on an event loop.

        Raises:
            InvalidInputError: Google refuses the credentials. A retry does not help.
            NotSentError: The token endpoint cannot be asked now. The request itself was not sent.
        """
        with self._lock:
            if not self.is_fresh:
                self._renew()
            headers: dict[str, str] = {}
            self._credentials.apply(headers)  # also names the quota project
        return headers

    def forget(self, token: str | None) -> None:
        """Let the next call of `get_headers` renew a token that the API has refused.

        Args:
            token: The refused token. If another caller has renewed it since, nothing happens.
        """
        self._refused = token

    def _renew(self) -> None:
        from google.auth.exceptions import GoogleAuthError, RefreshError  # noqa: PLC0415 - the extra `google` installs it
        from google.auth.transport.requests import Request  # noqa: PLC0415

        request = Request()

        def ask(*arguments: Any, **options: Any) -> Any:
            return request(*arguments, **options | {"timeout": _TIMEOUT})

        try:
            self._credentials.refresh(ask)
        except GoogleAuthError as error:
            said = make_line(str(error.args[0] if error.args else error), 300)
            if error.retryable or not isinstance(error, RefreshError):
                raise NotSentError(f"Google's token endpoint gave no token: {said}. Nothing was sent.") from error
            raise InvalidInputError(
                f"Google refuses the credentials of this connection: {said}. Nothing was sent. Check the key, or the "
                "service account that it belongs to."
            ) from error


@lru_cache(maxsize=64)
def get_tokens(access: GoogleAccess) -> tuple[GoogleTokens, str | None]:
    """Return the tokens of some credentials, and the ID of their project. Equal fields share one cache of tokens.

    Args:
        access: Fields of the connection.

    Raises:
        InvalidInputError: google-auth is missing, or the credentials cannot be read.
    """
    try:
        credentials, project = _load(access)
    except ImportError as error:
        raise InvalidInputError(
            f"The backend of Google Cloud needs google-auth, which is missing here ({error}): "
            "pip install 'airflow-provider-veo[google]', on the workers, the triggerers and the API server."
        ) from error
    except Exception as error:  # google-auth and Airflow's provider raise exceptions of many classes
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"The credentials for Google Cloud cannot be read: {type(error).__name__}: {make_line(str(error), 300)}. "
            f"Set one of {', '.join(_KEY_FIELDS)} or google_conn_id in the connection's extra, or give the workers and "
            "triggerers Application Default Credentials."
        ) from error
    if access.quota_project and hasattr(credentials, "with_quota_project"):
        credentials = credentials.with_quota_project(access.quota_project)
    return GoogleTokens(credentials), access.project or project


def _load(access: GoogleAccess) -> tuple[Any, str | None]:
    if access.conn_id and (found := _load_by_provider(access)):
        return found
    import google.auth  # noqa: PLC0415 - the extra `google` installs it
    from google.auth import impersonated_credentials  # noqa: PLC0415

    scopes = list(access.scopes)
    if access.key is not None:
        credentials, project = google.auth.load_credentials_from_dict(json.loads(access.key), scopes=scopes)
    elif access.key_path is not None:
        credentials, project = google.auth.load_credentials_from_file(access.key_path, scopes=scopes)
    else:
        credentials, project = google.auth.default(scopes=scopes)
    if access.impersonation_chain:
        *delegates, target = access.impersonation_chain
        credentials = impersonated_credentials.Credentials(
            source_credentials=credentials, target_principal=target, delegates=delegates, target_scopes=scopes
        )
    return credentials, project


def _load_by_provider(access: GoogleAccess) -> tuple[Any, str | None] | None:
    """Return the credentials that Airflow's Google provider reads from its connection; None if it is not installed.

    It knows more kinds of credentials than this module, for example keys in Google's Secret Manager.
    """
    try:
        from airflow.providers.google.common.hooks.base_google import GoogleBaseHook  # noqa: PLC0415 - optional
    except ImportError:
        return None
    credentials, project = GoogleBaseHook(gcp_conn_id=access.conn_id).get_credentials_and_project_id()
    return credentials, project


def _read_list(value: Any) -> tuple[str, ...]:
    """Return the texts of a list, or of a text in which commas separate them."""
    parts = value.split(",") if isinstance(value, str) else value or ()
    return tuple(text for part in parts if (text := str(part).strip()))
