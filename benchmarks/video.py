"""The cost of a finished video, against the http provider's trigger with the same mean detection delay."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.processes import ANSWER_DELAY, Lab, progress
from benchmarks.report import Section, at_most, column, paragraph, table

LIMIT = 1 / 3
JOBS = 300
_QUICK = ("--mix", "spread", "--first", "15", "--last", "40", "--jobs", "50")

Results = Sequence[dict[str, Any]]


def run(lab: Lab) -> Section:
    """Measure this provider, then the http provider's trigger with the mean detection delay of this provider."""
    ours = _all_rounds(lab, "veo", None)
    delay = statistics.fmean(result["delay"] for result in ours)
    theirs = _all_rounds(lab, "http_provider", _interval(delay))
    pairs = zip(ours, theirs, strict=True)
    figure = at_most(
        "CPU per finished video against the http provider at the same detection delay",
        round(LIMIT, 2),
        [one["cpu_ms"] / other["cpu_ms"] for one, other in pairs],
    )
    return Section([figure], _lines(ours, theirs, _interval(delay)))


def _interval(delay: float) -> float:
    """Return the pause between two status calls of a fixed schedule that has this mean detection delay.

    A status call is sent once per period, which is the pause plus the answer time. On average, a job ends in the middle
    of a period, and the answer to the next call takes one answer time more.
    """
    return max(0.5, 2 * delay - 3 * ANSWER_DELAY)


def _all_rounds(lab: Lab, peer: str, interval: float | None) -> Results:
    progress(f"video: {peer}, {lab.rounds} processes at the same time, about four minutes")
    usual = ["--mix", "usual", "--jobs", str(JOBS)]
    options = ["--peer", peer, *(_QUICK if lab.quick else usual)]
    options += ["--poll-interval", f"{interval:.3f}"] if interval else []
    rounds = [[*options, "--tag", f"video-{peer}-{number}", "--seed", str(number + 1)] for number in range(lab.rounds)]
    return lab.loops(rounds)


def _lines(ours: Results, theirs: Results, interval: float) -> list[str]:
    head = ("peer", "CPU ms a video", "status calls a video", "mean detection delay s", "failures", "look-ups")
    rows = [
        (
            name,
            column(results, "cpu_ms", ".1f"),
            f"{statistics.median(result['polls'] / result['jobs'] for result in results):.1f}",
            column(results, "delay", ".2f"),
            column(results, "failures"),
            column(results, "lookups"),
        )
        for name, results in (("veo, its own schedule", ours), (f"http_provider, every {interval:.1f} s", theirs))
    ]
    return [
        "## A finished video",
        "",
        *paragraph(
            f"{JOBS} jobs a round, ordered together: 10 s in the queue on average, then 60 to 180 s of work with",
            "honest,",
            "linear progress. Log lines are part of the cost, the probe is off. The detection delay is the time from",
            "the",
            "end of a job to the moment when the wait sees it.",
            "The rounds differ in their random numbers. To save time, they run at the same time: first all rounds of",
            "`veo`, then all rounds of `http_provider`, which is the http provider's `HttpSensorTrigger` with the",
            "interval that leads to the mean delay of `veo`.",
        ),
        "",
        *table(head, rows),
    ]
