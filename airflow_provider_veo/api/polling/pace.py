"""How fast a server wants to be asked, as far as it has told: shared by all who ask it.

Pure decisions over frozen data; times are seconds of any clock that only goes forward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

_FIRST_GAP = 0.05  # seconds between two calls after the first refusal: 20 calls a second
_LONGEST_GAP = 5.0
_NO_GAP = 0.001  # below this a gap is none
_PAUSE_IN_GAPS = 20  # the pause after a refusal that names none: a second, then two, four ...
_LONGEST_PAUSE = 20.0
_LONGEST_ASKED_PAUSE = 300.0
_RECOVERY = 0.05  # by which the rate grows in a second of good answers: it doubles in 14 seconds ...
_RECOVERY_STEP = 0.02  # ... but by no more than this with one answer


@dataclass(frozen=True)
class Pace:
    """What the refusals so far allow.

    Attributes:
        gap: seconds between the beginnings of two calls; 0 for no limit.
        resume_at: no call may begin before.
        slowed_at: when the gap was last widened.
    """

    gap: float = 0.0
    resume_at: float = 0.0
    slowed_at: float = float("-inf")


def begun(pace: Pace, now: float) -> Pace:
    """Return the pace after a call has begun."""
    return replace(pace, resume_at=now + pace.gap) if pace.gap else pace


def answered(pace: Pace) -> Pace:
    """Return the pace after a good answer: a little faster, if it was slowed."""
    if not pace.gap:
        return pace
    gap = pace.gap / (1 + min(_RECOVERY * pace.gap, _RECOVERY_STEP))
    return replace(pace, gap=gap if gap >= _NO_GAP else 0.0)


def refused(pace: Pace, sent_at: float, now: float, retry_after: float | None) -> Pace:
    """Return the pace after the server has refused a call for now.

    Args:
        pace: as it was.
        sent_at: when the call was sent. Many are in flight at the moment of a refusal; they are one refusal.
        now: the time of the answer.
        retry_after: seconds that the server asks for, or None.
    """
    if sent_at > pace.slowed_at:
        pace = replace(pace, gap=min(max(2 * pace.gap, _FIRST_GAP), _LONGEST_GAP), slowed_at=now)
    if retry_after is None:
        pause = min(_PAUSE_IN_GAPS * pace.gap, _LONGEST_PAUSE)
    else:
        pause = min(retry_after, _LONGEST_ASKED_PAUSE)
    return replace(pace, resume_at=max(pace.resume_at, now + pause))
