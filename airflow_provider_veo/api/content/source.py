"""Open the content of a video: ask for it, and follow redirects and JSON answers until its bytes come.

`locate` decides what an answer means; this module sends the requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pendulum

from airflow_provider_veo.api.answers import masking
from airflow_provider_veo.api.backends.backend import Backend
from airflow_provider_veo.api.content import embedded, locate
from airflow_provider_veo.api.content.locate import Asked, ContentStream, Resume
from airflow_provider_veo.api.content.skimming import Skim
from airflow_provider_veo.api.errors import (
    AddressUnreachableError,
    ContentError,
    TransportError,
    UnusableProxyError,
    VeoError,
)
from airflow_provider_veo.api.formats import mp4
from airflow_provider_veo.api.net import addresses, limits, urls
from airflow_provider_veo.api.net.bodies import Body
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.exchange import Response
from airflow_provider_veo.api.net.signatures import is_presigned
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.session import HEADERS, Session
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.video import Video

_PRIVATE_ADVICE = (
    "If the gateway keeps its files in your own network, set allow_private_addresses to true in the Airflow connection."
)
_ANY_REQUEST = ApiRequest("GET", "/")
_BEFORE_JSON = b"\xef\xbb\xbf \t\r\n"
_BUCKETS = "gs://"
_OBJECTS = "/storage/v1/b/"
"""Path of objects in the JSON API of Google Cloud Storage (cloud.google.com/storage/docs/json_api)."""


@dataclass(frozen=True)
class AddressContent:
    """The content at an address.

    Attributes:
        session: HTTP session that sends the requests.
        url: Address of the file.
        video_id: ID of the job, for messages, or None.
    """

    session: Session
    url: str
    video_id: str | None
    is_job = False

    @property
    def action(self) -> str:
        """The download in words, for error messages."""
        return f"Downloading video {self.video_id or urls.redact(self.url)}"

    @contextmanager
    def open(self, resume: Resume | None = None) -> Iterator[ContentStream]:
        """Start a transfer, or continue a broken one. For the errors see `open_content`."""
        with open_content(self.session, self.action, self.url, self.video_id, resume) as stream:
            yield stream


@dataclass(frozen=True)
class JobContent:
    """The content of a job's video. If its content route leads nowhere, the job's status is asked for an address.

    Attributes:
        session: HTTP session that sends the requests.
        video_id: ID of the job.
        get_video: Asks for the status of a job.
    """

    session: Session
    video_id: str
    get_video: Callable[[str], Video]
    is_job = True

    @property
    def action(self) -> str:
        """The download in words, for error messages."""
        return f"Downloading video {self.video_id}"

    @contextmanager
    def open(self, resume: Resume | None = None) -> Iterator[ContentStream]:
        """Start a transfer, or continue a broken one. For the errors see `open_content`."""
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(self.open_route(resume))
            except VeoError as refusal:
                if not locate.may_be_elsewhere(refusal):
                    raise
                stream = stack.enter_context(self._open_instead(resume, refusal))
            yield stream

    @contextmanager
    def open_route(self, resume: Resume | None = None) -> Iterator[ContentStream]:
        """Do as `open`, from the content route only."""
        route = self.session.settings.backend.get_content(self.video_id)
        with open_content(self.session, self.action, route, self.video_id, resume) as stream:
            yield stream

    @contextmanager
    def _open_instead(self, resume: Resume | None, refusal: VeoError) -> Iterator[ContentStream]:
        """Open the content at the address in the job's status, or the status itself if it may hold the video."""
        status: Video | VeoError
        try:
            status = self.get_video(self.video_id)
        except VeoError as error:
            status = error
        place: str | ApiRequest | None = locate.choose_address(refusal, status, self.action, pendulum.now("UTC"))
        place = place or self.session.settings.backend.get_video(self.video_id)
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(open_content(self.session, self.action, place, self.video_id, resume))
            except VeoError as error:
                raise locate.choose_error(refusal, error, status, pendulum.now("UTC")) from refusal.__cause__
            yield stream


@contextmanager
def open_content(
    session: Session, action: str, place: str | ApiRequest, video_id: str | None, resume: Resume | None
) -> Iterator[ContentStream]:
    """Open the bytes of a video, and follow redirects and JSON answers to the place where they are.

    The API key goes only to the API's own origin, and even there to no presigned address. No address in a private
    network is asked, see `addresses`.

    Args:
        session: HTTP session that sends the requests.
        action: The download in words, for error messages.
        place: Address of a file, or the first request to the API.
        video_id: ID of the job, or None.
        resume: Place where an earlier transfer broke off, or None. The stream begins there, or at 0 if the server
            cannot continue.

    Raises:
        ContentNotReadyError: The server wants to be asked again in a few seconds.
        ContentChangedError: The server can neither continue nor begin again: ask again without `resume`.
        VideoFailedError: The API says that there is no video.
        AddressRefusedError: A server that is not the API refuses the file.
        AddressUnreachableError: A server that is not the API does not answer.
        ContentError: The file is not a video.
        InvalidInputError: The server names an address in a private network.
    """
    is_renewed = False
    for _ in range(locate.MAX_HOPS):
        is_api, request = _build_request(session, _find_address(session, place), action, resume)
        has_key = is_api or is_in_bucket(session.settings, str(request.url))
        clock = Clock(limits.of_content(session.settings.timeout))
        with _send(session, request, clock) as response:
            stream, body = _read_stream(response, resume, clock, session.settings.backend if is_api else None)
            if stream:
                yield replace(stream, chunks=_count_bytes(stream.chunks, clock))
                return
            answer = session.read_answer(response, body)
        if has_key and not is_renewed and session.forget_token(answer):
            is_renewed = True
            continue
        named = session.settings.backend.find_content(answer) if is_api and answer.ok else None
        place = named or locate.find_next_hop(answer, Asked(action, video_id, has_key))
    raise ContentError(f"{action}: more than {locate.MAX_HOPS} redirects.")


def _find_address(session: Session, place: str | ApiRequest) -> str | ApiRequest:
    """Return the address of an object of Google Cloud Storage for its name `gs://bucket/object`; else the place."""
    if isinstance(place, ApiRequest) or not place.startswith(_BUCKETS):
        return place
    bucket, _, name = place.removeprefix(_BUCKETS).partition("/")
    return f"{session.settings.storage_url}{_OBJECTS}{quote(bucket, safe='')}/o/{quote(name, safe='')}?alt=media"


def is_in_bucket(settings: ClientSettings, url: str) -> bool:
    """Return whether an address is of an object of Google Cloud Storage, for which the connection has a token."""
    return (
        settings.tokens is not None
        and urls.is_same_origin(url, settings.storage_url)
        and urlsplit(url).path.startswith(_OBJECTS)
    )


def _unfold(session: Session, url: str) -> str:
    """Put the key back into an address of the API from which it was cut out; see `masking.Mask.hide_in_url`.

    Raises:
        ContentError: The address is not of the API, and the key goes only to the API.
    """
    if masking.KEY_IN_ADDRESS not in url:
        return url
    if not urls.is_same_origin(url, session.settings.base_url):
        raise ContentError(
            f"The video's address {urls.redact(url)!r} held the API key, which is neither kept nor sent anywhere "
            "but to the API itself. Look for the video in the gateway's console."
        )
    return session.settings.mask.restore_in_url(url)


def _build_request(
    session: Session, place: str | ApiRequest, action: str, resume: Resume | None
) -> tuple[bool, httpx.Request]:
    """Return whether a request goes to the API, with the key; and the request."""
    more = {"Accept": "*/*"} | (resume.headers() if resume else {})
    if isinstance(place, ApiRequest):
        return True, session.build_request(replace(place, headers={**place.headers, **more}))
    url = _unfold(session, place)
    is_api = urls.is_same_origin(url, session.settings.base_url) and not is_presigned(url)
    headers: dict[str, Any] = {**HEADERS, **more}
    extensions: dict[str, Any] = {}
    if is_api:
        headers |= session.settings.authorization()
    elif is_in_bucket(session.settings, url):
        headers |= session.settings.authorization_of_buckets()
    elif not urls.is_same_origin(url, session.settings.base_url):
        rule = _address_rule(session)
        rule.check(url, action)
        extensions |= rule.make_connection_check(url, action)
    try:
        return is_api, httpx.Request("GET", url, headers=headers, extensions=extensions)
    except httpx.InvalidURL as error:
        problem = session.settings.mask.hide(f"{urls.redact(url)!r} cannot be used: {error}")
        raise ContentError(f"The video's address {problem}.") from None


def _address_rule(session: Session) -> addresses.AddressRule:
    """Return the rule for addresses that the API names: public networks, and those in which the API itself is."""
    allowed = addresses.find_own_networks(session.settings.base_url, lambda: _reach_api(session))
    if session.settings.allow_private_addresses:
        allowed |= addresses.NOT_PUBLIC
    return addresses.AddressRule(allowed, _PRIVATE_ADVICE, session.settings.mask.hide)


def _reach_api(session: Session) -> addresses.IPAddress | None:
    """Return the IP address of the API; None if it is behind a proxy."""
    base_url = session.settings.base_url
    if session.exchanges.find_peer(base_url) is None:
        session.send(session.settings.backend.list_models() or _ANY_REQUEST)  # any answer shows the address
    return session.exchanges.find_peer(base_url)


@contextmanager
def _send(session: Session, request: httpx.Request, clock: Clock) -> Iterator[Response]:
    with ExitStack() as stack:
        try:
            response = stack.enter_context(session.exchanges.open(request, clock))
        except TransportError as error:
            is_api = urls.is_same_origin(str(request.url), session.settings.base_url)
            if isinstance(error, UnusableProxyError) or is_api:
                raise
            raise AddressUnreachableError(str(error)) from error
        yield response


def _read_stream(
    response: Response, resume: Resume | None, clock: Clock, api: Backend | None
) -> tuple[ContentStream | None, Body]:
    """Return the video that a response brings; or else None, and the beginning of the body.

    Args:
        response: Response whose head has arrived.
        resume: Place where an earlier transfer broke off, or None.
        clock: Clock of the call.
        api: Backend that knows the answer; None if it is not of the API.
    """
    headers = response.headers
    version = locate.read_version(headers)
    if not response.ok:
        return None, response.read()
    if resume and response.status == httpx.codes.PARTIAL_CONTENT:
        locate.check_continuation(headers, resume)
        return ContentStream(resume.offset, resume.total, version, response.chunks()), Body({}, 0)
    chunks = response.blocks() if locate.is_encoded(headers) else response.chunks()
    head = _read_head(chunks, mp4.SNIFF_BYTES)
    chunks = chain((head,), chunks)
    if mp4.is_video(head):
        return ContentStream(0, locate.read_length(headers), version, chunks), Body({}, 0)
    skim = _skim(chunks, clock) if api and head.lstrip(_BEFORE_JSON)[:1] in (b"{", b"[") else _skim_little(chunks)
    if video := skim.find_video(api.is_content if api else _takes_any):
        return ContentStream(0, None, None, embedded.decode(video)), Body({}, 0)
    body = Body({}, limits.JSON_BYTES)
    body.take(bytes(skim))
    body.is_cut = skim.is_cut
    return None, body


def _skim(chunks: Iterator[bytes], clock: Clock) -> Skim:
    """Return a skim of a JSON answer of the API, which may repeat the frames of its order."""

    def allowed() -> Iterator[bytes]:
        for chunk in chunks:
            clock.allow(len(chunk))
            yield chunk

    return Skim(allowed(), most_kept=limits.JSON_BYTES, most_read=limits.ECHO_BYTES)


def _skim_little(chunks: Iterator[bytes]) -> Skim:
    return Skim(chunks, most_kept=limits.ERROR_BYTES, most_read=limits.ERROR_BYTES)


def _takes_any(_head: bytes) -> bool:
    return True


def _read_head(chunks: Iterator[bytes], size: int) -> bytes:
    head = b""
    while len(head) < size and (chunk := next(chunks, None)) is not None:
        head += chunk
    return head


def _count_bytes(chunks: Iterator[bytes], clock: Clock) -> Iterator[bytes]:
    for chunk in chunks:
        clock.record_used(len(chunk))
        yield chunk
