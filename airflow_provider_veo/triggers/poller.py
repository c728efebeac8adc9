"""One poller for all who wait for videos of one connection in one event loop.

Thousands of triggers share one look-up of the connection, one TLS context and a bounded number of sockets. Each waits
for itself, so that one that is cancelled disturbs no other; what they share is the way to the server.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.sdk import AirflowNotFoundException, conf

from airflow_provider_veo.api import pace
from airflow_provider_veo.api.client import ONE_CONNECTION, AsyncVeoClient
from airflow_provider_veo.api.errors import ApiError, Reason, TransportError, VeoError
from airflow_provider_veo.api.gate import Gate
from airflow_provider_veo.api.polling import News, Outcome, WaitPolicy
from airflow_provider_veo.api.settings import ClientSettings, tls_context
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.api.waiting import wait_for_video_async
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.triggers.board import ProgressBoard

DEFAULT_IN_FLIGHT = 32
"""Status calls at once: enough for 160 a second where an answer takes 0.2 s, which is what 3 000 jobs need."""

_FRESH = 300.0
"""Seconds after which the connection is looked up again: its host or key may have changed without a refusal."""

_GRACE = 30.0
"""Seconds after the deadline in which the last question, asked by many at once, may still get its turn."""

log = logging.getLogger(__name__)


class Poller:
    """The way of many waiting coroutines to one server.

    Args:
        conn_id: the Airflow connection.

    Attributes:
        users: how many hold it; the last one closes it.
        board: where to show progress.
    """

    def __init__(self, conn_id: str) -> None:
        self.users = 0
        self.board = ProgressBoard()
        self._conn_id = conn_id
        self._loop = asyncio.get_running_loop()
        self._gate = Gate(max(1, conf.getint("veo", "max_in_flight_polls", fallback=DEFAULT_IN_FLIGHT)))
        self._idle: list[AsyncVeoClient] = []  # the one that was used last is taken first, so few sockets stay open
        self._settings: ClientSettings | None = None
        self._looked_up_at = 0.0
        self._looking_up = asyncio.Lock()

    async def wait_for_video(
        self, video_id: str, policy: WaitPolicy, tell: Callable[[News], None], model: str | None = None
    ) -> Outcome:
        """Wait until the job is finished, the deadline has passed or asking has become pointless.

        Args:
            video_id: of the job.
            policy: how to wait.
            tell: called whenever something has changed.
            model: whose earlier jobs the schedule learns from.
        """

        async def ask(video_id: str) -> Video:
            await self._gate.enter(patience=policy.deadline + _GRACE - time.time())
            try:
                return await self._get_video(video_id)
            finally:
                self._gate.leave()

        return await wait_for_video_async(ask, video_id, policy, tell, _earlier_jobs(self._conn_id, model))

    async def aclose(self) -> None:
        """Close the connections."""
        self._gate.close()
        while self._idle:
            await self._idle.pop().aclose()

    async def _get_video(self, video_id: str) -> Video:
        sent_at = self._loop.time()
        settings = await self._look_up(older_than=sent_at - _FRESH)
        try:
            return await self._ask(settings, video_id)
        except ApiError as error:
            if error.reason is not Reason.AUTHENTICATION:
                raise
            renewed = await self._look_up(older_than=sent_at)
            if renewed == settings:
                raise
        log.info("Connection %s has changed; asking with its new key", self._conn_id)
        return await self._ask(renewed, video_id)

    async def _ask(self, settings: ClientSettings, video_id: str) -> Video:
        client = await self._client(settings)
        sent_at = self._loop.time()
        try:
            video = await client.get_video(video_id)
        except ApiError as error:
            if error.reason is Reason.RATE_LIMITED or error.retry_after is not None:
                self._gate.pace = pace.refused(self._gate.pace, sent_at, self._loop.time(), error.retry_after)
            raise
        else:
            self._gate.pace = pace.answered(self._gate.pace)
            return video
        finally:
            self._idle.append(client)

    async def _client(self, settings: ClientSettings) -> AsyncVeoClient:
        while self._idle:
            client = self._idle.pop()
            if client.settings is settings:
                return client
            await client.aclose()  # of before the connection has changed
        return AsyncVeoClient(settings, ONE_CONNECTION)

    async def _look_up(self, older_than: float) -> ClientSettings:
        """Return what the connection says, looked up again if that was before a moment.

        A look-up costs the triggerer's supervisor 7 ms, so however many ask at once, one looks.
        """
        if self._settings is not None and self._looked_up_at > older_than:
            return self._settings
        async with self._looking_up:
            if self._settings is not None and self._looked_up_at > older_than:
                return self._settings
            found = await self._connection()
            await asyncio.to_thread(tls_context, found.verify)  # reads files
            self._looked_up_at = self._loop.time()
            if found != self._settings:
                self._settings = found
            return self._settings

    async def _connection(self) -> ClientSettings:
        try:
            return await VeoHook(self._conn_id).aget_settings()
        except (VeoError, AirflowNotFoundException):
            raise
        except Exception as error:  # Airflow's own troubles may pass, and must not end thousands of waits
            raise TransportError(f"Connection {self._conn_id!r} could not be looked up: {error!r}") from error


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


@asynccontextmanager
async def shared_poller(conn_id: str) -> AsyncIterator[Poller]:
    """Give the poller of a connection in this event loop; who leaves it last closes it."""
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    poller = pollers.get(conn_id)
    if poller is None:
        poller = pollers[conn_id] = Poller(conn_id)
    poller.users += 1
    try:
        yield poller
    finally:
        poller.users -= 1
        if not poller.users:
            del pollers[conn_id]
            await asyncio.shield(poller.aclose())  # Airflow may cancel a trigger more than once


@lru_cache(maxsize=256)
def _earlier_jobs(_conn_id: str, _model: str | None) -> deque[float]:
    """Return the seconds that the last jobs took; they outlive the poller."""
    return deque(maxlen=20)
