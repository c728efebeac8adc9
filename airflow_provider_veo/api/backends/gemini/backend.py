"""The backend for Google's Interactions API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote

from airflow_provider_veo.api.answers.answer import Answer, is_usable_id
from airflow_provider_veo.api.answers.text import make_line, show
from airflow_provider_veo.api.backends.backend import Backend, Cancellation
from airflow_provider_veo.api.backends.gemini import interactions, prices, probe
from airflow_provider_veo.api.backends.gemini.errors import judge, make_google_error
from airflow_provider_veo.api.backends.gemini.orders import Delivery, build_body
from airflow_provider_veo.api.backends.gemini.rules import GLOBAL, check_order
from airflow_provider_veo.api.backends.google_cloud import make_address
from airflow_provider_veo.api.errors import ApiError, InvalidInputError, Reason
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.verdict import Verdict
from airflow_provider_veo.api.video import Video, VideoStatus

_IMPOSSIBLE = (Reason.BAD_REQUEST, Reason.NOT_FOUND)
"""Reasons for which a server does not cancel: the job has ended, or it is not known."""

_NOT_IMPLEMENTED = 501


@dataclass(frozen=True)
class GeminiBackend(Backend):
    """Google's Interactions API, by an API key or on the Agent Platform of Google Cloud.

    It has no keys for orders: an order that is sent twice makes two jobs (google-genai 3.6.1).

    Attributes:
        project: Project of Google Cloud. None for the Gemini API, which has keys and no projects.
        location: Location of the Agent Platform. None means `global`.
        output_uri: Folder of a bucket that Google writes videos to, as `gs://bucket/folder/`. The Gemini API has none.

    Raises:
        InvalidInputError: The folder is not one of a bucket, or there is no project.
    """

    project: str | None = None
    location: str | None = None
    output_uri: str | None = None

    name: ClassVar[str] = "gemini"
    default_model: ClassVar[str] = "gemini-omni-1.2-flash"
    opening: ClassVar[float] = 25.0

    def __post_init__(self) -> None:
        if self.project is None and (self.location or self.output_uri):
            raise InvalidInputError(
                "The connection has a location or an output_uri, and no project: the Gemini API has neither. Set "
                "project for the Agent Platform of Google Cloud, or remove them."
            )
        if self.output_uri is not None and not self.output_uri.startswith("gs://"):
            raise InvalidInputError(
                f"output_uri of the connection is {show(self.output_uri)}; it must be like 'gs://bucket/folder/'."
            )

    @property
    def address(self) -> str:
        if self.project is None:
            return "https://generativelanguage.googleapis.com"
        return make_address(self._location)

    @property
    def key_header(self) -> str:
        return "x-goog-api-key"

    def check(self, spec: VideoSpec) -> Iterator[str]:
        body = build_body(spec, self._delivery)
        yield from check_order(spec, body, project=self.project, location=self._location)

    def estimate_cost(self, spec: VideoSpec) -> float | None:
        try:
            return prices.estimate_cost(build_body(spec, self._delivery))
        except InvalidInputError:  # `check` says why
            return None

    def create_video(self, spec: VideoSpec, idempotency_key: str | None) -> ApiRequest:  # noqa: ARG002
        return ApiRequest("POST", self._path, json=build_body(spec, self._delivery))

    def read_created(self, answer: Answer) -> Video:
        return interactions.parse_interaction(answer, "Creating the video")

    def get_video(self, video_id: str) -> ApiRequest:
        return ApiRequest("GET", f"{self._find_path(video_id)}?stream=false")

    def read_video(self, answer: Answer, video_id: str) -> Video:
        return interactions.parse_interaction(answer, f"Asking for video {video_id}", video_id)

    def knows_enough(self, body: bytes) -> bool:
        return interactions.knows_enough(body)

    def cancel_video(self, video_id: str) -> ApiRequest:
        return ApiRequest("POST", f"{self._find_path(video_id)}/cancel")

    def read_cancellation(self, answer: Answer, video_id: str) -> Cancellation:
        if not answer.ok:
            error = make_google_error(answer, f"Cancelling video {video_id}", about_a_job=True)
            if error.reason in _IMPOSSIBLE or answer.status == _NOT_IMPLEMENTED:
                return Cancellation.IMPOSSIBLE
            raise error
        status = interactions.read_status(answer)
        if status is VideoStatus.CANCELLED:
            return Cancellation.STOPPED
        return Cancellation.IMPOSSIBLE if status.finished else Cancellation.ACCEPTED

    def judge(self, error: ApiError) -> Verdict:
        return judge(error)

    def get_content(self, video_id: str) -> ApiRequest:
        return self.get_video(video_id)

    def is_content(self, head: bytes) -> bool:
        return interactions.breaks_off_in_output(head)

    def find_content(self, answer: Answer) -> str | None:
        return interactions.find_content(answer)

    def check_api(self, send: Callable[[ApiRequest], Answer], base_url: str, *, sends_key: bool) -> tuple[bool, str]:
        request = self.get_video(probe.NOTHING)
        return probe.explain(send(request), f"{base_url}{request.path}", base_url, sends_key=sends_key)

    @property
    def _delivery(self) -> Delivery:
        """Without a bucket, the Agent Platform sends the video within its answer; it has no Files API."""
        return Delivery(self.output_uri, as_file=self.project is None)

    @property
    def _location(self) -> str:
        return self.location or GLOBAL

    @property
    def _path(self) -> str:
        # the versions that google-genai 3.6.1 uses
        if self.project is None:
            return "/v1/interactions"
        project, location = quote(self.project, safe=""), quote(self._location, safe="")
        return f"/v1beta1/projects/{project}/locations/{location}/interactions"

    def _find_path(self, video_id: str) -> str:
        if not isinstance(video_id, str) or not is_usable_id(video_id):
            raise InvalidInputError(f"video_id must be the id of an interaction, not {make_line(repr(video_id), 100)}.")
        return f"{self._path}/{quote(video_id, safe='')}"
