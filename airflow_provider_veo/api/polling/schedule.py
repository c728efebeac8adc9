"""The time of the next status call: a schedule that learns from a job's progress and from earlier jobs.

It trusts neither. Progress is extrapolated while its numbers are plausible: the closer the expected end, the shorter
the pause, and the last call is aimed just behind the expected end. Progress that jumps, sticks or is absent leads to
steady pauses.

    order                     progress is seen                    expected end
      |                          |                                     |
      |-------- OPENING -------->|-- LONGEST -->|-- LONGEST -->|------>|->|    calls
      |           45 s           |     30 s     |     30 s     |       |  |
      |                                                        |       |  aimed call: _BEHIND (1.5 s) after the end,
      |                                                        |       |  minus _CAUTION (0.36) of the doubt
      |                                                        |<----->|
      |                                                     not less than SHORTEST (5 s)
      |                                                                |<- _OVERDUE (6 s) ->| then steady pauses again

The time to the first call: `OPENING` holds until three jobs of the model are known (`_ENOUGH_JOBS`). Then the first
call comes when the fastest of them was nearly finished.

The expected end comes from the speed of the progress. The estimate has a doubt, in seconds:

- the difference from the estimate one change of progress earlier. The first estimate has no earlier one; its doubt is
  `_FIRST_DOUBT` of the time left, since the job may have been queued for an unknown time;
- plus `_GRAIN_DOUBT` of the time that one step of the progress takes, since progress in steps of 10 % is up to one
  step old.

If the doubt exceeds `_HOPELESS` of the time left, or the progress has stalled for more than two steps, the steady pause
is an upper limit. Steps of `_TOO_COARSE` (0, 50, 100) and speeds below `_SLOWEST` give no estimate.

The steady pause is `STEADY`, or an 18th of the age of a long job, at most `LONGEST`. Within the time span in which
earlier jobs have ended it is a tenth of that span, at least `SHORTEST`.

The constants were tuned in a simulation of honest and lying progress. docs/performance.md compares its results with
fixed and exponential schedules; the unit tests hold the limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OPENING = 45.0
"""Seconds until the first call while nothing is known of the model. Most videos take one to three minutes.

A backend may have another value (`Backend.opening`).
"""

SHORTEST = 5.0
"""Shortest pause in seconds. The documentation of gateways asks for 5 to 30 seconds."""

LONGEST = 30.0
"""Longest pause in seconds."""

STEADY = 10.0
"""Pause in seconds while the end of the job cannot be estimated."""

_JITTER = 0.1  # share of a pause; it keeps the tasks of a mapped batch from asking at the same moment
_ENOUGH_JOBS = 3  # number of earlier jobs from which the schedule learns
_TOO_COARSE = 25.0  # percent; progress in such steps says nothing about the end
_BEHIND = 1.5  # seconds from the expected end to the call that is aimed at it
_OVERDUE = 6.0  # seconds after the expected end at which the estimate counts as wrong
_GRAIN_DOUBT = 0.4  # share of the time of one step of the progress
_HOPELESS = 0.8  # share of the time left; an estimate with more doubt is not used to ask less often
_CAUTION = 0.36  # share of the doubt by which a call comes before the expected end
_SLOWEST = 1e-4  # percent per second: eleven days for a video
_FIRST_DOUBT = 0.4  # share of the time left; the doubt of the first estimate

Mark = tuple[float, float]
"""A change of progress: seconds from the order to the call that saw it, and the progress in percent.

It is a plain tuple because triggerers hold thousands of them, and the garbage collector skips tuples of numbers.
"""


@dataclass(frozen=True, slots=True)
class _Estimate:
    """An extrapolation of the progress.

    Attributes:
        end: Expected end, in seconds since the order.
        rate: Speed of the progress, in percent per second.
    """

    end: float
    rate: float


def add_jitter(pause: float, chance: float) -> float:
    """Return a pause that is up to a tenth longer or shorter.

    Args:
        pause: The pause in seconds.
        chance: Random number from 0 to 1.
    """
    return pause * (1 + _JITTER * (2 * chance - 1))


def choose_first_pause(elapsed: float, earlier: Sequence[float], chance: float, opening: float = OPENING) -> float:
    """Return the seconds until the first status call.

    Args:
        elapsed: Seconds since the order. They are many if a triggerer takes over the jobs of another one.
        earlier: Durations of earlier jobs of the same model, in seconds.
        chance: Random number from 0 to 1.
        opening: Seconds from the order to the first call while nothing is known of the model.
    """
    opening = _find_first_end(earlier) or opening
    if elapsed < opening:
        return add_jitter(min(opening - elapsed, 2 * LONGEST), chance)
    return STEADY * chance  # a triggerer may take over thousands of jobs at once


def choose_next_pause(elapsed: float, marks: Sequence[Mark], earlier: Sequence[float], chance: float) -> float:
    """Return the seconds until the next status call for a running job.

    Args:
        elapsed: Seconds since the order.
        marks: Changes of the progress, oldest first. Empty if the server sends no progress.
        earlier: Durations of earlier jobs of the same model, in seconds.
        chance: Random number from 0 to 1.
    """
    steady = add_jitter(_choose_steady_pause(elapsed, earlier), chance)
    grain = _find_grain(marks)
    estimate = _estimate_end(marks, grain)
    if estimate is None or elapsed > estimate.end + _OVERDUE:
        return steady
    seen_at, _ = marks[-1]
    left = estimate.end - seen_at
    before = _estimate_end(marks[:-1], grain)
    doubt = _FIRST_DOUBT * left if before is None else abs(estimate.end - before.end)
    doubt += _GRAIN_DOUBT * grain / estimate.rate
    pause = min(max(estimate.end - _CAUTION * doubt + _BEHIND - elapsed, SHORTEST), LONGEST)
    is_stalled = estimate.rate * (elapsed - seen_at) > 2 * grain + 1
    return min(pause, steady) if is_stalled or doubt > _HOPELESS * left else pause


def _find_first_end(earlier: Sequence[float]) -> float | None:
    """Return the time just before the fastest of the earlier jobs was finished, in seconds after the order."""
    return 0.9 * min(earlier) if len(earlier) >= _ENOUGH_JOBS else None


def _choose_steady_pause(elapsed: float, earlier: Sequence[float]) -> float:
    first_end = _find_first_end(earlier)
    pause = min(max(STEADY, elapsed / 18), LONGEST)
    if first_end is None:
        return pause
    if elapsed < first_end:
        return min(max(first_end - elapsed, SHORTEST), 2 * LONGEST)
    if elapsed <= max(earlier):
        return min(pause, max(SHORTEST, (max(earlier) - min(earlier)) / 10))
    return pause


def _find_grain(marks: Sequence[Mark]) -> float:
    """Return the size of the steps of the progress in percent; 0 if there are no steps."""
    for step in (_TOO_COARSE, 10.0, 5.0, 1.0):
        if all(progress % step == 0 for _, progress in marks):
            return step
    return 0.0


def _estimate_end(marks: Sequence[Mark], grain: float) -> _Estimate | None:
    """Extrapolate the progress from the middle of its steps. Return None if the marks give no estimate."""
    if not marks or grain >= _TOO_COARSE:
        return None
    now, progress = marks[-1]
    far_enough = (mark for mark in reversed(marks[:-1]) if progress - mark[1] >= 4 * grain)
    then, before = next(far_enough, marks[0]) if len(marks) > 1 else (0.0, 0.0)
    if progress >= 100 or now <= then:
        return None
    rate = (progress - before) / (now - then)
    if rate < _SLOWEST:  # no progress, or an invented number: the end would be infinitely far away
        return None
    return _Estimate(now + (100 - progress - grain / 2) / rate, rate)
