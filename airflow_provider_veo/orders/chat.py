"""Order videos by the chat call, and keep what arrives: nothing else can fetch it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from airflow_provider_veo.api.backends.profiles import GatewayProfile
from airflow_provider_veo.api.chat.events import (
    Accepted,
    ChatEvent,
    Echo,
    End,
    Failure,
    LeftOut,
    Note,
    Progress,
    Usage,
    VideoReady,
    Waiting,
)
from airflow_provider_veo.api.chat.limits import MOST_COUNTED
from airflow_provider_veo.api.client import BeforePost, VeoClient
from airflow_provider_veo.api.errors import ChatIncompleteError, Reason, VeoError
from airflow_provider_veo.api.specs import ChatSpec
from airflow_provider_veo.observability import metrics
from airflow_provider_veo.observability.progress import format_progress
from airflow_provider_veo.observability.tracing import span
from airflow_provider_veo.orders import advice
from airflow_provider_veo.orders.submission import (
    Action,
    Ledger,
    Order,
    Remote,
    Submission,
    decide,
    next_submission,
    urls_kept,
)
from airflow_provider_veo.orders.video import Desk, TaskIdentity

MOST_LINES = 1_000
"""Lines in a task's log about one call."""


class ChatDesk(Desk):
    """Orders videos by the chat call, and only those that earlier tries have not brought.

    Args:
        show: told how far the call is; see `format_progress`. For the others see `Desk`.
    """

    def __init__(
        self, client: VeoClient, ledger: Ledger, who: TaskIdentity, log: Any, show: Callable[[str], None]
    ) -> None:
        super().__init__(client, ledger, who, log)
        self._show = show

    def collect(self, order: Order, spec: ChatSpec) -> tuple[Submission, list[str]]:
        """Return the record, and the addresses of all `n` videos.

        Raises:
            ChatIncompleteError: fewer came than were ordered; those are on record, and a retry asks for the rest.
            NotOrderedError: `max_submissions` or the deadline forbid another call.
            UnknownSubmissionError: a call's fate is unknown.
            VeoError: see `api.errors`.
        """
        record = self._ledger.read()
        kept = urls_kept(record, order)
        # a chat call leaves no job that could be asked: what it brought is on record, the rest is lost
        action = decide(record, order, Remote.ALIVE if len(kept) >= spec.n else Remote.ENDED)
        if action is Action.FOLLOW:
            assert record is not None
            return self._go_on(record, order, f"the {spec.n} videos of an earlier try"), list(kept)
        if action not in (Action.SUBMIT_NEW, Action.SUBMIT_AGAIN):
            assert record is not None
            raise self._refusal(action, record, order)
        self._warn_of_change(record, order)
        intent = replace(next_submission(record, order, action, self._who.key), urls=kept)
        missing = spec.n - len(kept)
        self._log.info(
            "Asking %s for %d of %d videos (model %s, call %d of at most %d)%s; %d arrived in earlier tries",
            self._client.settings.base_url,
            missing,
            spec.n,
            spec.model,
            intent.submissions,
            order.max_submissions,
            _cost(self._client.settings.profile, spec.model, missing),
            len(kept),
        )
        with span("veo.chat", model=spec.model, videos=missing):
            return self._call(intent, order, replace(spec, n=missing))

    def _call(self, intent: Submission, order: Order, spec: ChatSpec) -> tuple[Submission, list[str]]:
        wanted = len(intent.urls) + spec.n
        events: Iterator[ChatEvent] = iter(())

        def begin(before_post: BeforePost) -> ChatEvent:
            nonlocal events
            before_post()
            events = self._client.stream_chat(spec, intent.idempotency_key, order.timeout)
            return next(events)

        posted, begun = self._send(intent, order, begin)
        assert isinstance(begun, Accepted)
        record = posted.accepted(None)
        self._ledger.note(record)
        profile = self._client.settings.profile
        charged = profile.cost_of(spec.model, spec.n)  # at once: the call is charged even if it fails
        metrics.send(metrics.measure_order(spec.model, spec.n, charged), self._who)
        journal = Journal(self._log.info)
        try:
            for event in events:
                is_news = journal.enter(event)
                if is_news and isinstance(event, Progress):
                    self._show(format_progress("processing", event.percent))
                if isinstance(event, VideoReady):
                    record = _received(record, event)
                    self._ledger.note(record)  # at once: whatever happens next, this video is not lost
        except VeoError as error:
            if len(record.urls) < wanted:
                incomplete = _incomplete(record, wanted, spec, profile)
                raise ChatIncompleteError(incomplete, error.reason, str(error)) from error
        if len(record.urls) < wanted:
            failure = journal.failure
            raise ChatIncompleteError(_incomplete(record, wanted, spec, profile), failure.reason, failure.message)
        return record, list(record.urls)


class Journal:
    """Writes a line for each thing that changes, and keeps what the server says about failures.

    Args:
        write: called with each line, `MOST_LINES` times at most.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._last = ""
        self._lines = 0
        self._failure: Failure | None = None
        self._note = ""

    @property
    def failure(self) -> Failure:
        """The most telling failure; else the server's last words."""
        return self._failure or Failure(self._note, Reason.UNKNOWN)

    def enter(self, event: ChatEvent) -> bool:
        """Take an event in; say whether a line was written."""
        if isinstance(event, Failure) and (self._failure is None or self._failure.reason is Reason.UNKNOWN):
            self._failure = event
        if isinstance(event, Note):
            self._note = event.text
        line = _line(event)
        if not line or line == self._last or self._lines == MOST_LINES:
            return False
        self._last, self._lines = line, self._lines + 1
        self._write(line if self._lines < MOST_LINES else "The server says more; no more of it is written down")
        return True


def _received(record: Submission, video: VideoReady) -> Submission:
    """Return the record with a video, in the place of the one that it replaces."""
    if video.instead_of not in record.urls:
        return record.received(video.url)
    return replace(record, urls=tuple(video.url if url == video.instead_of else url for url in record.urls))


def _line(event: ChatEvent) -> str:
    """Return a line for people. The prompt is not repeated, and addresses may be signed."""
    line = ""
    match event:
        case Echo(mode=mode) if mode:
            line = f"The server has understood the prompt; mode: {mode}"
        case Waiting():
            line = "The server is working"
        case Progress(percent=percent):
            line = f"Progress: {percent:g} %"
        case VideoReady(index=index):
            line = f"Video {index} is ready"
        case Failure(message=message):
            line = f"The server reports: {message}"
        case LeftOut(what=what, count=count):
            line = f"Left out: {count}{' or more' if count >= MOST_COUNTED else ''} {what}"
        case Usage(total_tokens=total):
            line = f"Usage: {total} tokens"
        case End(complete=False):
            line = "The stream ended without its end marker"
    return line


def _cost(profile: GatewayProfile, model: str, videos: int) -> str:
    cost = profile.cost_of(model, videos)
    if cost is None:
        return ""
    return f": ${cost:.2f}" + (", charged even if the call fails" if profile.charges_failed_chats else "")


def _incomplete(record: Submission, wanted: int, spec: ChatSpec, profile: GatewayProfile) -> str:
    arrived, missing = len(record.urls), wanted - len(record.urls)
    cost = _cost(profile, spec.model, missing)
    return f"{arrived} of {wanted} videos arrived; {advice.for_the_rest(missing)}{cost}. The server"
