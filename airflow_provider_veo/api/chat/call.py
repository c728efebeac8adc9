"""Send the chat call, and read the stream that it answers with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from airflow_provider_veo.api.answers.masking import Mask
from airflow_provider_veo.api.answers.text import make_line
from airflow_provider_veo.api.backends.openai import requests
from airflow_provider_veo.api.backends.openai.refusals import judge
from airflow_provider_veo.api.chat.events import Accepted, ChatEvent, Echo, Failure, Note, VideoReady
from airflow_provider_veo.api.chat.reader import ChatReader
from airflow_provider_veo.api.error_answers import make_api_error
from airflow_provider_veo.api.errors import TooSlowError, TransportError, VideoTimeoutError
from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.session import Session
from airflow_provider_veo.api.specs import ChatSpec

DEFAULT_CHAT_TIMEOUT = 1200.0
"""Seconds that a chat call may take by default."""

_ACTION = "Making videos by the chat call"


def stream_events(session: Session, spec: ChatSpec, idempotency_key: str | None, timeout: float) -> Iterator[ChatEvent]:
    """Order videos by the chat call, and yield its events as they arrive. The first is `Accepted`, the last `End`.

    Args:
        session: HTTP session that sends the request.
        spec: The order. It is sent exactly once, when the first event is asked for.
        idempotency_key: Key by which a server recognizes a repeated order, or None.
        timeout: Seconds that the whole call may take.

    Raises:
        ApiError: The server refuses the order.
        VideoTimeoutError: The time is over.
        TransportError: The stream cannot be read, or is longer than any stream that brings videos.
    """
    request = session.build_request(requests.create_chat_completion(spec, idempotency_key))
    clock = Clock(limits.of_chat(session.settings.timeout, timeout))
    reader = ChatReader(spec.prompt, *spec.frame_urls, most=spec.n, own=spec.own_words)
    mask = session.settings.mask
    with session.exchanges.open(request, clock) as response:
        if not response.ok:
            answer = session.read_answer(response, response.read())
            error = make_api_error(replace(answer, own=spec.own_words), _ACTION)
            error.verdict = judge(error)
            raise error
        yield Accepted()
        received = 0
        with _timeout_errors(timeout):
            for block in response.blocks():
                for event in reader.feed(block):
                    yield hide_key(event, mask)
                received += len(block)
                _check_limits(received, clock, timeout)
    for event in reader.end():
        yield hide_key(event, mask)


def hide_key(event: ChatEvent, mask: Mask) -> ChatEvent:
    """Return an event without the API key: people read its text, and its address is stored.

    Args:
        event: Event of the chat call.
        mask: The mask of the connection's secrets.
    """
    match event:
        case Failure(message=message):
            return replace(event, message=make_line(mask.hide(message)))
        case Note(text=text):
            return Note(make_line(mask.hide(text)))
        case Echo(prompt=prompt, mode=mode):
            return Echo(mask.hide(prompt), mode and make_line(mask.hide(mode)))
        case VideoReady(url=url, instead_of=other):
            return replace(event, url=mask.hide_in_url(url), instead_of=other and mask.hide_in_url(other))
    return event


@contextmanager
def _timeout_errors(timeout: float) -> Iterator[None]:
    try:
        yield
    except TooSlowError:
        raise _make_timeout_error(timeout) from None


def _check_limits(received: int, clock: Clock, timeout: float) -> None:
    if received > clock.limits.most_bytes:
        raise TransportError(f"{_ACTION}: the server sends on after {received} bytes. It may be billed all the same.")
    if clock.is_over():
        raise _make_timeout_error(timeout)


def _make_timeout_error(timeout: float) -> VideoTimeoutError:
    return VideoTimeoutError(f"{_ACTION}: it took more than {timeout:.0f} s. It may be billed all the same.")
