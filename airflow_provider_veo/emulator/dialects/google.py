"""The common part of Google's dialects: the errors, the tokens, and the names of objects in a bucket.

Sources: requests and answers that were recorded with Google's clients, and bodies of errors from public notes.
"""

from __future__ import annotations

import base64
import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from airflow_provider_veo.emulator.dialects.dialect import Dialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import Reply

_NO_CREDENTIALS = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


class GoogleDialect(Dialect):
    """Errors of google.rpc.Status, and buckets. The code of an error is a name of google.rpc.Code."""

    def error(self, status: int, message: str, code: str) -> Reply:
        return Reply({"error": {"code": status, "message": message, "status": code}}, status)

    def error_with(self, status: int, message: str, code: str, **detail: Any) -> Reply:
        """Return an error with a detail, such as `reason` of google.rpc.ErrorInfo."""
        body = self.error(status, message, code).body
        kind = "RetryInfo" if "retryDelay" in detail else "ErrorInfo"
        details = [{"@type": f"type.googleapis.com/google.rpc.{kind}", **detail}]
        return Reply({"error": {**body["error"], "details": details}}, status)

    def bad_json(self) -> Reply:
        return self.error(400, "Invalid JSON payload received.", "INVALID_ARGUMENT")

    def bad_picture(self, error: Exception) -> Reply:
        return self.error(400, f"Unable to process input image: {error}", "INVALID_ARGUMENT")

    def rate_limit(self, seconds: float) -> Reply:
        message = "Resource exhausted. Please try again later."
        return self.error_with(429, message, "RESOURCE_EXHAUSTED", retryDelay=f"{seconds:g}s")

    def server_error(self) -> Reply:
        return self.error(500, "Internal error encountered.", "INTERNAL")

    def no_money(self) -> Reply:
        message = "This API method requires billing to be enabled."
        return self.error_with(403, message, "PERMISSION_DENIED", reason="BILLING_DISABLED", domain="googleapis.com")

    def wrong_token(self, *, is_missing: bool) -> Reply:
        """Return the answer to a request with a token that is missing, wrong or expired."""
        reason = "CREDENTIALS_MISSING" if is_missing else "ACCESS_TOKEN_EXPIRED"
        return self.error_with(401, _NO_CREDENTIALS, "UNAUTHENTICATED", reason=reason, domain="googleapis.com")

    # --- Cloud Storage

    @abstractmethod
    def list_objects(self, job: Job) -> Sequence[str]:
        """Return the addresses of the objects that a job writes, as `gs://bucket/name`; empty without a bucket."""

    def is_stored(self, job: Job, now: float) -> bool:
        """Return whether the file of a job can be downloaded."""
        return job.status(now) == "completed" and now >= job.done_at + self.settings.content_lag

    def wrong_storage_token(self) -> Reply:
        """Return the answer of the storage to a request with a wrong token."""
        return _make_storage_error(401, "Invalid Credentials", "authError")

    def unknown_object(self, address: str) -> Reply:
        """Return the answer to a request for an object that is not there."""
        return _make_storage_error(404, f"No such object: {address.removeprefix('gs://')}", "notFound")

    def object(self, address: str, job: Job, url: str, content: bytes) -> dict[str, Any]:
        """Return the description of an object.

        Args:
            address: Address of the object, as `gs://bucket/name`.
            job: Job that has written it.
            url: Address of this description.
            content: Bytes of the object.
        """
        bucket, _, name = address.removeprefix("gs://").partition("/")
        number, written = str(int(job.done_at * 1e6)), format_time(job.done_at)
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{number}",
            "selfLink": url,
            "mediaLink": f"{url}?alt=media",
            "name": name,
            "bucket": bucket,
            "generation": number,
            "metageneration": "1",
            "contentType": "video/mp4",
            "storageClass": "STANDARD",
            "size": str(len(content)),
            "md5Hash": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
            "timeCreated": written,
            "updated": written,
        }


def make_object_names(folder: str, job_id: str, count: int) -> list[str]:
    """Return the addresses of a job's videos in a folder: `gs://bucket/folder/NUMBER/sample_0.mp4`."""
    number = int(hashlib.sha256(job_id.encode()).hexdigest()[:12], 16)
    return [f"{folder.rstrip('/')}/{number}/sample_{index}.mp4" for index in range(count)]


def make_data_uri(picture: Mapping[str, Any], data: str, kind: str, uri: str) -> str | None:
    """Return a picture of an order as one text; None if it has neither bytes nor an address.

    Args:
        picture: The picture in the order.
        data: Name of the field with its bytes in base64.
        kind: Name of the field with its media type.
        uri: Name of the field with its address.
    """
    if isinstance(picture.get(data), str):
        return f"data:{picture.get(kind)};base64,{picture[data]}"
    return picture[uri] if isinstance(picture.get(uri), str) else None


def format_time(seconds: float) -> str:
    """Return a Unix time as Google writes it."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _make_storage_error(status: int, message: str, reason: str) -> Reply:
    # general knowledge of the JSON API of Cloud Storage
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return Reply({"error": {"code": status, "message": message, "errors": errors}}, status)
