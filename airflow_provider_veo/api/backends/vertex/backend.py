"""The backend for Veo on Google Cloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from airflow_provider_veo.api.answers.answer import ID_LIMIT, Answer
from airflow_provider_veo.api.backends.backend import Backend, Verdict
from airflow_provider_veo.api.backends.vertex import models, operations, refusals, rules
from airflow_provider_veo.api.backends.vertex.bodies import make_body
from airflow_provider_veo.api.backends.vertex.names import check_part, make_model_path, read_model_path
from airflow_provider_veo.api.errors import ApiError, ContentNotReadyError, Reason, VideoFailedError
from airflow_provider_veo.api.request import ApiRequest
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.video import Video, VideoStatus


@dataclass(frozen=True)
class VertexBackend(Backend):
    """Veo on Google Cloud (Agent Platform, formerly Vertex AI).

    The API has no call that cancels, lists or deletes, and no idempotency key. It sends no progress and no price.

    Attributes:
        project: ID of the project that orders and pays.
        location: Location of the orders, such as `us-central1`.
        output_uri: Address of the bucket and folder in which Google stores the videos, `gs://bucket/folder/`. None:
            each video comes in the answer to the status call, as base64.

    Raises:
        InvalidInputError: A field cannot be a part of an order.
    """

    name: ClassVar[str] = "vertex"
    default_model: ClassVar[str] = "veo-3.1-fast-generate-001"

    project: str
    location: str
    output_uri: str | None = None

    def __post_init__(self) -> None:
        check_part(self.project, "project")
        check_part(self.location, "location")
        if self.output_uri is not None:
            rules.check_bucket(self.output_uri, "output_uri of the connection")

    def check(self, spec: VideoSpec) -> Iterator[str]:
        make_model_path(spec.model, self.project, self.location)
        yield from rules.check(spec, self.output_uri)

    def estimate_cost(self, spec: VideoSpec) -> float | None:
        return models.estimate_cost(spec)

    def create_video(self, spec: VideoSpec, idempotency_key: str | None) -> ApiRequest:  # noqa: ARG002 - no such header
        path = make_model_path(spec.model, self.project, self.location)
        return ApiRequest("POST", f"/v1/{path}:predictLongRunning", json=make_body(spec, self.output_uri).to_json())

    def read_created(self, answer: Answer) -> Video:
        return operations.read_created(answer, "Creating the video")

    def get_video(self, video_id: str) -> ApiRequest:
        # a GET of the operation answers 404 for Veo (vercel/ai#12003)
        path = read_model_path(video_id)
        return ApiRequest("POST", f"/v1/{path}:fetchPredictOperation", json={"operationName": video_id})

    def read_video(self, answer: Answer, video_id: str) -> Video:
        return operations.read_status(answer, f"Asking for video {video_id}", video_id)

    def judge(self, error: ApiError) -> Verdict:
        return refusals.judge(error)

    def get_content(self, video_id: str) -> ApiRequest:
        return self.get_video(video_id)

    def find_content(self, answer: Answer) -> str | None:
        body = answer.json()
        name = body.get("name") if isinstance(body, dict) else None
        video = operations.read_status(answer, "Asking for the video", answer.quote(str(name), ID_LIMIT))
        if not video.status.finished:
            raise ContentNotReadyError("The video is not there yet: the operation still runs.")
        if video.status is not VideoStatus.COMPLETED:
            raise VideoFailedError(video.id, video.status.value, video.reason or Reason.UNKNOWN, video.message)
        return operations.find_address(body)
