"""The API client that all waits of a connection share: it follows changes of the connection, and the server's pace."""

from __future__ import annotations

import asyncio
import logging

from airflow_provider_veo.api.client import AsyncVeoClient
from airflow_provider_veo.api.errors import ApiError, Reason, TransportError, VeoError
from airflow_provider_veo.api.polling import pace
from airflow_provider_veo.api.settings import ClientSettings, make_tls_context
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.hooks.veo import VeoHook

_MAX_AGE = 300.0
"""Seconds after which the connection is looked up again. Its host may have changed although no call was refused."""

_LOOK_UP_SECONDS = 20.0
"""Time limit in seconds for a look-up of the connection, since Airflow's database may be slow."""

log = logging.getLogger(__name__)


class SharedClient:
    """Makes status calls with the current settings of an Airflow connection.

    Args:
        conn_id: ID of the Airflow connection.
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._loop = asyncio.get_running_loop()
        self._pace = pace.Pace()
        self._client: AsyncVeoClient | None = None
        self._looked_up_at = 0.0
        self._looking_up = asyncio.Lock()

    @property
    def pause(self) -> float:
        """Seconds until the server accepts the next call; 0 or less if it accepts one now."""
        return self._pace.resume_at - self._loop.time()

    @property
    def is_looking_up(self) -> bool:
        """Whether the connection is being looked up."""
        return self._looking_up.locked()

    async def get_video(self, video_id: str, backend: str | None = None) -> Video:
        """Return the status of a job. If the key is refused, look the connection up again and repeat the call once.

        Args:
            video_id: ID of the job.
            backend: Name of the backend by which the job was ordered; None if it is not known.

        Raises:
            InvalidInputError: The connection has another backend now.
            VeoError: The call failed.
        """
        started_at = self._loop.time()
        self._pace = pace.start_call(self._pace, started_at)
        client = await self._get_client(started_at - _MAX_AGE)
        client.settings.check_backend(backend, video_id)
        try:
            return await self._ask(client, video_id)
        except ApiError as error:
            if error.reason is not Reason.AUTHENTICATION:
                raise
            renewed = await self._get_client(started_at)
            if renewed is client:
                raise
        return await self._ask(renewed, video_id)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client:
            await self._client.aclose()

    async def _ask(self, client: AsyncVeoClient, video_id: str) -> Video:
        sent_at = self._loop.time()
        try:
            video = await client.get_video(video_id)
        except ApiError as error:
            if error.reason is Reason.RATE_LIMITED or error.retry_after is not None:
                self._pace = pace.slow_down(self._pace, sent_at, self._loop.time(), error.retry_after)
            raise
        else:
            self._pace = pace.speed_up(self._pace)
            return video

    async def _get_client(self, since: float) -> AsyncVeoClient:
        """Return a client with the settings that the connection has had since a time.

        A look-up costs the triggerer's supervisor 7 ms. So only one of many callers looks the connection up, and the
        others wait for it.
        """
        if self._client and self._looked_up_at >= since:
            return self._client
        async with self._looking_up:
            if self._client and self._looked_up_at >= since:
                return self._client
            started_at = self._loop.time()
            settings = await self._look_up()
            if self._client is None or self._client.settings != settings:
                await asyncio.to_thread(make_tls_context, settings.verify)  # reads files
                if self._client:
                    log.info("Connection %s has changed. The next status calls use its new settings.", self._conn_id)
                    await self._client.aclose()
                self._client = AsyncVeoClient(settings)
            self._looked_up_at = started_at
            return self._client

    async def _look_up(self) -> ClientSettings:
        try:
            return await asyncio.wait_for(VeoHook(self._conn_id).aget_settings(), _LOOK_UP_SECONDS)
        except VeoError:
            raise
        except Exception as error:  # a failure of Airflow may pass, and must not end thousands of waits
            raise TransportError(
                f"Connection {self._conn_id!r} could not be looked up: {error!r}. Check Airflow's database, API server "
                "and secrets backend."
            ) from error
