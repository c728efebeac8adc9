"""The HTTP clients, sync and async. They move bytes; what to send and what an answer means is decided elsewhere."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from airflow_provider_veo import __version__
from airflow_provider_veo.api import addresses, content, mp4, requests, urls, waiting
from airflow_provider_veo.api.answers import Answer
from airflow_provider_veo.api.chat import ChatReader
from airflow_provider_veo.api.chat_events import Accepted, ChatEvent, Failure, Note
from airflow_provider_veo.api.content import ContentStream, Resume
from airflow_provider_veo.api.download import Source
from airflow_provider_veo.api.errors import (
    ContentError,
    NotSentError,
    TransportError,
    VideoTimeoutError,
    error_from,
)
from airflow_provider_veo.api.polling import News, Outcome, WaitPolicy
from airflow_provider_veo.api.requests import ApiRequest, ChatSpec, VideoSpec
from airflow_provider_veo.api.settings import ClientSettings, tls_context
from airflow_provider_veo.api.video import Video, parse_video

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

# Local servers are given keys like "x" or "EMPTY". These are no secrets, and may be a part of any word or job's id.
_SHORTEST_SECRET = 8
DEFAULT_CHAT_TIMEOUT = 1200.0
"""Seconds that a chat call may take."""

_HEADERS = {
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
    "User-Agent": f"airflow-provider-veo/{__version__}",
}
_CHAT = "Making videos by the chat call"
_ONE_CONNECTION = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=60)
_CANNOT_CANCEL = (404, 405, 501)  # no such route, or nothing left to cancel
_PRIVATE_ADVICE = (
    "If the gateway keeps its files in your own network, set allow_private_addresses to true in the Airflow connection."
)
_TEXT_LIMIT = 64 * 1024  # a body that is no video is read this far to find out what it is
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@contextmanager
def _transport_errors(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except httpx.RequestError as error:
        kind = NotSentError if isinstance(error, _NEVER_SENT) else TransportError
        where = urls.redact(str(request.url))
        raise kind(f"{request.method} {where}: {type(error).__name__}: {error}".rstrip(": ")) from error


class _Client:
    """What the sync and the async client have in common."""

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._verify = tls_context(settings.verify)
        self._timeout = httpx.Timeout(settings.timeout).as_dict()
        self._authorization = settings.authorization()

    def _request(self, request: ApiRequest) -> httpx.Request:
        return httpx.Request(
            request.method,
            self.settings.base_url + request.path,
            json=request.json,
            files=list(request.parts) or None,
            headers={**_HEADERS, "Accept": "application/json", **request.headers, **self._authorization},
            extensions={"timeout": self._timeout},
        )

    def _content_request(self, url: str, what: str, resume: Resume | None) -> httpx.Request:
        # "identity": some proxies compress videos, and then no length can be checked
        headers = {**_HEADERS, "Accept-Encoding": "identity", "Accept": "*/*"}
        headers |= resume.headers() if resume else {}
        extensions: dict[str, Any] = {"timeout": self._timeout}
        if urls.same_origin(url, self.settings.base_url):
            headers |= self._authorization
        else:
            self._address_rule.check(url, what)
            extensions |= self._address_rule.connection_check(url, what)
        try:
            return httpx.Request("GET", url, headers=headers, extensions=extensions)
        except httpx.InvalidURL as error:
            raise ContentError(f"The video's address {urls.redact(url)!r} cannot be used: {error}.") from None

    @cached_property
    def _address_rule(self) -> addresses.AddressRule:
        """Say where a server may send us: not into our private network, unless it is there itself."""
        allowed = addresses.networks_of(self.settings.base_url)
        if self.settings.allow_private_addresses:
            allowed |= addresses.NOT_PUBLIC
        return addresses.AddressRule(allowed, _PRIVATE_ADVICE)

    def _answer(self, response: httpx.Response, body: bytes | None = None) -> Answer:
        text = response.text if body is None else body.decode(errors="replace")
        return Answer(
            status=response.status_code,
            text=self._without_key(text),
            headers={name.lower(): value for name, value in response.headers.items()},
            url=str(response.request.url),
        )

    def _without_key(self, text: str) -> str:
        """Servers quote what they were sent in their error messages."""
        key = self.settings.api_key or ""
        return text.replace(key, "***") if len(key) >= _SHORTEST_SECRET else text

    def _chat_request(self, spec: ChatSpec, idempotency_key: str | None, timeout: float) -> httpx.Request:
        request = self._request(requests.chat_completion(spec, idempotency_key))
        # a server may be silent for as long as a video takes
        request.extensions["timeout"] = httpx.Timeout(self.settings.timeout, read=timeout).as_dict()
        return request

    def _shown(self, event: ChatEvent) -> ChatEvent:
        if isinstance(event, Failure):
            return replace(event, message=self._without_key(event.message))
        return replace(event, text=self._without_key(event.text)) if isinstance(event, Note) else event

    def _parse_cancelled(self, video_id: str) -> Callable[[Answer], bool]:
        def parse(answer: Answer) -> bool:
            if answer.ok or answer.status in _CANNOT_CANCEL:
                return answer.ok
            raise error_from(answer, f"Cancelling video {video_id}")

        return parse

    def _parse_status(self, video_id: str) -> Callable[[Answer], Video]:
        return lambda answer: parse_video(answer, f"Asking for video {video_id}", video_id)


class VeoClient(_Client):
    """A blocking client. Use it as a context manager, or close it.

    Every method raises an error of `api.errors`: `NotSentError`, `TransportError`, `ApiError`, `InvalidInputError`.
    """

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        self._http = httpx.Client(verify=self._verify)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create_video(self, spec: VideoSpec, idempotency_key: str | None = None) -> Video:
        """Order a video. This is the call that costs money.

        The order is sent once; a second time only as `requests.create_video_as_form` allows.
        """
        order = spec, self.settings.request_format, idempotency_key
        answer = self.call(requests.create_video(*order))
        again = requests.create_video_as_form(*order, answer)
        return parse_video(self.call(again) if again else answer, "Creating the video")

    def get_video(self, video_id: str) -> Video:
        """Ask how a job stands."""
        return self._call(requests.get_video(video_id), self._parse_status(video_id))

    def stream_chat(
        self, spec: ChatSpec, idempotency_key: str | None = None, timeout: float = DEFAULT_CHAT_TIMEOUT
    ) -> Iterator[ChatEvent]:
        """Order videos by the chat call, and yield its events as they arrive: first `Accepted`, last `End`.

        Args:
            spec: the order. The call costs money; it is sent exactly once, when the first event is asked for.
            idempotency_key: for servers that honour it.
            timeout: seconds that the whole may take.

        Raises:
            VideoTimeoutError: the time is over.
        """
        request = self._chat_request(spec, idempotency_key, timeout)
        reader = ChatReader(spec.prompt, *spec.frame_urls, most=spec.n)
        give_up_at = time.monotonic() + timeout
        with _transport_errors(request):
            response = self._http.send(request, stream=True)
            try:
                if not response.is_success:
                    response.read()
                    raise error_from(self._answer(response), _CHAT)
                yield Accepted()
                for chunk in response.iter_bytes():
                    yield from map(self._shown, reader.feed(chunk))
                    _check_time(give_up_at, timeout)
            finally:
                response.close()
        yield from map(self._shown, reader.end())

    def cancel_video(self, video_id: str) -> bool:
        """Stop a job; False where the server cannot, so that the job goes on and may be billed."""
        return self._call(requests.cancel_video(video_id), self._parse_cancelled(video_id))

    def wait_for_video(self, video_id: str, policy: WaitPolicy, tell: Callable[[News], None]) -> Outcome:
        """Ask until the job is finished, the deadline has passed or asking has become pointless.

        Args:
            video_id: of the job.
            policy: how to wait.
            tell: called whenever something has changed.
        """
        return waiting.wait_for_video(self.get_video, waiting.Wait(video_id, policy, tell))

    def call(self, request: ApiRequest) -> Answer:
        """Send any request and return the answer, whatever its status."""
        return self._call(request, lambda answer: answer)

    def source(self, video_id: str | None, url: str | None) -> Source:
        """Return what `download` needs; for the arguments see `open_content`."""
        return Source(
            open=lambda resume: self.open_content(video_id=video_id, url=url, resume=resume),
            status=partial(self.get_video, video_id) if video_id and not url else None,
            what=download_name(video_id, url),
        )

    @contextmanager
    def open_content(
        self, *, video_id: str | None = None, url: str | None = None, resume: Resume | None = None
    ) -> Iterator[ContentStream]:
        """Open the video's bytes, following redirects and JSON answers to where they are.

        The API key goes to the API's own origin only, and no address in a private network is asked: see `addresses`.

        Args:
            video_id: the job whose content route is asked. Either this
            url: or the address of the file is needed. With both, the id is for messages only.
            resume: where an earlier transfer has broken off. The stream begins there, or at 0 if the server cannot.

        Raises:
            ContentNotReadyError: ask again in a few seconds.
            ContentChangedError: the server can neither go on nor begin anew: ask again without `resume`.
            ContentError: what is there is not a video.
            InvalidInputError: the server points into a private network.
        """
        target = url or self.settings.base_url + requests.get_content(str(video_id)).path
        what = download_name(video_id, url)
        for _ in range(content.MAX_HOPS):
            request = self._content_request(target, what, resume)
            with _transport_errors(request):
                response = self._http.send(request, stream=True)
            try:
                with _transport_errors(request):
                    stream, body = _opened(response, resume)
                    if stream:
                        yield stream
                        return
            finally:
                response.close()
            target = content.next_hop(self._answer(response, body), what).url
        raise ContentError(f"{what}: more than {content.MAX_HOPS} redirects.")

    def _call(self, request: ApiRequest, parse: Callable[[Answer], T]) -> T:
        http_request = self._request(request)
        with _transport_errors(http_request):
            response = self._http.send(http_request)
        return parse(self._answer(response))


class AsyncVeoClient(_Client):
    """The async twin of `VeoClient`: nothing in it blocks the event loop."""

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        self._http = httpx.AsyncClient(verify=self._verify)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def create_video(self, spec: VideoSpec, idempotency_key: str | None = None) -> Video:
        """Do as `VeoClient.create_video`."""
        order = spec, self.settings.request_format, idempotency_key
        answer = await self.call(requests.create_video(*order))
        again = requests.create_video_as_form(*order, answer)
        return parse_video(await self.call(again) if again else answer, "Creating the video")

    async def get_video(self, video_id: str) -> Video:
        """Ask how a job stands."""
        return await self._call(requests.get_video(video_id), self._parse_status(video_id))

    async def stream_chat(
        self, spec: ChatSpec, idempotency_key: str | None = None, timeout: float = DEFAULT_CHAT_TIMEOUT
    ) -> AsyncIterator[ChatEvent]:
        """Do as `VeoClient.stream_chat`."""
        request = self._chat_request(spec, idempotency_key, timeout)
        reader = ChatReader(spec.prompt, *spec.frame_urls, most=spec.n)
        give_up_at = time.monotonic() + timeout
        with _transport_errors(request):
            response = await self._http.send(request, stream=True)
            try:
                if not response.is_success:
                    await response.aread()
                    raise error_from(self._answer(response), _CHAT)
                yield Accepted()
                async for chunk in response.aiter_bytes():
                    for event in reader.feed(chunk):
                        yield self._shown(event)
                    _check_time(give_up_at, timeout)
            finally:
                await response.aclose()
        for event in reader.end():
            yield self._shown(event)

    async def cancel_video(self, video_id: str) -> bool:
        """Stop a job; False where the server cannot, so that the job goes on and may be billed."""
        return await self._call(requests.cancel_video(video_id), self._parse_cancelled(video_id))

    async def wait_for_video(self, video_id: str, policy: WaitPolicy, tell: Callable[[News], None]) -> Outcome:
        """Do as `VeoClient.wait_for_video`."""
        return await waiting.wait_for_video_async(self.get_video, waiting.Wait(video_id, policy, tell))

    async def call(self, request: ApiRequest) -> Answer:
        """Send any request and return the answer, whatever its status."""
        return await self._call(request, lambda answer: answer)

    async def _call(self, request: ApiRequest, parse: Callable[[Answer], T]) -> T:
        http_request = self._request(request)
        with _transport_errors(http_request):
            response = await self._http.send(http_request)
        return parse(self._answer(response))


class StatusClient(_Client):
    """Asks how jobs stand, thousands of them: an async client with nothing but what that needs.

    `httpx.AsyncClient` spends its time on looking for an idle connection when it has many of them, and a fifth of it on
    cookies, redirects and the like: see docs/performance.md. So each connection here is a transport of its own, and the
    one that was used last is taken first. How many there are is up to the caller: as many as it has calls in flight.
    """

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        self._proxy = urls.proxy_for(settings.base_url)
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._closed = False

    async def get_video(self, video_id: str) -> Video:
        """Ask how a job stands."""
        request = self._request(requests.get_video(video_id))
        with _transport_errors(request):
            response = await self._send(request)
        return parse_video(self._answer(response), f"Asking for video {video_id}", video_id)

    async def aclose(self) -> None:
        """Close the connections; those in use close when their call is over."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        transport = self._idle.pop() if self._idle else self._transport()
        try:
            response = await transport.handle_async_request(request)
            response.request = request
            try:
                await response.aread()
            except BaseException:
                await response.aclose()
                raise
            return response
        finally:
            if self._closed:
                await transport.aclose()
            else:
                self._idle.append(transport)

    def _transport(self) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(verify=self._verify, limits=_ONE_CONNECTION, proxy=self._proxy)


def _check_time(give_up_at: float, timeout: float) -> None:
    if time.monotonic() > give_up_at:
        raise VideoTimeoutError(f"{_CHAT}: it took more than {timeout:.0f} s. It may be billed all the same.")


def _read_head(chunks: Iterator[bytes], size: int) -> bytes:
    head = b""
    while len(head) < size and (chunk := next(chunks, None)) is not None:
        head += chunk
    return head


def download_name(video_id: str | None, url: str | None) -> str:
    """Return what a download is called in messages."""
    return f"Downloading video {video_id or urls.redact(url or '')}"


def _opened(response: httpx.Response, resume: Resume | None) -> tuple[ContentStream | None, bytes]:
    """Return the video that an answer brings; or else the beginning of its body."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    version = content.version_of(headers)
    if resume and response.status_code == httpx.codes.PARTIAL_CONTENT:
        content.check_continuation(headers, resume)
        return ContentStream(resume.offset, resume.total, version, response.iter_raw()), b""
    as_sent = response.is_success and not content.is_encoded(headers)
    chunks = response.iter_raw() if as_sent else response.iter_bytes()
    head = _read_head(chunks, mp4.SNIFF_BYTES)
    if response.is_success and mp4.is_video(head):
        return ContentStream(0, content.length_of(headers), version, chain((head,), chunks)), b""
    return None, head + _read_head(chunks, _TEXT_LIMIT)
