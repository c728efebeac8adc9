"""The time until the last event of thousands of jobs that end within one second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.processes import ANSWER_DELAY, Lab, progress
from benchmarks.report import Figure, Section, column, paragraph, table

JOBS = 5000
INTERVAL = 5.0
PEERS = ("veo", "floor")

Round = dict[str, dict[str, Any]]


def run(lab: Lab) -> Section:
    """Measure both peers at the same time, round by round."""
    jobs = JOBS // 10 if lab.quick else JOBS
    rounds = [_round(lab, jobs, number) for number in range(lab.rounds)]
    bound = _bound(jobs, rounds[0]["veo"]["bound"])
    worst = max(one["veo"]["last"] for one in rounds)
    failures = sum(one["veo"]["failures"] for one in rounds)
    figures = [
        Figure(
            f"{jobs} jobs end within one second: time until the last event",
            f"at most {bound:.1f} s",
            f"{worst:.1f} s",
            worst <= bound,
        ),
        Figure(f"{jobs} jobs end within one second: failures", "0", str(failures), failures == 0),
    ]
    return Section(figures, _lines(rounds, jobs, bound))


def _bound(jobs: int, in_flight: int) -> float:
    """Return the seconds allowed: an interval with its jitter, and one and a half times the ideal time of all calls."""
    return INTERVAL * 1.1 + jobs / in_flight * ANSWER_DELAY * 1.5


def _round(lab: Lab, jobs: int, number: int) -> Round:
    options = [
        "--mix",
        "spread",
        "--first",
        "8",
        "--last",
        "9",
        "--jobs",
        str(jobs),
        "--poll-interval",
        str(INTERVAL),
        "--seed",
        str(number + 1),
    ]
    cases = [["--peer", peer, "--tag", f"burst-{peer}-{number}", *options] for peer in PEERS]
    results = dict(zip(PEERS, lab.loops(cases), strict=True))
    progress(f"burst, round {number + 1}: {results['veo']['last']:.1f} s until the last event")
    return results


def _lines(rounds: Sequence[Round], jobs: int, bound: float) -> list[str]:
    head = (
        "peer",
        "last event after s",
        "mean detection delay s",
        "failures",
        "sockets",
        "CPU ms a job",
        "status calls",
    )
    forms = {"last": ".1f", "delay": ".1f", "failures": ".0f", "sockets": ".0f", "cpu_ms": ".2f", "polls": ".0f"}
    rows = [
        (peer, *(column([one[peer] for one in rounds], name, form) for name, form in forms.items())) for peer in PEERS
    ]
    return [
        "## A burst",
        "",
        *paragraph(
            f"{jobs} jobs start at once, send a status call every {INTERVAL:.0f} s, and all end within one second.",
            "The limit of calls in flight does not let all of them through at once, so the waits form a queue.",
            f"The time from the end of the last job to the last event may be at most {bound:.1f} s: an interval with",
            "its",
            "jitter, and one and a half times the time of one call for each job with as many calls in flight as",
            "allowed.",
        ),
        "",
        *table(head, rows),
    ]
