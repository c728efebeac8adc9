"""The backend of all servers that have OpenAI's route `/v1/videos`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.backend import Backend, Cancellation
from airflow_provider_veo.api.backends.openai import requests
from airflow_provider_veo.api.backends.openai.cancelling import read_cancellation
from airflow_provider_veo.api.backends.openai.probe import check_api
from airflow_provider_veo.api.backends.openai.refusals import judge
from airflow_provider_veo.api.backends.openai.requests import REQUEST_FORMATS, RequestFormat
from airflow_provider_veo.api.backends.openai.videos import parse_video, parse_videos
from airflow_provider_veo.api.errors import ApiError, InvalidInputError
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.specs import VideoSpec, find_ignored_values
from airflow_provider_veo.api.verdict import Verdict
from airflow_provider_veo.api.video import Video


@dataclass(frozen=True)
class OpenAiBackend(Backend):
    """OpenAI's Videos API, in every shape that known servers give it.

    Attributes:
        request_format: Format of orders; see `requests.create_video`.

    Raises:
        InvalidInputError: There is no such format.
    """

    name = "openai"
    default_model = "veo-3.1-fast"

    request_format: RequestFormat = "auto"

    def __post_init__(self) -> None:
        if self.request_format not in REQUEST_FORMATS:
            formats = " or ".join(map(repr, REQUEST_FORMATS))
            raise InvalidInputError(f"request_format is {self.request_format!r}; it must be {formats}.")

    def check(self, spec: VideoSpec) -> Iterator[str]:
        return find_ignored_values(spec)

    def create_video(self, spec: VideoSpec, idempotency_key: str | None) -> ApiRequest:
        return requests.create_video(spec, self.request_format, idempotency_key)

    def create_video_again(self, spec: VideoSpec, idempotency_key: str | None, answer: Answer) -> ApiRequest | None:
        return requests.create_video_as_form(spec, self.request_format, idempotency_key, answer)

    def read_created(self, answer: Answer) -> Video:
        return parse_video(answer, "Creating the video")

    def judge(self, error: ApiError) -> Verdict:
        return judge(error)

    def get_video(self, video_id: str) -> ApiRequest:
        return requests.get_video(video_id)

    def read_video(self, answer: Answer, video_id: str) -> Video:
        return parse_video(answer, f"Asking for video {video_id}", video_id)

    def cancel_video(self, video_id: str) -> ApiRequest:
        return requests.cancel_video(video_id)

    def read_cancellation(self, answer: Answer, video_id: str) -> Cancellation:
        return read_cancellation(answer, video_id)

    def get_content(self, video_id: str) -> ApiRequest:
        return requests.get_content(video_id)

    def list_videos(self) -> ApiRequest:
        return requests.list_videos()

    def read_videos(self, answer: Answer) -> list[Video]:
        return parse_videos(answer, "Listing the videos")

    def list_models(self) -> ApiRequest:
        return requests.list_models()

    def check_api(self, send: Callable[[ApiRequest], Answer], base_url: str, *, sends_key: bool) -> tuple[bool, str]:
        return check_api(send, base_url, sends_key=sends_key)
