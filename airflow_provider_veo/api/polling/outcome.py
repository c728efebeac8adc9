"""The outcome of a wait, as a value that travels from the triggerer to the task in an event."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

import pendulum

from airflow_provider_veo.api.answers.masking import KEY_IN_ADDRESS
from airflow_provider_veo.api.answers.own_words import OwnWords
from airflow_provider_veo.api.answers.text import make_line, make_storable
from airflow_provider_veo.api.errors import Reason, StatusUnknownError, VeoError, VideoFailedError, VideoTimeoutError
from airflow_provider_veo.api.reasons import find_reason_in
from airflow_provider_veo.api.video import Video, VideoStatus

OutcomeKind = Literal["completed", "failed", "timeout", "error"]

_LONGEST_TEXT = 2_000  # characters of each text of an event
_PLAIN_ADDRESS = re.compile(r"https?://[\w.:\[\]-]+/[\w.~/-]*", re.ASCII)
_REASONS = frozenset(reason.value for reason in Reason)
_TYPES: Mapping[str, Any] = {
    "str": str,
    "OutcomeKind": str,
    "float": (int, float),
    "int": int,
    "bool": bool,
    "None": type(None),
}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a wait. All fields are JSON scalars, since outcomes travel through Airflow's database.

    Attributes:
        kind: `completed`: there is a video. `failed`: the job ended without a video. `timeout`: the deadline passed.
            `error`: the status could not be read.
        video_id: ID of the job.
        status: Last known status of the job.
        message: Explanation for people, if there is no video.
        reason: Value of the `Reason` why there is no video.
        model: Model that the server names.
        url: Address of the video, if the server names one.
        size: Size of the video as `<width>x<height>`, if the server names it.
        seconds: Length of the video, if the server names it.
        created_at: Start of the job by the server's clock, as ISO 8601 in UTC.
        completed_at: End of the job by the server's clock, as ISO 8601 in UTC.
        expires_at: Time after which the server deletes the video, as ISO 8601 in UTC.
        url_withheld: Whether the event leaves out an address, so that the server must be asked for the address again.
        polls: Number of status calls in this wait.
        reason_in_words: Whether the reason was found in the text of `message`, see `judge_reason`.
        in_doubt: Whether only the content can show if there is a video: the server contradicts itself (see `Video`),
            or this package does not know the last status.
        was_running: Whether an earlier answer in this wait has shown the job unfinished.
        cost_usd: Price in US dollars that the server names, or that its usage gives exactly.
    """

    kind: OutcomeKind
    video_id: str
    status: str
    message: str = ""
    reason: str = Reason.UNKNOWN.value
    model: str | None = None
    url: str | None = None
    size: str | None = None
    seconds: float | None = None
    created_at: str | None = None
    completed_at: str | None = None
    expires_at: str | None = None
    url_withheld: bool = False
    polls: int = 0
    reason_in_words: bool = False
    in_doubt: bool = False
    was_running: bool = False
    cost_usd: float | None = None

    @classmethod
    def of(cls, video: Video) -> Outcome:
        """Return the outcome of a finished job from its last status."""
        completed = video.status is VideoStatus.COMPLETED
        return cls(
            kind="completed" if completed else "failed",
            video_id=video.id,
            status=video.status.value,
            message=video.message,
            reason=(video.reason or Reason.UNKNOWN).value,
            reason_in_words=video.reason_in_words,
            in_doubt=video.in_doubt,
            model=video.model,
            url=video.url,
            size=video.size,
            seconds=video.seconds,
            created_at=_format_time(video.created_at),
            completed_at=_format_time(video.completed_at),
            expires_at=_format_time(video.expires_at),
            cost_usd=video.cost_usd,
        )

    def judge_reason(self, own: OwnWords) -> Outcome:
        """Return the outcome with the reason that the text of the server itself gives.

        The message may quote the prompt, and a word of the prompt is not a reason. The triggerer does not know the
        prompt, so the task judges the message again.

        Args:
            own: Texts of the order.
        """
        if not self.reason_in_words:
            return self
        reason = find_reason_in(own.remove_from(self.message)) or Reason.UNKNOWN
        is_cut = self.message.endswith("…")
        if reason is Reason.UNKNOWN and is_cut and find_reason_in(" ".join(own.texts)) is not Reason(self.reason):
            return self  # the reason stood in the part that was cut off, and the order does not contain it
        return replace(self, reason=reason.value)

    def mark_completed(self) -> Outcome:
        """Return the outcome of a job in doubt after its content has been seen."""
        completed = VideoStatus.COMPLETED.value
        return replace(
            self, kind="completed", status=completed, message="", reason=Reason.UNKNOWN.value, in_doubt=False
        )

    @property
    def is_running(self) -> bool:
        """Whether the server has shown the job unfinished in this wait."""
        return self.was_running or (self.kind in ("timeout", "error") and self.status != VideoStatus.UNKNOWN.value)

    @property
    def generation_seconds(self) -> float | None:
        """Duration of the job in seconds by the server's clock; None if the server does not name start and end."""
        if not (self.created_at and self.completed_at):
            return None
        try:
            seconds: float = (_parse_time(self.completed_at) - _parse_time(self.created_at)).total_seconds()
        except Exception:  # noqa: BLE001 - an event may hold any text
            return None
        return seconds

    def to_event(self) -> dict[str, Any]:
        """Return the payload of a trigger event. Airflow logs it, so it holds no address that may be signed.

        A text that the database refuses would end the triggerer, and with it all waits of the installation. So the
        event is always short, and always JSON that every database takes.
        """
        withheld = {"url": None, "url_withheld": True} if self.url and _may_be_signed(self.url) else {}
        return {"version": 1} | {name: _make_storable(value) for name, value in asdict(self).items()} | withheld

    @classmethod
    def from_event(cls, event: Any) -> Outcome:
        """Read an event that `to_event` has written.

        Raises:
            VeoError: The event has another form.
        """
        if not isinstance(event, dict) or event.get("version") != 1:
            raise _make_unreadable_error(event)
        given = {part.name: _make_storable(event.get(part.name)) for part in fields(cls)}
        values = {part.name: given[part.name] for part in fields(cls) if isinstance(given[part.name], _types_of(part))}
        is_whole = values.get("kind") in get_args(OutcomeKind) and values.get("video_id") and "status" in values
        if not is_whole:
            raise _make_unreadable_error(event)
        if values.get("reason") not in _REASONS:
            values["reason"] = Reason.UNKNOWN.value
        return cls(**values)

    def raise_for_kind(self) -> None:
        """Raise the error of this outcome, if there is no video.

        Raises:
            VideoFailedError: The job ended without a video.
            VideoTimeoutError: The deadline passed.
            StatusUnknownError: The status could not be read.
        """
        if self.kind == "failed":
            raise VideoFailedError(self.video_id, self.status, Reason(self.reason), self.message)
        if self.kind == "timeout":
            error = VideoTimeoutError(self.message, video_id=self.video_id)
            error.reason = Reason.TIMEOUT if self.reason == Reason.UNKNOWN else Reason(self.reason)
            raise error
        if self.kind == "error":
            raise StatusUnknownError(self.message, Reason(self.reason), video_id=self.video_id)


def _may_be_signed(url: str) -> bool:
    """Return whether an address may hold a secret: a user, query, fragment or parameter, or "hmac=..." in its path."""
    return not _PLAIN_ADDRESS.fullmatch(url) or KEY_IN_ADDRESS in url or len(url) > _LONGEST_TEXT


def _make_storable(value: Any) -> Any:
    """Return a value as an event may hold it: cut, cleaned, or None for a value of an unexpected type."""
    if isinstance(value, str):
        return make_storable(str(value))[:_LONGEST_TEXT]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float)) else None


def _types_of(part: Field[Any]) -> Any:
    """Return the types that a field of an outcome may have, as `isinstance` takes them."""
    return tuple(_TYPES[name] for name in str(part.type).split(" | "))


def _make_unreadable_error(event: Any) -> VeoError:
    return VeoError(
        f"The trigger resumed the task with an event that this version cannot read: {make_line(repr(event), 200)}. "
        "Install the same version of airflow-provider-veo on workers and triggerers."
    )


def _format_time(moment: pendulum.DateTime | None) -> str | None:
    return None if moment is None else moment.to_iso8601_string()


def _parse_time(text: str) -> pendulum.DateTime:
    moment = pendulum.parse(text)
    assert isinstance(moment, pendulum.DateTime)
    return moment
