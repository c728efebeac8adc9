"""The client that all who wait for videos of one connection share: up to date, and at the server's pace."""

from __future__ import annotations

import asyncio
import logging

from airflow_provider_veo.api.client import AsyncVeoClient
from airflow_provider_veo.api.errors import ApiError, Reason, TransportError, VeoError
from airflow_provider_veo.api.polling import pace
from airflow_provider_veo.api.settings import ClientSettings, tls_context
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.hooks.veo import VeoHook

_FRESH = 300.0
"""Seconds after which the connection is looked up again: its host or key may have changed without a refusal."""

_LOOK_UP_SECONDS = 20.0
"""For looking up the connection. Airflow's own database may be slow, too."""

log = logging.getLogger(__name__)


class SharedClient:
    """Asks with what the Airflow connection says now.

    Args:
        conn_id: the Airflow connection.
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
        """Seconds for which the server does not want to be asked; 0 or less if it may be."""
        return self._pace.resume_at - self._loop.time()

    @property
    def is_looking_up(self) -> bool:
        """Whether the connection is being looked up."""
        return self._looking_up.locked()

    async def get_video(self, video_id: str) -> Video:
        """Ask how a job stands.

        Raises:
            VeoError: see `api.errors`.
        """
        begun_at = self._loop.time()
        self._pace = pace.start_call(self._pace, begun_at)
        client = await self._up_to_date_client(begun_at - _FRESH)
        try:
            return await self._ask(client, video_id)
        except ApiError as error:
            if error.reason is not Reason.AUTHENTICATION:
                raise
            renewed = await self._up_to_date_client(begun_at)
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

    async def _up_to_date_client(self, moment: float) -> AsyncVeoClient:
        """Return a client with what the connection has said since a moment.

        A look-up costs the triggerer's supervisor 7 ms, so however many ask at once, one looks.
        """
        if self._client and self._looked_up_at >= moment:
            return self._client
        async with self._looking_up:
            if self._client and self._looked_up_at >= moment:
                return self._client
            looking_since = self._loop.time()
            settings = await self._look_up()
            if self._client is None or self._client.settings != settings:
                await asyncio.to_thread(tls_context, settings.verify)  # reads files
                if self._client:
                    log.info("Connection %s has changed", self._conn_id)
                    await self._client.aclose()
                self._client = AsyncVeoClient(settings)
            self._looked_up_at = looking_since
            return self._client

    async def _look_up(self) -> ClientSettings:
        try:
            return await asyncio.wait_for(VeoHook(self._conn_id).aget_settings(), _LOOK_UP_SECONDS)
        except VeoError:
            raise
        except Exception as error:  # Airflow's own troubles may pass, and must not end thousands of waits
            raise TransportError(f"Connection {self._conn_id!r} could not be looked up: {error!r}") from error
