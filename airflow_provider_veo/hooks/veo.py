"""An Airflow connection becomes a client of the video API."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
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

from airflow_provider_veo.api.backends.openai.cancelling import Cancellation
from airflow_provider_veo.api.backends.openai.probe import check_api
from airflow_provider_veo.api.chat.events import ChatEvent
from airflow_provider_veo.api.client import AsyncVeoClient, VeoClient
from airflow_provider_veo.api.content.download import DEFAULT_MAX_BYTES, DownloadPolicy
from airflow_provider_veo.api.errors import (
    ContentNotReadyError,
    InvalidInputError,
    TransportError,
    VeoError,
    VideoFailedError,
    adding,
)
from airflow_provider_veo.api.polling.decision import News, Outcome, WaitPolicy
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.hooks.connection import (
    DEFAULT_TIMEOUT,
    client_settings,
    explain_missing_connection,
    mask_headers,
    read_connection,
    read_extra,
    wait_policy,
)
from airflow_provider_veo.observability.tracing import span
from airflow_provider_veo.storage import places, salvage
from airflow_provider_veo.storage.delivery import Delivery, IfExists
from airflow_provider_veo.storage.files import StoredVideo
from airflow_provider_veo.storage.places import Destination


class VeoHook(BaseHook):
    """Talks to a `/v1/videos` API with the address and the key of an Airflow connection of type `veo`.

    Args:
        conn_id: the connection. Its host is the API's base URL, its password the API key; its extra may hold
            `auth_scheme`, `request_format`, `default_model`, `timeout`, `verify`, `allow_private_addresses` and
            `headers`.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "veo_default"
    conn_type = "veo"
    hook_name = "Veo (OpenAI-style video API)"

    content_poll_interval = 4.0
    """Seconds between two looks for content that lags behind `completed` (the gateways' documentation: 4 s)."""

    retry_pause = 0.5
    """Seconds before a broken download goes on; doubled with each attempt that brings nothing."""

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.conn_id = conn_id

    @cached_property
    def settings(self) -> ClientSettings:
        """What the connection says.

        Raises:
            InvalidInputError: the connection is incomplete or wrong.
        """
        return read_connection(self.conn_id)

    def get_conn(self) -> VeoClient:
        """Return a new client, to be closed by the caller."""
        return VeoClient(self.settings)

    async def aget_settings(self) -> ClientSettings:
        """Return what the connection says; looks it up, once, without blocking the loop."""
        if "settings" not in self.__dict__:
            with explain_missing_connection(self.conn_id):
                connection = await self._aget_connection()
            settings = client_settings(connection, await read_extra(connection))
            await sync_to_async(mask_headers)(settings)  # it may send a request to the supervisor
            self.settings = settings
        return self.settings

    async def aget_conn(self) -> AsyncVeoClient:
        """Return a new async client, to be closed by the caller."""
        return AsyncVeoClient(await self.aget_settings())

    async def _aget_connection(self) -> Connection:
        try:
            return await get_async_connection(self.conn_id, hook=self)
        except AirflowNotFoundException:
            # Under dag.test() on Airflow 3.3 the async look-up cannot see the database; the blocking one can.
            return await sync_to_async(self.get_connection)(self.conn_id)

    def create_video(self, spec: VideoSpec, idempotency_key: str | None = None) -> Video:
        """Order a video. The request is sent exactly once.

        Args:
            spec: what to order.
            idempotency_key: servers that honour it answer a repeated order with the first one's job.

        Raises:
            VeoError: see `api.errors`. After a `TransportError` that is no `NotSentError` nobody knows whether the
                job exists.
        """
        with self.get_conn() as client:
            return client.create_video(spec, idempotency_key)

    async def acreate_video(self, spec: VideoSpec, idempotency_key: str | None = None) -> Video:
        """Do as `create_video`."""
        async with await self.aget_conn() as client:
            return await client.create_video(spec, idempotency_key)

    def get_video(self, video_id: str) -> Video:
        """Ask how a job stands."""
        with self.get_conn() as client:
            return client.get_video(video_id)

    async def aget_video(self, video_id: str) -> Video:
        """Do as `get_video`."""
        async with await self.aget_conn() as client:
            return await client.get_video(video_id)

    def stream_chat(
        self, spec: ChatSpec, idempotency_key: str | None = None, timeout: timedelta = DEFAULT_TIMEOUT
    ) -> Iterator[ChatEvent]:
        """Order videos by the streaming chat call, and yield its events as they arrive: see `api.chat_events`.

        Prefer `create_video`: a chat call has no id, so what is lost with its connection is lost.

        Args:
            spec: what to order. The request is sent exactly once, when the first event is asked for.
            idempotency_key: for servers that honour it.
            timeout: for the whole.

        Raises:
            VeoError: see `api.errors`. The seed gateway charges as soon as the first event is there.
        """
        with self.get_conn() as client:
            yield from client.stream_chat(spec, idempotency_key, timeout.total_seconds())

    async def astream_chat(
        self, spec: ChatSpec, idempotency_key: str | None = None, timeout: timedelta = DEFAULT_TIMEOUT
    ) -> AsyncIterator[ChatEvent]:
        """Do as `stream_chat`."""
        async with await self.aget_conn() as client:
            async for event in client.stream_chat(spec, idempotency_key, timeout.total_seconds()):
                yield event

    def cancel_video(self, video_id: str) -> bool:
        """Ask the server to stop a job; False where it cannot. The log says how far it has, by its own words."""
        with self.get_conn() as client:
            return _told(self.log, video_id, client.cancel_video(video_id))

    async def acancel_video(self, video_id: str) -> bool:
        """Do as `cancel_video`."""
        async with await self.aget_conn() as client:
            return _told(self.log, video_id, await client.cancel_video(video_id))

    def wait_for_video(self, video_id: str, policy: WaitPolicy | None = None) -> Outcome:
        """Block until the video is there.

        Args:
            video_id: of the job.
            policy: how to wait; by default up to 20 minutes from now.

        Raises:
            VideoFailedError: the job ended without a video.
            VideoTimeoutError: the deadline passed.
            VeoError: the status could not be learnt.
        """
        with self.get_conn() as client:
            outcome = client.wait_for_video(video_id, policy or wait_policy(time.time()), self._tell)
        outcome = self.settled(outcome)
        outcome.raise_for_kind()
        return outcome

    async def await_for_video(self, video_id: str, policy: WaitPolicy | None = None) -> Outcome:
        """Do as `wait_for_video`."""
        async with await self.aget_conn() as client:
            outcome = await client.wait_for_video(video_id, policy or wait_policy(time.time()), self._tell)
        outcome = await asyncio.to_thread(self.settled, outcome)
        outcome.raise_for_kind()
        return outcome

    def with_url(self, outcome: Outcome) -> Outcome:
        """Return an outcome with its address, which the event of a trigger holds only if it surely is not signed."""
        if not outcome.url_withheld:
            return outcome
        try:
            return replace(outcome, url=self.get_video(outcome.video_id).url)
        except VeoError as error:
            self.log.warning("Video %s: its address is not known any more. %s", outcome.video_id, error)
            return outcome

    def settled(self, outcome: Outcome) -> Outcome:
        """Return how a job has ended whose status leaves it in doubt: completed if its content is there.

        Args:
            outcome: of the wait.

        Raises:
            VeoError: that cannot be learnt now.
        """
        if not outcome.in_doubt:
            return outcome
        no_video = VideoFailedError if outcome.kind == "failed" else ContentNotReadyError
        try:
            with self.get_conn() as client, client.source(outcome.video_id, None).open(None):
                pass
        except no_video:
            return outcome
        said = outcome.message or outcome.status
        self.log.warning("Video %s is there, though its status tells otherwise: %s", outcome.video_id, said)
        return outcome.delivered()

    def _tell(self, news: News) -> None:
        self.log.info(news.text)

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
            destination: see `storage.places.resolve`.
            video_id: the job; its content route is asked. Either this
            url: or the address of the file is needed. With both, the id fills `{video_id}` in the destination.
            if_exists: what to do about a file that is there already. `skip` keeps it if it is this video, as far as can
                be known: a whole file, of the size that the server names and with the hash that is given; anything else
                is an error. `overwrite` replaces it, `fail` is an error.
            sha256: hash of the video, in hexadecimal, where it is known.
            content_timeout: how long to wait for content that lags behind `completed`.
            max_bytes: largest file taken.

        Raises:
            ContentGoneError: the server has thrown the video away.
            ContentError: what the server delivers is not a whole video, or too large.
            InvalidInputError: the destination cannot be used, or something else is there.
            StorageError: the destination does not take the video, which is in `[veo] salvage` then.
            VeoError: see `api.errors`.
        """
        target = places.resolve(destination, name=_name(video_id, url))
        policy = DownloadPolicy(
            content_timeout=content_timeout.total_seconds(),
            content_poll_interval=self.content_poll_interval,
            retry_pause=self.retry_pause,
            max_bytes=max_bytes,
        )
        with (
            adding(video_id=video_id),
            span("veo.download_video", video_id=video_id) as traced,
            self.get_conn() as client,
        ):
            spare = salvage.place_for(self.settings.base_url, video_id, url)
            delivery = Delivery(client.source(video_id, url), target, spare, video_id, policy, self.log)
            stored = delivery.deliver(if_exists, sha256)
            traced.set_attribute("veo.bytes", stored.bytes)
        # once, whatever the number of blocks
        get_hook_lineage_collector().add_output_asset(context=self, uri=stored.uri)
        return stored

    async def adownload_video(self, destination: Destination, **kwargs: Any) -> StoredVideo:
        """Do as `download_video`, in a thread: files have no async interface."""
        await self.aget_settings()
        return await asyncio.to_thread(self.download_video, destination, **kwargs)

    def test_connection(self) -> tuple[bool, str]:
        """Check address and key without ordering anything (the "Test" button of Airflow's connection form)."""
        try:
            with self.get_conn() as client:
                return check_api(client.call, client.settings.base_url, sends_key=bool(client.settings.secrets))
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
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget  # noqa: PLC0415 - of old API servers only
        from wtforms import StringField  # noqa: PLC0415
        from wtforms.validators import Optional, any_of  # noqa: PLC0415

        def widget(field: dict[str, Any]) -> Any:
            choices = field["schema"].get("enum")
            return StringField(
                field["label"],
                validators=[Optional(), any_of(choices)] if choices else [Optional()],
                description=field["description"],
                default=field["schema"]["default"],
                widget=BS3TextFieldWidget(),
            )

        return {name: widget(field) for name, field in _connection_type()["conn-fields"].items()}


def _told(log: Any, video_id: str, cancellation: Cancellation) -> bool:
    level = logging.INFO if cancellation is Cancellation.STOPPED else logging.WARNING
    log.log(level, "%s", cancellation.value.format(video_id))
    return cancellation is not Cancellation.IMPOSSIBLE


def _name(video_id: str | None, url: str | None) -> str:
    if video_id:
        return video_id
    if url:
        return url.partition("?")[0].rstrip("/").rpartition("/")[2].removesuffix(".mp4") or "video"
    raise InvalidInputError("Neither video_id nor url is given: there is nothing to download.")


def _connection_type() -> dict[str, Any]:
    from airflow_provider_veo.get_provider_info import get_provider_info  # noqa: PLC0415 - for a form, not for tasks

    return cast("dict[str, Any]", get_provider_info()["connection-types"][0])
