"""The HTTP clients, sync and async. They move bytes; what to send and what an answer means is decided elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pendulum

from airflow_provider_veo import __version__
from airflow_provider_veo.api.answers import masking
from airflow_provider_veo.api.answers.answer import Answer, names_in
from airflow_provider_veo.api.answers.own_words import NOTHING_SAID, OwnWords
from airflow_provider_veo.api.answers.text import for_people
from airflow_provider_veo.api.backends.openai import requests
from airflow_provider_veo.api.backends.openai.cancelling import Cancellation, read_cancellation
from airflow_provider_veo.api.backends.openai.videos import parse_video, parse_videos
from airflow_provider_veo.api.chat.events import Accepted, ChatEvent, Echo, Failure, Note, VideoReady
from airflow_provider_veo.api.chat.reader import ChatReader
from airflow_provider_veo.api.content import embedded, locate
from airflow_provider_veo.api.content.download import Source
from airflow_provider_veo.api.content.locate import Asked, ContentStream, Resume
from airflow_provider_veo.api.error_answers import error_from
from airflow_provider_veo.api.errors import (
    AddressUnreachableError,
    ContentError,
    TooSlowError,
    TransportError,
    UnusableProxyError,
    VeoError,
    VideoTimeoutError,
    adding,
)
from airflow_provider_veo.api.formats import mp4
from airflow_provider_veo.api.net import addresses, limits, urls
from airflow_provider_veo.api.net.bodies import Body
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.exchange import AsyncExchanges, AsyncResponse, Exchanges, Response
from airflow_provider_veo.api.net.limits import Limits
from airflow_provider_veo.api.net.signatures import is_presigned
from airflow_provider_veo.api.polling import wait
from airflow_provider_veo.api.polling.decision import News, Outcome, WaitPolicy
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.settings import ClientSettings, tls_context
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.api.video import Video

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")
BeforePost = Callable[[], None]

DEFAULT_CHAT_TIMEOUT = 1200.0
"""Seconds that a chat call may take."""

_HEADERS = {
    "Accept-Encoding": "identity",  # what is packed has no length, and may unpack to anything
    "Connection": "keep-alive",
    "User-Agent": f"airflow-provider-veo/{__version__}",
}
_CHAT = "Making videos by the chat call"
_PRIVATE_ADVICE = (
    "If the gateway keeps its files in your own network, set allow_private_addresses to true in the Airflow connection."
)


class _Client:
    """What the sync and the async client have in common."""

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        with adding(where=settings.place):
            self._verify = tls_context(settings.verify)
        self._authorization = settings.authorization()

    def _locate(self, error: BaseException | None) -> None:
        """Let an error that leaves the client's block say which API it is about."""
        if isinstance(error, VeoError):
            error.add(where=self.settings.place)

    def _request(self, request: ApiRequest) -> httpx.Request:
        return httpx.Request(
            request.method,
            self.settings.base_url + request.path,
            json=request.json,
            files=list(request.parts) or None,
            headers={**_HEADERS, "Accept": "application/json", **request.headers, **self._authorization},
        )

    def _limits(self, request: ApiRequest) -> Limits:
        return (limits.of_order if request.method == "POST" else limits.of_question)(self.settings.timeout)

    def _unfolded(self, url: str) -> str:
        """Return an address that was kept as it is asked; see `masking.Mask.fold`.

        Raises:
            ContentError: it needs the key, which goes to the API alone.
        """
        if masking.KEY_IN_ADDRESS not in url:
            return url
        if not urls.same_origin(url, self.settings.base_url):
            raise ContentError(
                f"The video's address {urls.redact(url)!r} held the API key, which is neither kept nor sent anywhere "
                "but to the API itself. Look for the video in the gateway's console."
            )
        return self.settings.mask.unfold(url)

    def _answer(self, response: Response | AsyncResponse, body: Body) -> Answer:
        return Answer.of(
            response.status,
            bytes(body),
            response.head,
            response.url,
            is_cut=body.is_cut,
            secrets=self.settings.secrets,
            method=response.method,
        )

    def _shown(self, event: ChatEvent) -> ChatEvent:
        """Hide the key in an event: what it says is for people, and its address is kept."""
        mask = self.settings.mask
        match event:
            case Failure(message=message):
                return replace(event, message=for_people(mask.hide(message)))
            case Note(text=text):
                return Note(for_people(mask.hide(text)))
            case Echo(prompt=prompt, mode=mode):
                return Echo(mask.hide(prompt), mode and for_people(mask.hide(mode)))
            case VideoReady(url=url, instead_of=other):
                return replace(event, url=mask.fold(url), instead_of=other and mask.fold(other))
        return event

    def _parse_cancelled(self, video_id: str) -> Callable[[Answer], Cancellation]:
        return lambda answer: read_cancellation(answer, video_id)

    def _parse_status(self, video_id: str, own: OwnWords = NOTHING_SAID) -> Callable[[Answer], Video]:
        return lambda answer: parse_video(replace(answer, own=own), f"Asking for video {video_id}", video_id)


class VeoClient(_Client):
    """A blocking client. Use it as a context manager, or close it.

    Every method raises an error of `api.errors`: `NotSentError`, `TransportError`, `ApiError`, `InvalidInputError`.
    """

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        self._http = Exchanges(self._verify, settings.mask.hide)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._locate(error)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create_video(
        self, spec: VideoSpec, idempotency_key: str | None = None, before_post: BeforePost = lambda: None
    ) -> Video:
        """Order a video. This is the call that costs money.

        The order is sent once; a second time only as `requests.create_video_as_form` allows.

        Args:
            spec: the order.
            idempotency_key: for servers that honour it.
            before_post: called before each request; what it raises ends the call.
        """
        self.settings.profile.check_frames(spec)
        order = spec, self.settings.request_format, idempotency_key
        request = requests.create_video(*order)
        before_post()
        answer = replace(self.call(request), own=spec.own_words)
        if again := requests.create_video_as_form(*order, answer):
            before_post()
            answer = replace(self.call(again), own=spec.own_words)
        return parse_video(answer, "Creating the video")

    def get_video(self, video_id: str, own: OwnWords = NOTHING_SAID) -> Video:
        """Ask how a job stands.

        Args:
            video_id: of the job.
            own: what was ordered, where that is known.
        """
        with adding(video_id=video_id):
            return self._call(requests.get_video(video_id), self._parse_status(video_id, own))

    def list_videos(self) -> list[Video]:
        """Return the jobs that the server lists: its newest ones, one page, and never for long."""
        whole = limits.of_glance(self.settings.timeout)
        return self._call(requests.list_videos(), lambda answer: parse_videos(answer, "Listing the videos"), whole)

    def list_models(self) -> list[str]:
        """Return the names of the models that the server offers, as far as it tells; never for long."""
        whole = limits.of_glance(self.settings.timeout)
        return self._call(requests.list_models(), lambda answer: names_in(answer.json()), whole)

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
        self.settings.profile.check_frames(spec)
        request = self._request(requests.chat_completion(spec, idempotency_key))
        chat = _Chat(self.settings.timeout, timeout)
        reader = ChatReader(spec.prompt, *spec.frame_urls, most=spec.n, own=spec.own_words)
        with self._http.open(request, chat.clock) as response:
            if not response.ok:
                raise error_from(replace(self._answer(response, response.read()), own=spec.own_words), _CHAT)
            yield Accepted()
            with chat.end():
                for block in response.blocks():
                    yield from map(self._shown, reader.feed(block))
                    chat.check(block)
        yield from map(self._shown, reader.end())

    def cancel_video(self, video_id: str) -> Cancellation:
        """Ask the server to stop a job, and return how far it says that it has."""
        with adding(video_id=video_id):
            return self._call(requests.cancel_video(video_id), self._parse_cancelled(video_id))

    def wait_for_video(
        self, video_id: str, policy: WaitPolicy, tell: Callable[[News], None], own: OwnWords = NOTHING_SAID
    ) -> Outcome:
        """Ask until the job is finished, the deadline has passed or asking has become pointless.

        Args:
            video_id: of the job.
            policy: how to wait.
            tell: called whenever something has changed.
            own: see `get_video`.
        """
        return wait.wait_for_video(partial(self.get_video, own=own), wait.Wait(video_id, policy, tell))

    def call(self, request: ApiRequest) -> Answer:
        """Send any request and return the answer, whatever its status."""
        return self._call(request, lambda answer: answer)

    def source(self, video_id: str | None, url: str | None) -> Source:
        """Return what `download` needs; for the arguments see `open_content`."""
        what = download_name(video_id, url)
        if url or video_id is None:
            return Source(partial(self._open_address, video_id, url), what, is_job=False)
        return Source(partial(self._open_job, video_id), what, is_job=True)

    def _open_address(
        self, video_id: str | None, url: str | None, resume: Resume | None
    ) -> AbstractContextManager[ContentStream]:
        return self.open_content(video_id=video_id, url=url, resume=resume)

    @contextmanager
    def _open_job(self, video_id: str, resume: Resume | None) -> Iterator[ContentStream]:
        """Open the bytes of a job's video by the content route; where that leads nowhere, by the status."""
        with ExitStack() as opened:
            try:
                stream = opened.enter_context(self.open_content(video_id=video_id, resume=resume))
            except VeoError as refusal:
                if not locate.may_be_elsewhere(refusal):
                    raise
                stream = opened.enter_context(self._open_instead(video_id, resume, refusal))
            yield stream

    @contextmanager
    def _open_instead(self, video_id: str, resume: Resume | None, refusal: VeoError) -> Iterator[ContentStream]:
        seen: Video | VeoError
        try:
            seen = self.get_video(video_id)
        except VeoError as error:
            seen = error
        url = locate.instead(refusal, seen, download_name(video_id, None), pendulum.now("UTC"))
        url = url or self.settings.base_url + requests.get_video(video_id).path
        with ExitStack() as opened:
            try:
                stream = opened.enter_context(self.open_content(video_id=video_id, url=url, resume=resume))
            except VeoError as error:
                raise locate.told_of_both(refusal, error, seen, pendulum.now("UTC")) from refusal.__cause__
            yield stream

    @contextmanager
    def open_content(
        self, *, video_id: str | None = None, url: str | None = None, resume: Resume | None = None
    ) -> Iterator[ContentStream]:
        """Open the video's bytes, following redirects and JSON answers to where they are.

        The API key goes to the API's own origin only, and to no presigned address even there. No address in a private
        network is asked: see `addresses`.

        Args:
            video_id: the job whose content route is asked. Either this
            url: or the address of the file is needed. With both, the id is for messages only.
            resume: where an earlier transfer has broken off. The stream begins there, or at 0 if the server cannot.

        Raises:
            ContentNotReadyError: ask again in a few seconds.
            ContentChangedError: the server can neither go on nor begin anew: ask again without `resume`.
            VideoFailedError: the API says that there is no video.
            AddressRefusedError: a place that is not the API refuses.
            AddressUnreachableError: a place that is not the API does not answer.
            ContentError: what is there is not a video.
            InvalidInputError: the server points into a private network.
        """
        target = self._unfolded(url) if url else self.settings.base_url + requests.get_content(str(video_id)).path
        what = download_name(video_id, url)
        for _ in range(locate.MAX_HOPS):
            is_api = urls.same_origin(target, self.settings.base_url) and not is_presigned(target)
            request = self._content_request(target, what, resume, with_key=is_api)
            clock = Clock(limits.of_content(self.settings.timeout))
            with self._asked(request, clock) as response:
                stream, body = _opened(response, resume)
                if stream:
                    yield replace(stream, chunks=_counted(stream.chunks, clock))
                    return
                answer = self._answer(response, body)
            target = locate.next_hop(answer, Asked(what, video_id, is_api)).url
        raise ContentError(f"{what}: more than {locate.MAX_HOPS} redirects.")

    @contextmanager
    def _asked(self, request: httpx.Request, clock: Clock) -> Iterator[Response]:
        with ExitStack() as opened:
            try:
                response = opened.enter_context(self._http.open(request, clock))
            except TransportError as error:
                if isinstance(error, UnusableProxyError) or urls.same_origin(str(request.url), self.settings.base_url):
                    raise
                raise AddressUnreachableError(str(error)) from error
            yield response

    def _content_request(self, url: str, what: str, resume: Resume | None, *, with_key: bool) -> httpx.Request:
        headers = {**_HEADERS, "Accept": "*/*"}
        headers |= resume.headers() if resume else {}
        extensions: dict[str, Any] = {}
        if with_key:
            headers |= self._authorization
        elif not urls.same_origin(url, self.settings.base_url):
            rule = self._address_rule()
            rule.check(url, what)
            extensions |= rule.connection_check(url, what)
        try:
            return httpx.Request("GET", url, headers=headers, extensions=extensions)
        except httpx.InvalidURL as error:
            said = self.settings.mask.hide(f"{urls.redact(url)!r} cannot be used: {error}")
            raise ContentError(f"The video's address {said}.") from None

    def _address_rule(self) -> addresses.AddressRule:
        """Say where the API may send us: into no network but public ones, and those that it was reached in itself."""
        allowed = addresses.own_networks(self.settings.base_url, self._reach)
        if self.settings.allow_private_addresses:
            allowed |= addresses.NOT_PUBLIC
        return addresses.AddressRule(allowed, _PRIVATE_ADVICE, self.settings.mask.hide)

    def _reach(self) -> addresses.IPAddress | None:
        if self._http.reached(self.settings.base_url) is None:
            self.call(requests.list_models())  # whatever it answers, it has been reached then
        return self._http.reached(self.settings.base_url)

    def _call(self, request: ApiRequest, parse: Callable[[Answer], T], whole: Limits | None = None) -> T:
        with self._http.open(self._request(request), Clock(whole or self._limits(request))) as response:
            answer = self._answer(response, response.read())
        return parse(answer)


class AsyncVeoClient(_Client):
    """The async twin of `VeoClient`: nothing in it blocks the event loop."""

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        self._http = AsyncExchanges(self._verify, settings.base_url, settings.mask.hide)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
        self._locate(error)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def create_video(self, spec: VideoSpec, idempotency_key: str | None = None) -> Video:
        """Do as `VeoClient.create_video`."""
        self.settings.profile.check_frames(spec)
        order = spec, self.settings.request_format, idempotency_key
        answer = replace(await self.call(requests.create_video(*order)), own=spec.own_words)
        if again := requests.create_video_as_form(*order, answer):
            answer = replace(await self.call(again), own=spec.own_words)
        return parse_video(answer, "Creating the video")

    async def get_video(self, video_id: str) -> Video:
        """Ask how a job stands."""
        with adding(video_id=video_id):
            return await self._call(requests.get_video(video_id), self._parse_status(video_id))

    async def stream_chat(
        self, spec: ChatSpec, idempotency_key: str | None = None, timeout: float = DEFAULT_CHAT_TIMEOUT
    ) -> AsyncIterator[ChatEvent]:
        """Do as `VeoClient.stream_chat`."""
        self.settings.profile.check_frames(spec)
        request = self._request(requests.chat_completion(spec, idempotency_key))
        chat = _Chat(self.settings.timeout, timeout)
        reader = ChatReader(spec.prompt, *spec.frame_urls, most=spec.n, own=spec.own_words)
        async with self._http.open(request, chat.clock) as response:
            if not response.ok:
                answer = self._answer(response, await response.read())
                raise error_from(replace(answer, own=spec.own_words), _CHAT)
            yield Accepted()
            with chat.end():
                async for block in response.blocks():
                    for event in reader.feed(block):
                        yield self._shown(event)
                    chat.check(block)
        for event in reader.end():
            yield self._shown(event)

    async def cancel_video(self, video_id: str) -> Cancellation:
        """Do as `VeoClient.cancel_video`."""
        with adding(video_id=video_id):
            return await self._call(requests.cancel_video(video_id), self._parse_cancelled(video_id))

    async def wait_for_video(self, video_id: str, policy: WaitPolicy, tell: Callable[[News], None]) -> Outcome:
        """Do as `VeoClient.wait_for_video`."""
        return await wait.wait_for_video_async(self.get_video, wait.Wait(video_id, policy, tell))

    async def call(self, request: ApiRequest) -> Answer:
        """Send any request and return the answer, whatever its status."""
        return await self._call(request, lambda answer: answer)

    async def _call(self, request: ApiRequest, parse: Callable[[Answer], T]) -> T:
        async with self._http.open(self._request(request), Clock(self._limits(request))) as response:
            answer = self._answer(response, await response.read())
        return parse(answer)


class _Chat:
    """The time of a chat call, and how much it may bring.

    Args:
        timeout: of the connection, in seconds.
        whole: seconds that the call may take.
    """

    def __init__(self, timeout: float, whole: float) -> None:
        self.clock = Clock(limits.of_chat(timeout, whole))
        self._whole = whole
        self._bytes = 0

    @contextmanager
    def end(self) -> Iterator[None]:
        """Raise the timeout error for a stream that ended since the time is over."""
        try:
            yield
        except TooSlowError:
            raise self._over() from None

    def check(self, block: bytes) -> None:
        """Note that a part of the stream was read.

        Raises:
            VideoTimeoutError: the time is over.
            TransportError: the stream is longer than any that brings videos.
        """
        self._bytes += len(block)
        if self._bytes > self.clock.limits.most_bytes:
            raise TransportError(
                f"{_CHAT}: the server sends on after {self._bytes} bytes. It may be billed all the same."
            )
        if self.clock.is_over():
            raise self._over()

    def _over(self) -> VideoTimeoutError:
        return VideoTimeoutError(f"{_CHAT}: it took more than {self._whole:.0f} s. It may be billed all the same.")


def _read_head(chunks: Iterator[bytes], size: int) -> bytes:
    head = b""
    while len(head) < size and (chunk := next(chunks, None)) is not None:
        head += chunk
    return head


def _counted(chunks: Iterator[bytes], clock: Clock) -> Iterator[bytes]:
    for chunk in chunks:
        clock.used(len(chunk))
        yield chunk


def download_name(video_id: str | None, url: str | None) -> str:
    """Return what a download is called in messages."""
    return f"Downloading video {video_id or urls.redact(url or '')}"


def _opened(response: Response, resume: Resume | None) -> tuple[ContentStream | None, Body]:
    """Return the video that an answer brings; or else the beginning of its body."""
    headers = response.headers
    version = locate.version_of(headers)
    body = Body({}, limits.ERROR_BYTES)
    if not response.ok:
        return None, response.read()
    if resume and response.status == httpx.codes.PARTIAL_CONTENT:
        locate.check_continuation(headers, resume)
        return ContentStream(resume.offset, resume.total, version, response.chunks()), body
    chunks = response.blocks() if locate.is_encoded(headers) else response.chunks()
    head = _read_head(chunks, mp4.SNIFF_BYTES)
    chunks = chain((head,), chunks)
    if mp4.is_video(head):
        return ContentStream(0, locate.length_of(headers), version, chunks), body
    head = _read_head(chunks, limits.ERROR_BYTES)
    if (start := embedded.start_of_video(head)) is not None:
        return ContentStream(0, None, None, embedded.decoded(chain((head[start:],), chunks))), body
    all(map(body.take, chain((head,), chunks)))
    return None, body
