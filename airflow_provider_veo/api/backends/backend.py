"""The interface of all backends. A backend knows one protocol of video APIs: its requests, and its answers.

A backend is pure. It returns requests as plain data, and it reads answers that others have received.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from enum import Enum
from typing import ClassVar

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.errors import ApiError
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.verdict import Verdict
from airflow_provider_veo.api.video import Video


class Cancellation(Enum):
    """The result of a cancellation. Each value is a sentence for people; {} is the ID of the job."""

    STOPPED = "The server has cancelled video {}."
    ACCEPTED = (
        "The server has removed video {}. It does not say whether it has also stopped the work. A job that still runs "
        "may be billed."
    )
    IMPOSSIBLE = (
        "Video {} is not cancelled: the server cannot cancel jobs, or does not know this one. A job that still runs "
        "may be billed."
    )


class Backend(ABC):
    """One protocol of video APIs.

    Attributes:
        name: Name by which a connection chooses the backend.
        default_model: Model to order if neither the task nor the connection names one.
        opening: Seconds from an order to the first status call, while no earlier job of the model is known.
        key_header: Header that carries an API key. For `Authorization`, the connection chooses its form.
        address: Base URL of the API if the connection names none; None if the connection must name one.
        output_uri: Folder of a bucket in which the API stores the videos; None if it stores them nowhere.
    """

    name: ClassVar[str]
    default_model: ClassVar[str]
    opening: ClassVar[float] = 45.0
    output_uri: str | None = None

    @property
    def address(self) -> str | None:
        return None

    @property
    def key_header(self) -> str:
        return "Authorization"

    def check(self, spec: VideoSpec) -> Iterator[str]:  # noqa: ARG002 - a backend without rules
        """Yield a warning for each value that the API may not take as it is meant.

        Args:
            spec: Order for one video.

        Raises:
            InvalidInputError: The order breaks a rule of its model, so that the API would refuse it, or would ignore a
                part of it. The message names the argument and the model.
        """
        yield from ()

    def estimate_cost(self, spec: VideoSpec) -> float | None:  # noqa: ARG002 - a backend without prices
        """Return the price of an order in US dollars, or None if it is not known before the order.

        Args:
            spec: Order for one video.
        """
        return None

    @abstractmethod
    def create_video(self, spec: VideoSpec, idempotency_key: str | None) -> ApiRequest:
        """Build the create call, which orders a video.

        Args:
            spec: Order for one video.
            idempotency_key: Key of the order, for servers that recognize a repeated one; None to send none.
        """

    def create_video_again(self, spec: VideoSpec, idempotency_key: str | None, answer: Answer) -> ApiRequest | None:  # noqa: ARG002
        """Build the create call in another format if the server has surely not read the first one; else return None.

        Args:
            spec: Order for one video.
            idempotency_key: Key of the order.
            answer: Answer to the first create call.
        """
        return None

    @abstractmethod
    def read_created(self, answer: Answer) -> Video:
        """Read the answer to a create call.

        Raises:
            ApiError: The answer is an error, or names no job.
        """

    def read_order(self, answer: Answer) -> Video:
        """Do as `read_created`. An error also says whether the order may have made a job."""
        try:
            return self.read_created(answer)
        except ApiError as error:
            error.verdict = self.judge(error)
            raise

    @abstractmethod
    def get_video(self, video_id: str) -> ApiRequest:
        """Build the status call for a job.

        Raises:
            InvalidInputError: The text cannot be the ID of a job of this API.
        """

    @abstractmethod
    def read_video(self, answer: Answer, video_id: str) -> Video:
        """Read the answer to a status call. The answer may be cut (`is_cut`): only its beginning was read then.

        Args:
            answer: Answer of the server.
            video_id: ID in the status call.

        Raises:
            ApiError: The answer is an error, or describes no job.
        """

    def knows_enough(self, body: bytes) -> bool:  # noqa: ARG002 - a backend whose answers are short
        """Return whether the beginning of a status answer says that there is a video: then its rest is not read.

        Args:
            body: Beginning of the body of the answer.
        """
        return False

    def cancel_video(self, video_id: str) -> ApiRequest | None:  # noqa: ARG002 - a backend that cannot cancel
        """Build the call that stops a job; None if the API cannot stop jobs.

        Args:
            video_id: ID of the job.
        """
        return None

    def read_cancellation(self, answer: Answer, video_id: str) -> Cancellation:  # noqa: ARG002
        """Return the result of a cancellation.

        Args:
            answer: Answer to the request that cancels the job.
            video_id: ID of the job.

        Raises:
            ApiError: The server has failed, or refuses for now.
        """
        return Cancellation.IMPOSSIBLE

    @abstractmethod
    def judge(self, error: ApiError) -> Verdict:
        """Return whether an order that was answered by an error has surely made no job: a closed list.

        Args:
            error: Error of a create call, with the answer.
        """

    @abstractmethod
    def get_content(self, video_id: str) -> ApiRequest:
        """Build the first call for a job's video. Its answer is the file, holds it, or names its address.

        Args:
            video_id: ID of the job.
        """

    def is_content(self, head: bytes) -> bool:  # noqa: ARG002 - a backend whose answers hold no other videos
        """Return whether a video inside an answer is that of the job, and not one that the order has sent.

        Args:
            head: The answer up to the beginning of the video. Long texts in it are cut.
        """
        return True

    def find_content(self, answer: Answer) -> str | None:  # noqa: ARG002
        """Return the address of the video that an answer to `get_content` names; None if it names none.

        Args:
            answer: Answer of the API that is not the file and does not hold it. Long texts in it are cut.

        Raises:
            ContentNotReadyError: The file is not there yet.
            VideoFailedError: There is no video.
        """
        return None

    def list_videos(self) -> ApiRequest | None:
        """Build the call that lists jobs, the newest first; None if the API has none."""
        return None

    def read_videos(self, answer: Answer) -> list[Video]:  # noqa: ARG002
        """Read the answer to a list call. Jobs that cannot be read are left out.

        Args:
            answer: Answer of the server.

        Raises:
            ApiError: The answer is an error.
        """
        return []

    def list_models(self) -> ApiRequest | None:
        """Build the call that lists models; None if the API has none."""
        return None

    @abstractmethod
    def check_api(self, send: Callable[[ApiRequest], Answer], base_url: str, *, sends_key: bool) -> tuple[bool, str]:
        """Return whether an address takes orders, and a sentence for people. Nothing is ordered.

        Args:
            send: Sends a request and returns the answer.
            base_url: Address that `send` sends requests to.
            sends_key: Whether `send` sends a key along.

        Raises:
            VeoError: The server cannot be reached.
        """
