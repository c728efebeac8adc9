"""Send requests to one server with one connection's settings: its key, its headers, its limits."""

from __future__ import annotations

import asyncio

import httpx

from airflow_provider_veo import __version__
from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.errors import VeoError, adding
from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.net.bodies import Body
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.exchange import AsyncExchanges, AsyncResponse, Exchanges, Response
from airflow_provider_veo.api.net.limits import Limits
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.settings import ClientSettings, make_tls_context

HEADERS = {
    "Accept-Encoding": "identity",  # a compressed body has no length, and may expand to any size
    "Connection": "keep-alive",
    "User-Agent": f"airflow-provider-veo/{__version__}",
}
"""Headers of every request."""


class _Session:
    """The common part of the blocking and the asynchronous session.

    Attributes:
        settings: The settings of the connection.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        with adding(where=settings.place):
            self._tls = make_tls_context(settings.verify)

    def build_request(self, request: ApiRequest) -> httpx.Request:
        """Return a request to the API, with the key.

        Raises:
            VeoError: There is no token in place of a key.
        """
        return httpx.Request(
            request.method,
            self.settings.base_url + request.path,
            json=request.json,
            files=list(request.parts) or None,
            headers={**HEADERS, "Accept": "application/json", **request.headers, **self.settings.authorization()},
        )

    def limits_of(self, request: ApiRequest) -> Limits:
        """Return the limits of a request to the API: an order may take longer than a question."""
        return (limits.of_order if request.method == "POST" else limits.of_status_call)(self.settings.timeout)

    def read_answer(self, response: Response | AsyncResponse, body: Body) -> Answer:
        """Return the answer in a response, from which the key is removed.

        Args:
            response: Response whose head has arrived.
            body: Body of the response, or its beginning.
        """
        return Answer.of(
            response.status,
            bytes(body),
            response.head,
            response.url,
            is_cut=body.is_cut,
            secrets=self.settings.secrets,
            method=response.method,
        )

    def hide(self, text: str) -> str:
        """Return a text without the secrets of the connection. Its token may change during the session."""
        return self.settings.mask.hide(text)

    def forget_token(self, answer: Answer) -> bool:
        """Return whether a request is to be sent again with another token: the API has refused the one that was sent.

        Such a request has had no effect, so that an order may be repeated, too.
        """
        tokens = self.settings.tokens
        if tokens is None or answer.status != httpx.codes.UNAUTHORIZED:
            return False
        tokens.forget(tokens.token)
        return True

    def add_where(self, error: BaseException | None) -> None:
        """Add to an error the connection that it belongs to."""
        if isinstance(error, VeoError):
            error.add(where=self.settings.place)


class Session(_Session):
    """Blocking requests. Close it after use.

    Attributes:
        exchanges: Connections of the session to servers.
    """

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        self.exchanges = Exchanges(self._tls, self.hide)

    def close(self) -> None:
        """Close the connections."""
        self.exchanges.close()

    def send(self, request: ApiRequest, within: Limits | None = None) -> Answer:
        """Send a request to the API and return the answer. An answer with an error status is an answer, too.

        Args:
            request: Request that is sent to the API.
            within: Limits of the call, or None for the usual ones.

        Raises:
            NotSentError: The request surely did not reach the server.
            TransportError: There is no complete answer.
        """
        answer = self._send_once(request, within)
        return self._send_once(request, within) if self.forget_token(answer) else answer

    def _send_once(self, request: ApiRequest, within: Limits | None) -> Answer:
        built = self.build_request(request)
        with self.exchanges.open(built, Clock(within or self.limits_of(request))) as response:
            return self.read_answer(response, response.read())


class AsyncSession(_Session):
    """Requests that do not block the event loop. Close it after use."""

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        self._exchanges = AsyncExchanges(self._tls, settings.base_url, self.hide)
        self._renewing = asyncio.Lock()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchanges.aclose()

    async def send(self, request: ApiRequest) -> Answer:
        """Do as `Session.send`."""
        answer = await self._send_once(request)
        return await self._send_once(request) if self.forget_token(answer) else answer

    async def _send_once(self, request: ApiRequest) -> Answer:
        await self._renew_token()
        async with self._exchanges.open(self.build_request(request), Clock(self.limits_of(request))) as response:
            return self.read_answer(response, await response.read())

    async def _renew_token(self) -> None:
        """Ask for a token in a thread, if there is none. Other calls of this session wait, and need no thread."""
        tokens = self.settings.tokens
        if tokens is None or tokens.is_fresh:
            return
        async with self._renewing:
            if not tokens.is_fresh:
                await asyncio.to_thread(tokens.get_headers)
