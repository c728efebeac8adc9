"""The parts of Google Cloud beside its video API: tokens, the key of a service account, and buckets."""

from __future__ import annotations

import base64
import json
import secrets
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_veo.emulator.dialects.google import GoogleDialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import RefusedError
from airflow_provider_veo.emulator.site import Site, make_scene
from airflow_provider_veo.emulator.tokens import Tokens

PROJECT = "veo-emulator"
"""ID of the project of `make_key`. The emulator takes any other project, too."""

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ACCOUNT = f"airflow@{PROJECT}.iam.gserviceaccount.com"
_JWT_PARTS = 3


class GoogleCloud:
    """The token endpoint, and the JSON API of Cloud Storage.

    Args:
        site: The jobs, and the files of their videos.
        dialect: Dialect of the errors.
        tokens: Tokens that were given.
    """

    def __init__(self, site: Site, dialect: GoogleDialect, tokens: Tokens) -> None:
        self._site = site
        self._dialect = dialect
        self._tokens = tokens
        self.routes = [
            Route("/token", self._token, methods=["POST"]),
            Route("/service-account.json", self._key),
            Route("/storage/v1/b/{bucket}/o/{name:path}", self._object),
        ]

    def authorize(self, request: Request) -> None:
        """Check the token of a request.

        Raises:
            RefusedError: The token is missing, wrong or expired.
        """
        if not self._has_token(request):
            is_missing = "authorization" not in request.headers
            raise RefusedError(self._dialect.wrong_token(is_missing=is_missing))

    def _has_token(self, request: Request) -> bool:
        return self._tokens.takes(request.headers.get("authorization", "").removeprefix("Bearer "))

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        grant, assertion = form.get("grant_type", [""])[0], form.get("assertion", [""])[0]
        if grant != _GRANT:
            return JSONResponse({"error": "unsupported_grant_type", "error_description": "Invalid grant_type"}, 400)
        if not _is_assertion(assertion):
            return JSONResponse({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
        return JSONResponse(self._tokens.give())

    async def _key(self, request: Request) -> Response:
        return JSONResponse(make_key(str(request.base_url)))

    async def _object(self, request: Request) -> Response:
        if not self._has_token(request):
            raise RefusedError(self._dialect.wrong_storage_token())
        address = f"gs://{request.path_params['bucket']}/{request.path_params['name']}"
        job, number = self._find_object(address)
        scene = make_scene(job, number)
        if request.query_params.get("alt") == "media":
            return await self._site.send_file(scene)
        content = (await self._site.render_file(scene)).read_bytes()
        url = str(request.url.replace(query=""))
        return JSONResponse(self._dialect.object(address, job, url, content))

    def _find_object(self, address: str) -> tuple[Job, int]:
        for job in self._site.jobs.all():
            objects = self._dialect.list_objects(job)
            if address in objects and self._dialect.is_stored(job, self._site.jobs.clock()):
                return job, objects.index(address)
        raise RefusedError(self._dialect.unknown_object(address))

    async def describe_videos(self, job: Job, count: int, names: tuple[str, str]) -> list[dict[str, str]]:
        """Return the videos of a completed job, as its status has them: their addresses, or else their bytes.

        Args:
            job: The job.
            count: Number of its videos.
            names: Names of the fields with an address and with bytes.
        """
        address, data = names
        if objects := self._dialect.list_objects(job):
            return [{address: name} for name in objects]
        return [{data: await self._site.encode_file(make_scene(job, number))} for number in range(count)]


def make_key(url: str) -> dict[str, str]:
    """Return the key of a service account whose token endpoint is the emulator. It opens nothing else.

    Args:
        url: Address of the emulator.
    """
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": secrets.token_hex(20),  # clients keep tokens by key, and a port may be used again
        "private_key": _make_private_key(),
        "client_email": _ACCOUNT,
        "client_id": "100000000000000000000",
        "token_uri": f"{url.rstrip('/')}/token",
    }


@lru_cache(maxsize=1)
def _make_private_key() -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - the extra `google` installs it
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _is_assertion(text: str) -> bool:
    """Return whether a text has the form of a signed JWT of the service account. The signature is not checked."""
    parts = text.split(".")
    if len(parts) != _JWT_PARTS:
        return False
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except ValueError:
        return False
    return isinstance(claims, dict) and bool(claims.get("iss")) and bool(claims.get("exp"))
