"""Order videos by the chat call, and record each one that arrives: no server can hand it over again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from airflow_provider_veo.api.chat.events import (
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
from airflow_provider_veo.observability.progress import format_progress
from airflow_provider_veo.observability.tracing import span
from airflow_provider_veo.orders import advice
from airflow_provider_veo.orders.decision import Refuse, ReturnUrls, Submit, decide_chat
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.messages import describe_collecting
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.record import OrderRecord
from airflow_provider_veo.orders.sender import OrderSender
from airflow_provider_veo.orders.store import OrderStore
from airflow_provider_veo.utils.task_instance import TaskLog

MOST_LINES = 1_000
"""Lines about one call in the log of a task."""


class ChatOrders:
    """Orders videos by the chat call for one task instance, except for the videos that earlier tries have brought.

    Args:
        client: Client of the API.
        store: Store of the task instance's order record.
        task: Identity of the task instance.
        log: Logger of the task.
        show_progress: Function that shows the progress of the call. Its argument is a text like `processing 42 %`.
    """

    def __init__(
        self,
        client: VeoClient,
        store: OrderStore,
        task: TaskIdentity,
        log: TaskLog,
        show_progress: Callable[[str], None],
    ) -> None:
        self._client = client
        self._profile = client.settings.profile
        self._store = store
        self._task = task
        self._log = log
        self._show_progress = show_progress
        self._sender = OrderSender(client, store, task, log, lambda record, _order: describe_collecting(record))

    def collect(self, order: Order, spec: ChatSpec) -> OrderRecord:
        """Return the record with the addresses of all `n` videos.

        Args:
            order: The order that the task wants.
            spec: Request that the order sends.

        Raises:
            ChatIncompleteError: Fewer videos came than were ordered. They are on record, and a retry orders the rest.
            NotOrderedError: A limit forbids another call: `max_submissions`, `MOST_POSTS`, or the deadline.
            UnknownSubmissionError: It is unknown whether a call made videos.
            VeoError: Nothing was ordered for another reason; see `api.errors`.
        """
        record = self._sender.read_record(order)
        match decide_chat(record, order, self._task.key, spec.n):
            case ReturnUrls(resumed):
                self._sender.resume(record, resumed, f"the {spec.n} videos of an earlier try")
                return resumed
            case Submit(intent):
                self._sender.warn_of_abandoned(record, order)
                return self._order(intent, order, spec)
            case Refuse() as refused:
                raise self._sender.make_error(refused, order)

    def _order(self, intent: OrderRecord, order: Order, spec: ChatSpec) -> OrderRecord:
        missing = spec.n - len(intent.urls)
        self._log.info(
            "Ordering %d of %d videos from %s (model %s, call %d of at most %d)%s; %d arrived in earlier tries",
            missing,
            spec.n,
            self._client.settings.base_url,
            spec.model,
            intent.submissions,
            order.max_submissions,
            self._describe_cost(spec.model, missing),
            len(intent.urls),
        )
        with span("veo.chat", model=spec.model, videos=missing):
            return self._call(intent, order, replace(spec, n=missing))

    def _call(self, intent: OrderRecord, order: Order, spec: ChatSpec) -> OrderRecord:
        events: Iterator[ChatEvent] = iter(())

        def begin(before_post: BeforePost) -> None:
            nonlocal events
            before_post()
            events = self._client.stream_chat(spec, intent.idempotency_key, order.timeout)
            next(events)  # the server has accepted the call

        sent, _ = self._sender.send(intent, order, begin)
        charged = self._profile.cost_of(spec.model, spec.n)  # even if the call fails
        record = self._sender.accept(sent, spec.model, videos=spec.n, charged_usd=charged)
        wanted = len(intent.urls) + spec.n
        chat_log = ChatLog(self._log.info)
        try:
            for event in events:
                is_new = chat_log.write(event)
                if is_new and isinstance(event, Progress):
                    self._show_progress(format_progress("processing", event.percent))
                if isinstance(event, VideoReady):
                    # at once: a later failure must not lose this video
                    record = self._store.write_or_log(record.with_url(event.url, replaced=event.instead_of))
        except VeoError as error:
            if len(record.urls) < wanted:
                rest = self._describe_rest(record, wanted, spec.model)
                raise ChatIncompleteError(rest, error.reason, str(error)) from error
        if len(record.urls) < wanted:
            failure = chat_log.failure
            rest = self._describe_rest(record, wanted, spec.model)
            raise ChatIncompleteError(rest, failure.reason, failure.message)
        return record

    def _describe_rest(self, record: OrderRecord, wanted: int, model: str) -> str:
        arrived, missing = len(record.urls), wanted - len(record.urls)
        rest = advice.describe_rest(missing)
        return f"{arrived} of {wanted} videos arrived; {rest}{self._describe_cost(model, missing)}. The server"

    def _describe_cost(self, model: str, videos: int) -> str:
        cost = self._profile.cost_of(model, videos)
        if cost is None:
            return ""
        return f": ${cost:.2f}" + (", charged even if the call fails" if self._profile.charges_failed_chats else "")


class ChatLog:
    """The lines about a chat call in the log of its task, one for each change; and the failure that the server reports.

    Args:
        write_line: Function that writes a line. It is called `MOST_LINES` times at most.
    """

    def __init__(self, write_line: Callable[[str], None]) -> None:
        self._write_line = write_line
        self._last = ""
        self._lines = 0
        self._failure: Failure | None = None
        self._note = ""

    @property
    def failure(self) -> Failure:
        """The first failure with a known reason; else the latest failure, or the server's latest line."""
        return self._failure or Failure(self._note, Reason.UNKNOWN)

    def write(self, event: ChatEvent) -> bool:
        """Write a line about an event, unless it would repeat the last one.

        Returns:
            Whether a line was written.
        """
        if isinstance(event, Failure) and (self._failure is None or self._failure.reason is Reason.UNKNOWN):
            self._failure = event
        if isinstance(event, Note):
            self._note = event.text
        line = _describe_event(event)
        if not line or line == self._last or self._lines == MOST_LINES:
            return False
        self._last, self._lines = line, self._lines + 1
        self._write_line(line if self._lines < MOST_LINES else "The server sends further lines, which are not logged")
        return True


def _describe_event(event: ChatEvent) -> str:
    """Return a line for people. The prompt is not repeated, and addresses are left out, since they may be signed."""
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
