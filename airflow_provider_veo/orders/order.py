"""The order that a task wants to send in this try."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec

OnUnknownSubmission = Literal["fail", "resubmit"]
OnClear = Literal["collect", "new"]


@dataclass(frozen=True)
class Order:
    """The order that a task wants to send in this try.

    Attributes:
        fingerprint: Hash of the request; see `make_fingerprint`.
        epoch: The task instance's `max_tries`. It is the same in all retries, and another one after a clear.
        now: Unix time at the start of this try, in seconds.
        timeout: Seconds that the video may take, from the first order of the epoch.
        max_submissions: Number of orders that one epoch may send.
        on_unknown_submission: Action of a retry after an unknown order: `fail`, or `resubmit` and perhaps pay twice.
        frames: SHA-256 of each picture of the request, by argument.
        execution_timeout: Seconds that this try may take, from `now`; None where Airflow sets no limit.
        model: Name of the model, for messages.
        conn_id: ID of the connection, for messages.
        try_number: Number of this try; None if Airflow does not report it.
        clear_number: Number of clears that the Dag run has seen; None if Airflow does not report it.
        retries: Number of retries that the Dag gives the task now; None if it is not known.
        region: ID of the task instance's region in a task loop or an expansion; None if it has none.
        server: Address of the server, without secrets.
        retention: Seconds after an order in which the server may still have its video.
        on_clear: Action of the first try after a clear, if a paid video is not delivered: `collect` it, or order a
            `new` one.

    Raises:
        InvalidInputError: The execution timeout is not above zero.
    """

    fingerprint: str
    epoch: int
    now: float
    timeout: float
    max_submissions: int
    on_unknown_submission: OnUnknownSubmission
    frames: Mapping[str, str] = field(default_factory=dict)
    execution_timeout: float | None = None
    model: str = ""
    conn_id: str = ""
    try_number: int | None = None
    clear_number: int | None = None
    retries: int | None = None
    region: str | None = None
    server: str | None = None
    retention: float = math.inf
    on_clear: OnClear = "collect"

    def __post_init__(self) -> None:
        # `execution_timeout` is an argument of Airflow's, so `tasks.arguments` has no rule for it.
        if self.execution_timeout is not None and self.execution_timeout <= 0:
            raise InvalidInputError(
                f"execution_timeout is {self.execution_timeout:g} s, so the time for a video is over before it is "
                "ordered. Nothing was ordered. Set execution_timeout to the time that a video may take."
            )

    def deadline(self, waiting_since: float) -> float:
        """Return the Unix time at which the time for the video is over.

        Args:
            waiting_since: Unix time of the first order of the epoch.
        """
        end = waiting_since + self.timeout
        return end if self.execution_timeout is None else min(end, self.now + self.execution_timeout)


def make_fingerprint(spec: VideoSpec | ChatSpec, conn_id: str) -> str:
    """Return a hash of everything that decides which video is ordered, and from which server.

    Args:
        spec: Request that the order sends.
        conn_id: ID of the connection.
    """
    canonical = json.dumps([conn_id, spec.identity()], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
