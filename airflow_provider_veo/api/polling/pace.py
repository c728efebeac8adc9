"""The pace at which a server accepts status calls, learned from its refusals and shared by all waits of a connection.

Everything here is a pure function over frozen data. Times are seconds of a clock that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

_FIRST_GAP = 0.05  # seconds between two calls after the first refusal: 20 calls a second
_LONGEST_GAP = 5.0  # seconds
_NO_GAP = 0.001  # seconds; a shorter gap counts as no gap
_PAUSE_IN_GAPS = 20  # length of the pause after a refusal without `Retry-After`: 1 s, then 2 s, 4 s ...
_LONGEST_PAUSE = 20.0  # seconds, without `Retry-After`
_LONGEST_ASKED_PAUSE = 300.0  # seconds, with `Retry-After`
_RECOVERY = 0.05  # growth of the call rate per second of good answers: it doubles in 14 seconds
_RECOVERY_STEP = 0.02  # largest growth of the call rate with one answer


@dataclass(frozen=True)
class Pace:
    """The limits that follow from the refusals so far.

    Attributes:
        gap: Seconds from the start of one call to the start of the next; 0 for no limit.
        resume_at: Time before which no call may start.
        slowed_at: Time at which the gap was last made wider.
    """

    gap: float = 0.0
    resume_at: float = 0.0
    slowed_at: float = float("-inf")


def start_call(pace: Pace, now: float) -> Pace:
    """Return the pace after a call has started."""
    return replace(pace, resume_at=now + pace.gap) if pace.gap else pace


def speed_up(pace: Pace) -> Pace:
    """Return the pace after a good answer: a little faster, if there is a limit."""
    if not pace.gap:
        return pace
    gap = pace.gap / (1 + min(_RECOVERY * pace.gap, _RECOVERY_STEP))
    return replace(pace, gap=gap if gap >= _NO_GAP else 0.0)


def slow_down(pace: Pace, sent_at: float, now: float, retry_after: float | None) -> Pace:
    """Return the pace after the server has refused a call for now.

    Args:
        pace: Pace before the refusal.
        sent_at: Time at which the refused call was sent. Many calls are in flight at the moment of a refusal; their
            refusals count as one.
        now: Time of the refusal.
        retry_after: Pause that the server asks for, in seconds; None if it asks for none.
    """
    if sent_at > pace.slowed_at:
        pace = replace(pace, gap=min(max(2 * pace.gap, _FIRST_GAP), _LONGEST_GAP), slowed_at=now)
    if retry_after is None:
        pause = min(_PAUSE_IN_GAPS * pace.gap, _LONGEST_PAUSE)
    else:
        pause = min(retry_after, _LONGEST_ASKED_PAUSE)
    return replace(pace, resume_at=max(pace.resume_at, now + pause))
