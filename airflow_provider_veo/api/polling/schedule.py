"""When to ask next: a schedule that learns from a job's progress and from earlier jobs, and never trusts either.

Progress is extrapolated while it keeps its promises: the closer the end, the shorter the pause, and the question is
aimed at just behind the expected end. Progress that jumps, sticks or is absent leads to a steady pace. What
that costs, beside fixed and exponential schedules, stands in `docs/performance.md`; `benchmarks/schedules.py` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OPENING = 45.0
"""Seconds until the first question, as long as nothing is known of the model: its videos take one to three minutes."""

SHORTEST = 5.0
"""Seconds between two questions at least. The gateways' documentation asks for 5 to 30."""

LONGEST = 30.0
"""Seconds between two questions at most."""

STEADY = 10.0
"""Seconds between two questions while nothing tells when a job ends; of a long job, an 18th of its age."""

_JITTER = 0.1  # of a pause, so that a mapped batch does not ask in step
_ENOUGH_JOBS = 3  # earlier jobs that make a rule
_TOO_COARSE = 25.0  # percent: steps that tell nothing, like 0, 50, 100
_BEHIND = 1.5  # seconds by which the question comes after the expected end
_OVERDUE = 6.0  # seconds after the expected end, when the expectation has proved wrong
_GRAIN_DOUBT = 0.4  # of the time of one step: coarse progress says the less
_HOPELESS = 0.8  # of the time that is left: an estimate with more doubt than this says nothing
_CAUTION = 0.36  # of the doubt: how much before the expected end to ask
_SLOWEST = 1e-4  # percent per second: eleven days for a video
_FIRST_DOUBT = 0.4  # of the time that is left, at the first estimate: nobody knows how long the job was queued


Mark = tuple[float, float]
"""A job's progress, at the question that first saw it: seconds since the submission, percent. Thousands of jobs have
some of these; the garbage collector need not look at a tuple of numbers."""


@dataclass(frozen=True, slots=True)
class _Estimate:
    end: float  # seconds since the submission
    rate: float  # percent per second


def jittered(pause: float, chance: float) -> float:
    """Return a pause that is up to a tenth longer or shorter.

    Args:
        pause: in seconds.
        chance: a random number from 0 to 1.
    """
    return pause * (1 + _JITTER * (2 * chance - 1))


def first_pause(elapsed: float, earlier: Sequence[float], chance: float) -> float:
    """Return the seconds until the first question.

    Args:
        elapsed: seconds since the submission; many, where a triggerer takes over the jobs of another one.
        earlier: seconds that earlier jobs of the same model took.
        chance: a random number from 0 to 1.
    """
    opening = _first_end(earlier) or OPENING
    if elapsed < opening:
        return jittered(min(opening - elapsed, 2 * LONGEST), chance)
    return STEADY * chance  # thousands may be taken over at once


def next_pause(elapsed: float, marks: Sequence[Mark], earlier: Sequence[float], chance: float) -> float:
    """Return the seconds until the next question about a job that is still running.

    Args:
        elapsed: seconds since the submission.
        marks: the changes of its progress so far, oldest first; empty where the server tells no progress.
        earlier: seconds that earlier jobs of the same model took.
        chance: a random number from 0 to 1.
    """
    steady = jittered(_steady_pause(elapsed, earlier), chance)
    grain = _grain(marks)
    estimate = _estimate(marks, grain)
    if estimate is None or elapsed > estimate.end + _OVERDUE:
        return steady
    seen_at, _ = marks[-1]
    left = estimate.end - seen_at
    before = _estimate(marks[:-1], grain)
    doubt = _FIRST_DOUBT * left if before is None else abs(estimate.end - before.end)
    doubt += _GRAIN_DOUBT * grain / estimate.rate
    pause = min(max(estimate.end - _CAUTION * doubt + _BEHIND - elapsed, SHORTEST), LONGEST)
    stalled = estimate.rate * (elapsed - seen_at) > 2 * grain + 1
    return min(pause, steady) if stalled or doubt > _HOPELESS * left else pause


def _first_end(earlier: Sequence[float]) -> float | None:
    """Return when the first of the earlier jobs may have been about to end."""
    return 0.9 * min(earlier) if len(earlier) >= _ENOUGH_JOBS else None


def _steady_pause(elapsed: float, earlier: Sequence[float]) -> float:
    first_end = _first_end(earlier)
    pause = min(max(STEADY, elapsed / 18), LONGEST)
    if first_end is None:
        return pause
    if elapsed < first_end:
        return min(max(first_end - elapsed, SHORTEST), 2 * LONGEST)
    if elapsed <= max(earlier):
        # the time in which earlier jobs have ended, cut in ten
        return min(pause, max(SHORTEST, (max(earlier) - min(earlier)) / 10))
    return pause


def _grain(marks: Sequence[Mark]) -> float:
    """Return the step in which progress is told, in percent; 0 where there is none to be seen."""
    for step in (_TOO_COARSE, 10.0, 5.0, 1.0):
        if all(progress % step == 0 for _, progress in marks):
            return step
    return 0.0


def _estimate(marks: Sequence[Mark], grain: float) -> _Estimate | None:
    """Extrapolate the progress, from the middle of its steps; None where there is nothing to extrapolate."""
    if not marks or grain >= _TOO_COARSE:
        return None
    now, progress = marks[-1]
    far_enough = (mark for mark in reversed(marks[:-1]) if progress - mark[1] >= 4 * grain)
    then, before = next(far_enough, marks[0]) if len(marks) > 1 else (0.0, 0.0)
    if progress >= 100 or now <= then:
        return None
    rate = (progress - before) / (now - then)
    if rate < _SLOWEST:  # none, or a number that a server made up: the end would be infinitely far away
        return None
    return _Estimate(now + (100 - progress - grain / 2) / rate, rate)
