"""The meaning of an error for the order that it answers."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """Whether an order that was answered by an error may have made a job."""

    REFUSED = "it surely made no job"
    REFUSED_FOR_NOW = "it surely made no job, and the API itself says that this will pass"
    UNKNOWN = "it may have made a job"
