"""The hook: a client of the video API for an Airflow connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Any, cast

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import (
    AirflowNotFoundException,
    BaseHook,
    Connection,
)
from asgiref.sync import sync_to_async

from airflow_provider_veo.api.backends.backend import Cancellation
from airflow_provider_veo.api.backends.profiles import GENERIC, GatewayProfile
from airflow_provider_veo.api.chat.events import ChatEvent
from airflow_provider_veo.api.client import AsyncVeoClient, VeoClient
from airflow_provider_veo.api.content.download import DEFAULT_MAX_BYTES, Download, DownloadPolicy
from airflow_provider_veo.api.errors import (
    ContentNotReadyError,
    InvalidInputError,
    TransportError,
    VeoError,
    VideoFailedError,
    adding,
)
from airflow_provider_veo.api.polling.decision import WaitPolicy
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.hooks.connection import (
    DEFAULT_TIMEOUT,
    explain_missing_connection,
    mask_headers,
    read_client_settings,
    read_connection,
    read_extra,
    wait_policy,
)
from airflow_provider_veo.observability.tracing import span
from airflow_provider_veo.storage import destinations, salvage
from airflow_provider_veo.storage.delivery import IfExists, deliver
from airflow_provider_veo.storage.destinations import Destination
from airflow_provider_veo.storage.errors import storage_errors
from airflow_provider_veo.storage.files import StoredVideo, find_stored


class VeoHook(BaseHook):
    """A hook for a video API, with the address and the credentials of an Airflow connection of type `veo`.

    Args:
        conn_id: ID of the connection. Its extra `backend` chooses the protocol: `openai` (`/v1/videos`), `openrouter`,
            `gemini` or `vertex`. Its host is the API's base URL, and its password the API key. Its extra may also hold
            `profile`, `default_model`, `auth_scheme`, `request_format`, `timeout`, `verify`,
            `allow_private_addresses` and `headers`, and for Google Cloud `project`, `location`, `output_uri`,
            `google_conn_id`, `keyfile_dict`, `key_path`, `scope`, `quota_project_id` and `impersonation_chain`.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "veo_default"
    conn_type = "veo"
    hook_name = "Veo (video generation)"

    download_policy = DownloadPolicy()
    """Limits of a download. `download_video` replaces `content_timeout` and `max_bytes` in it."""

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.conn_id = conn_id

    @cached_property
    def settings(self) -> ClientSettings:
        """The settings of the connection.

        Raises:
            InvalidInputError: The connection is incomplete or wrong.
        """
        return read_connection(self.conn_id)

    @property
    def profile(self) -> GatewayProfile:
        """The profile of the gateway, or the generic one if the connection cannot be read now.

        It adds prices and sizes to results, so a failed look-up must not fail a task whose video is finished.
        """
        try:
            return self.settings.profile
        except Exception:
            self.log.warning("The connection cannot be read, so the result has no price and no size", exc_info=True)
            return GENERIC

    def get_conn(self) -> VeoClient:
        """Return a new client, which the caller closes."""
        return VeoClient(self.settings)

    async def aget_settings(self) -> ClientSettings:
        """Return the settings of the connection, which is looked up once, without blocking the event loop."""
        if "settings" not in self.__dict__:
            with explain_missing_connection(self.conn_id):
                connection = await self._aget_connection()
            # in a thread: the credentials of Google Cloud are in files, or in another connection
            settings = await sync_to_async(read_client_settings)(connection, await read_extra(connection))
            await sync_to_async(mask_headers)(settings)  # it may send a request to the supervisor
            self.settings = settings
        return self.settings

    async def _aget_connection(self) -> Connection:
        try:
            return await get_async_connection(self.conn_id, hook=self)
        except AirflowNotFoundException:
            # Under dag.test() on Airflow 3.3 the async look-up cannot see the database; the blocking one can.
            return await sync_to_async(self.get_connection)(self.conn_id)

    def create_video(self, spec: VideoSpec, idempotency_key: str | None = None) -> Video:
        """Order a video. The request is sent exactly once.

        Args:
            spec: Order for one video.
            idempotency_key: Key by which a server recognizes a repeated order; it answers with the first order's job.

        Raises:
            VeoError: The order failed, see `api.errors`. After a `TransportError` that is not a `NotSentError`, the
                job may exist or not.
        """
        with self.get_conn() as client:
            return client.create_video(spec, idempotency_key)

    def get_video(self, video_id: str) -> Video:
        """Ask for the status of a job.

        Args:
            video_id: ID of the job.

        Raises:
            VeoError: The server sends no answer that can be used; see `api.errors`.
        """
        with self.get_conn() as client:
            return client.get_video(video_id)

    def stream_chat(
        self, spec: ChatSpec, idempotency_key: str | None = None, timeout: timedelta = DEFAULT_TIMEOUT
    ) -> Iterator[ChatEvent]:
        """Order videos by the streaming chat call, and yield its events as they arrive; see `api.chat.events`.

        Prefer `create_video`: a chat call has no ID, so if its connection breaks, its videos are lost.

        Args:
            spec: The order. The request is sent exactly once, when the first event is asked for.
            idempotency_key: Key by which a server recognizes a repeated order, or None.
            timeout: Time that the whole call may take.

        Raises:
            VeoError: The call failed, see `api.errors`. The server may charge as soon as the first event is there.
        """
        with self.get_conn() as client:
            yield from client.stream_chat(spec, idempotency_key, timeout.total_seconds())

    def cancel_video(self, video_id: str) -> bool:
        """Ask the server to stop a job, and log its answer.

        Args:
            video_id: ID of the job.

        Returns:
            False if the server cannot cancel jobs.
        """
        with self.get_conn() as client:
            cancellation = client.cancel_video(video_id)
        return _log_cancellation(self.log, video_id, cancellation)

    async def acancel_video(self, video_id: str) -> bool:
        """Do as `cancel_video`, without blocking the event loop."""
        async with AsyncVeoClient(await self.aget_settings()) as client:
            cancellation = await client.cancel_video(video_id)
        return _log_cancellation(self.log, video_id, cancellation)

    def wait_for_video(self, video_id: str, policy: WaitPolicy | None = None) -> Outcome:
        """Block until the video is finished.

        Args:
            video_id: ID of the job.
            policy: Times and limits of the wait; by default up to 20 minutes from now.

        Raises:
            VideoFailedError: The job has ended without a video.
            VideoTimeoutError: The deadline has passed.
            VeoError: The status cannot be read.
        """
        with self.get_conn() as client:
            policy = policy or wait_policy(time.time())
            outcome = client.wait_for_video(video_id, policy, lambda news: self.log.info(news.text))
        outcome = self.settle(outcome)
        outcome.raise_for_kind()
        return outcome

    def restore_url(self, outcome: Outcome) -> Outcome:
        """Return an outcome with the address of its video. Events hold only addresses that are surely not signed."""
        if not outcome.url_withheld:
            return outcome
        try:
            return replace(outcome, url=self.get_video(outcome.video_id).url)
        except VeoError as error:
            self.log.warning("Video %s: its address is not known any more. %s", outcome.video_id, error)
            return outcome

    def settle(self, outcome: Outcome) -> Outcome:
        """Return an outcome without doubt. A job whose status leaves doubt is completed if its content is there.

        Args:
            outcome: The outcome of the wait.

        Raises:
            VeoError: The server cannot be asked for the content now.
        """
        if not outcome.in_doubt:
            return outcome
        no_video = VideoFailedError if outcome.kind == "failed" else ContentNotReadyError
        try:
            with self.get_conn() as client, client.content(outcome.video_id, None).open():
                pass
        except no_video:
            return outcome
        status = outcome.message or outcome.status
        self.log.warning("Video %s is there, although its status says otherwise: %s", outcome.video_id, status)
        return outcome.mark_completed()

    def download_video(
        self,
        destination: Destination,
        *,
        video_id: str | None = None,
        url: str | None = None,
        if_exists: IfExists = "skip",
        sha256: str | None = None,
        content_timeout: timedelta = timedelta(minutes=2),
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> StoredVideo:
        """Store a finished video: whole, checked, and in one step.

        Args:
            destination: Absolute path, URI such as `s3://conn_id@bucket/key.mp4`, `ObjectStoragePath`, or a path
                relative to `[veo] storage`. The text `{video_id}` in it stands for the video's ID. If it ends in "/",
                it is a folder, and the file in it is named `<video_id>.mp4`.
            video_id: ID of the job. Give this or `url`. With both, the ID fills `{video_id}` in the destination.
            url: Address of the file. Give this or `video_id`.
            if_exists: Treatment of a file that is at the destination already. `skip` keeps it if it is the same
                video, as far as can be known: a whole file of the size that the server names, and with the hash that
                is given. If it is another file, that is an error. `overwrite` replaces it. `fail` is an error.
            sha256: SHA-256 of the video in hexadecimal, or None if it is not known.
            content_timeout: Time to wait for the content of a completed job if it is not there yet.
            max_bytes: Size of the largest video that is downloaded, in bytes.

        Raises:
            ContentGoneError: The server has deleted the video.
            ContentError: The server sends a file that is not a whole video, or is too large.
            InvalidInputError: The destination cannot be used, or another file is there.
            StorageError: The destination does not take the video, which is in the salvage folder now.
            VeoError: The server refuses, or cannot be reached; see `api.errors`.
        """
        target = destinations.resolve(destination, name=_name_of(video_id, url))
        policy = replace(self.download_policy, content_timeout=content_timeout.total_seconds(), max_bytes=max_bytes)
        with (
            adding(video_id=video_id),
            span("veo.download_video", video_id=video_id) as traced,
            self.get_conn() as client,
        ):
            stored = self._find_stored_by_api(client, destination, video_id)
            if stored is None:
                spare = salvage.find_salvage_target(self.settings.base_url, video_id, url)
                download = Download(client.content(video_id, url), policy, self.log)
                stored = deliver(download, target, spare, if_exists=if_exists, sha256=sha256)
            traced.set_attribute("veo.bytes", stored.bytes)
        # once for all blocks
        get_hook_lineage_collector().add_output_asset(context=self, uri=stored.uri)
        return stored

    def _find_stored_by_api(
        self, client: VeoClient, destination: Destination, video_id: str | None
    ) -> StoredVideo | None:
        """Return the video that the API itself has stored below the destination; None if it is to be downloaded.

        Raises:
            StorageError: The video cannot be read there.
            VeoError: The API cannot be asked for the video's place.
        """
        if video_id is None or client.settings.backend.output_uri is None:
            return None
        address = client.get_video(video_id).url
        place = destinations.find_below(destination, address) if address else None
        if place is None:
            return None
        with storage_errors(f"{place}, which the API has stored, cannot be read"):
            stored = find_stored(place)
        if stored:
            self.log.info("%s is below the destination already (%d bytes), so nothing is copied", place, stored.bytes)
        return stored

    def test_connection(self) -> tuple[bool, str]:
        """Check the address and the key for the "Test" button of Airflow's connection form. Nothing is ordered.

        Returns:
            Whether the connection works, and a text for people.
        """
        try:
            with self.get_conn() as client:
                return client.check_api()
        except VeoError as error:
            if isinstance(error, TransportError):
                error.add(advice="Check the connection's host and port, and that Airflow's API server can reach it.")
            return False, str(error)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Describe the standard fields of the form for Airflow before 3.2; later ones read the provider info."""
        behaviour = _connection_type()["ui-field-behaviour"]
        return {key.replace("-", "_"): value for key, value in behaviour.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Describe the extra fields of the form for Airflow before 3.2; later ones read the provider info."""
        # of old API servers only
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget  # noqa: PLC0415
        from wtforms import PasswordField, StringField  # noqa: PLC0415
        from wtforms.validators import Optional, any_of  # noqa: PLC0415

        def widget(field: dict[str, Any]) -> Any:
            choices = field["schema"].get("enum")
            is_secret = field["schema"].get("format") == "password"
            return (PasswordField if is_secret else StringField)(
                field["label"],
                validators=[Optional(), any_of(choices)] if choices else [Optional()],
                description=field["description"],
                default=field["schema"]["default"],
                widget=BS3PasswordFieldWidget() if is_secret else BS3TextFieldWidget(),
            )

        return {name: widget(field) for name, field in _connection_type()["conn-fields"].items()}


def _log_cancellation(log: Any, video_id: str, cancellation: Cancellation) -> bool:
    """Log the server's answer; return False if the server cannot cancel jobs."""
    level = logging.INFO if cancellation is Cancellation.STOPPED else logging.WARNING
    log.log(level, "%s", cancellation.value.format(video_id))
    return cancellation is not Cancellation.IMPOSSIBLE


def _name_of(video_id: str | None, url: str | None) -> str:
    """Return the name of a downloaded file: the video's ID, or the name in its address."""
    if video_id:
        return video_id
    if url:
        return url.partition("?")[0].rstrip("/").rpartition("/")[2].removesuffix(".mp4") or "video"
    raise InvalidInputError("Neither video_id nor url is given: there is nothing to download.")


def _connection_type() -> dict[str, Any]:
    from airflow_provider_veo.get_provider_info import get_provider_info  # noqa: PLC0415 - for a form, not for tasks

    return cast("dict[str, Any]", get_provider_info()["connection-types"][0])
