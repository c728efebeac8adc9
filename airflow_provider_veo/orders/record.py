"""The order record: the latest order of a task instance, as it is stored between its tries.

A record is a value. Its methods return the record after an event; `decision` says which event comes next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from typing import Any

from airflow_provider_veo.orders.collecting import NotCollected

LONGEST_REFUSAL = 600.0
"""Seconds over which a server must have withheld a paid video before a clear orders another one."""


class State(str, Enum):
    """The state of an order."""

    INTENT = "intent"
    """It is about to be sent, or it was sent and no answer came: an unknown order."""
    REFUSED = "refused"
    """It surely made no job."""
    SUBMITTED = "submitted"
    """It made a job."""
    STORED = "stored"
    """The video is stored, at its destination or in the salvage folder. The task may not have succeeded."""
    DELIVERED = "delivered"
    """The task has succeeded."""
    LOST = "lost"
    """The video can never be collected: there is none, or the server has deleted it."""


@dataclass(frozen=True)
class Kept:
    """The stored video of a job, with everything that a later try needs to return the same result.

    Attributes:
        path: Path of a local file, or URI that `ObjectStoragePath` takes.
        bytes: Size of the file.
        sha256: Hash of the file, in hexadecimal.
        outcome: Outcome of the job, as `Outcome.to_event` writes it, without an address that may be signed.
        submissions: Number of orders that the task's result names.
    """

    path: str
    bytes: int
    sha256: str
    outcome: Mapping[str, Any]
    submissions: int


@dataclass(frozen=True)
class OrderRecord:
    """The latest order of a task instance.

    Attributes:
        state: State of the latest order.
        fingerprint: Hash of the request; see `order.make_fingerprint`.
        epoch: The task instance's `max_tries` when the record was written.
        idempotency_key: Key that is sent with the order, so that a server can recognise a repeated one.
        submissions: Number of orders of this epoch that made a job, or may have made one.
        waiting_since: Unix time of the first order of this epoch. The deadline counts from here.
        sent_at: Unix time of the latest order.
        video_id: ID of the job.
        adopted: Whether the job belongs to an earlier epoch, and this epoch has ordered nothing yet. The clear between
            them may have cancelled the job.
        urls: Addresses of the videos that a chat call has brought so far. A chat call has no job.
        frames: SHA-256 of each picture of the request, by argument.
        posts: Number of requests to order that were sent in this epoch, including those that made no job.
        try_number: Number of the try that wrote this; None if it is not known.
        clear_number: Number of clears that the Dag run had seen by then; None if it is not known.
        kept: The stored video of the job, once it is stored.
        earlier: IDs of the jobs of earlier orders of this task, the latest `decision.MOST_EARLIER` of them.
        by_clear: Whether the latest try that continues with the job is the first one after a clear.
        withheld_since: Unix time at which the server first withheld the video, or refused to report the job's status;
            None if it has handed over or reported something since.
        entry: Number of the order in the order files, from 0; None if it is in no order file. See `order_files`.
        region: ID of the region of the task instance that wrote this; None without a region, or before Airflow 3.4.
        server: Address of the server, without secrets; None if it is not known.
    """

    state: State
    fingerprint: str
    epoch: int
    idempotency_key: str
    submissions: int
    waiting_since: float
    sent_at: float
    video_id: str | None = None
    adopted: bool = False
    urls: tuple[str, ...] = ()
    frames: Mapping[str, str] = field(default_factory=dict)
    posts: int = 0
    try_number: int | None = None
    clear_number: int | None = None
    kept: Kept | None = None
    earlier: tuple[str, ...] = ()
    by_clear: bool = False
    withheld_since: float | None = None
    entry: int | None = None
    region: str | None = None
    server: str | None = None

    @property
    def has_job(self) -> bool:
        """Whether the order made something that was paid for."""
        return self.state in (State.SUBMITTED, State.STORED, State.DELIVERED)

    @property
    def is_unknown(self) -> bool:
        """Whether it is unknown if the order made a job."""
        return self.state is State.INTENT

    @property
    def replaceable_from(self) -> float | None:
        """Unix time from which a clear may order another video if this one is withheld again; None if it never may."""
        return None if self.withheld_since is None else self.withheld_since + LONGEST_REFUSAL

    @property
    def is_given_up(self) -> bool:
        """Whether this try, which was just refused the video, orders another one.

        Only the first try after a clear does, and only if it began after `replaceable_from`: the error of the earlier
        try has named that time.
        """
        return self.by_clear and self.replaceable_from is not None and self.waiting_since >= self.replaceable_from

    def as_sent(self, now: float) -> OrderRecord:
        """Return the record to write before each request: from then on a crash may leave a job behind.

        Args:
            now: Current Unix time in seconds.
        """
        return replace(self, state=State.INTENT, posts=self.posts + 1, sent_at=now)

    def as_refused(self) -> OrderRecord:
        """Return the record after the server has surely refused the order."""
        return replace(self, state=State.REFUSED, submissions=self.submissions - 1)

    def as_accepted(self, video_id: str | None) -> OrderRecord:
        """Return the record after the server has accepted the order.

        Args:
            video_id: ID of the job; None for a chat call.
        """
        return replace(self, state=State.SUBMITTED, video_id=video_id)

    def with_url(self, url: str, replaced: str | None = None) -> OrderRecord:
        """Return the record after a chat call has brought a video.

        Args:
            url: Address of the video.
            replaced: Address that the new one replaces, if the record has it.
        """
        if replaced not in self.urls:
            return replace(self, urls=(*self.urls, url))
        return replace(self, urls=tuple(url if one == replaced else one for one in self.urls))

    def as_stored(self, kept: Kept) -> OrderRecord:
        """Return the record after the video was stored: if the task fails now, the next try hands the file over."""
        return replace(self, state=State.STORED, kept=kept, withheld_since=None)

    def as_delivered(self) -> OrderRecord:
        """Return the record after the task has succeeded."""
        return replace(self, state=State.DELIVERED)

    def as_lost(self) -> OrderRecord:
        """Return the record after it is sure that the video can never be collected."""
        return replace(self, state=State.LOST)

    def as_not_collected(self, why: NotCollected, now: float, *, is_running: bool = False) -> OrderRecord:
        """Return the record after the video could not be collected.

        Args:
            why: Reason why the video was not collected.
            now: Current Unix time in seconds.
            is_running: Whether the server has meanwhile reported that the job is not finished, so that nothing is
                withheld yet.
        """
        if why is NotCollected.NEVER:
            return self.as_lost()
        since = None if is_running or why is NotCollected.OUR_SIDE else self.withheld_since
        return replace(self, withheld_since=since or now if why is NotCollected.REFUSED else since)

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values, for the task state store."""
        value = {"version": 1} | asdict(self) | {"state": self.state.value}
        return value | {"urls": list(self.urls), "earlier": list(self.earlier)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> OrderRecord:
        """Return a stored record. Fields of later versions are ignored, and missing ones have their defaults.

        Args:
            value: JSON object that `to_json` has returned, in this version or another one.

        Raises:
            Exception: The value is not a record. The kind of exception depends on the value.
        """
        values = _select_fields(cls, value)
        kept = values.get("kept")
        parsed = {
            "state": State(values["state"]),
            "urls": tuple(values.get("urls", ())),
            "earlier": tuple(values.get("earlier", ())),
            "kept": None if kept is None else Kept(**_select_fields(Kept, kept)),
        }
        return cls(**values | parsed)


def _select_fields(kind: type[OrderRecord | Kept], value: Mapping[str, Any]) -> dict[str, Any]:
    names = {part.name for part in fields(kind)}
    return {name: part for name, part in value.items() if name in names}
