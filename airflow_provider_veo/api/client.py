"""The clients of the video API: a blocking one for workers, and an async one for triggers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from airflow_provider_veo.api.answers.answer import Answer, find_names
from airflow_provider_veo.api.answers.own_words import NO_TEXTS, OwnWords
from airflow_provider_veo.api.backends.backend import Backend, Cancellation
from airflow_provider_veo.api.chat.call import DEFAULT_CHAT_TIMEOUT, stream_events
from airflow_provider_veo.api.chat.events import ChatEvent
from airflow_provider_veo.api.content.download import Content
from airflow_provider_veo.api.content.source import AddressContent, JobContent
from airflow_provider_veo.api.errors import adding
from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.polling import wait
from airflow_provider_veo.api.polling.decision import News, WaitPolicy
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.session import AsyncSession, Session
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.api.video import Video

if TYPE_CHECKING:
    from typing_extensions import Self

BeforePost = Callable[[], None]
"""Called before each request that orders something. An exception that it raises ends the call."""


class VeoClient:
    """A blocking client. Use it as a context manager, or close it.

    Every method raises an error of `api.errors`: `NotSentError`, `TransportError`, `ApiError` or `InvalidInputError`.

    Args:
        settings: The settings of the connection.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self.session = Session(settings)
        self._backend = settings.backend

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self.session.add_where(error)

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def create_video(
        self, spec: VideoSpec, idempotency_key: str | None = None, before_post: BeforePost = lambda: None
    ) -> Video:
        """Order a video. This call costs money.

        The order is sent once; a second time only if the server has surely not read it (`Backend.create_video_again`).

        Args:
            spec: Order for one video.
            idempotency_key: Key by which a server recognizes a repeated order, or None.
            before_post: Function that is called before each request.
        """
        for _warning in self.settings.check(spec):
            pass  # the caller has shown the warnings; here only the refusals count
        request = self._backend.create_video(spec, idempotency_key)
        before_post()
        answer = self._send_order(request, spec)
        if again := self._backend.create_video_again(spec, idempotency_key, answer):
            before_post()
            answer = self._send_order(again, spec)
        return self._backend.read_order(answer)

    def _send_order(self, request: ApiRequest, spec: VideoSpec) -> Answer:
        answer = self.session.send(request, limits.of_order(self.settings.timeout))
        return replace(answer, own=spec.own_words)

    def get_video(self, video_id: str, own: OwnWords = NO_TEXTS) -> Video:
        """Ask for the status of a job.

        Args:
            video_id: ID of the job.
            own: Texts of the order, if they are known.
        """
        with adding(video_id=video_id):
            answer = self.session.send(self._backend.get_video(video_id), is_enough=self._backend.knows_enough)
            return _read_status(self._backend, answer, video_id, own)

    def list_videos(self) -> list[Video]:
        """Return the jobs that the server lists: one page, with the newest jobs. This call ends soon."""
        request = self._backend.list_videos()
        return [] if request is None else self._backend.read_videos(self._call_optionally(request))

    def list_models(self) -> list[str]:
        """Return the names of the models that the server lists. This call ends soon."""
        request = self._backend.list_models()
        return [] if request is None else find_names(self._call_optionally(request).json())

    def _call_optionally(self, request: ApiRequest) -> Answer:
        return self.session.send(request, limits.of_optional_call(self.settings.timeout))

    def cancel_video(self, video_id: str) -> Cancellation:
        """Ask the server to stop a job, and return the result that the server reports."""
        with adding(video_id=video_id):
            request = self._backend.cancel_video(video_id)
            if request is None:
                return Cancellation.IMPOSSIBLE
            return self._backend.read_cancellation(self.call(request), video_id)

    def check_api(self) -> tuple[bool, str]:
        """Return whether the server takes orders, and a sentence for people. Nothing is ordered."""
        return self._backend.check_api(self.call, self.settings.base_url, sends_key=bool(self.settings.secrets))

    def wait_for_video(
        self, video_id: str, policy: WaitPolicy, report: Callable[[News], None], own: OwnWords = NO_TEXTS
    ) -> Outcome:
        """Ask until the job is finished, the deadline has passed, or no answer can be expected any more.

        Args:
            video_id: ID of the job.
            policy: Times and limits of the wait.
            report: Function that is called after each change of the status.
            own: Texts of the order, if they are known.
        """
        return wait.wait_for_video(partial(self.get_video, own=own), wait.Wait(video_id, policy, report))

    def stream_chat(
        self, spec: ChatSpec, idempotency_key: str | None = None, timeout: float = DEFAULT_CHAT_TIMEOUT
    ) -> Iterator[ChatEvent]:
        """Order videos by the chat call, and yield its events as they arrive. The first is `Accepted`, the last `End`.

        Args:
            spec: The order. The call costs money. It is sent exactly once, when the first event is asked for.
            idempotency_key: Key by which a server recognizes a repeated order, or None.
            timeout: Seconds that the whole call may take.

        Raises:
            VideoTimeoutError: The time is over.
        """
        self.settings.profile.check_frames(spec)
        return stream_events(self.session, spec, idempotency_key, timeout)

    def content(self, video_id: str | None, url: str | None) -> Content:
        """Return the content of a video, to be downloaded.

        Args:
            video_id: ID of the job. Give this or `url`. With both, the ID is for messages only.
            url: Address of the file. Give this or `video_id`.
        """
        if url:
            return AddressContent(self.session, url, video_id)
        return JobContent(self.session, str(video_id), self.get_video)

    def call(self, request: ApiRequest) -> Answer:
        """Send any request and return the answer. An answer with an error status is an answer, too."""
        return self.session.send(request)


class AsyncVeoClient:
    """A client for triggers: it asks for the status of jobs, and cancels them. It does not block the event loop.

    Args:
        settings: The settings of the connection.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._session = AsyncSession(settings)
        self._backend = settings.backend

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
        self._session.add_where(error)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.aclose()

    async def get_video(self, video_id: str) -> Video:
        """Ask for the status of a job."""
        with adding(video_id=video_id):
            answer = await self._session.send(self._backend.get_video(video_id), self._backend.knows_enough)
            return _read_status(self._backend, answer, video_id, NO_TEXTS)

    async def cancel_video(self, video_id: str) -> Cancellation:
        """Ask the server to stop a job, and return the result that the server reports."""
        with adding(video_id=video_id):
            request = self._backend.cancel_video(video_id)
            if request is None:
                return Cancellation.IMPOSSIBLE
            return self._backend.read_cancellation(await self._session.send(request), video_id)


def _read_status(backend: Backend, answer: Answer, video_id: str, own: OwnWords) -> Video:
    return backend.read_video(replace(answer, own=own), video_id)
