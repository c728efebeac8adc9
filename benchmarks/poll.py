"""What a poll costs, how late the event loop is and what a waiting job weighs, while nothing ends."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.peers import FLOOR_BOUND
from benchmarks.processes import BenchmarkError, Lab, progress
from benchmarks.report import Figure, Section, at_most, column, paragraph, ratios, table

FEW, MANY = 1000, 5000
CPU_LIMIT = 6.0
GROWTH_LIMIT = 1.15
LAG_LIMIT = 20.0
BLOCK_LIMIT = 250.0
MEMORY_LIMIT = 6.0

# Peer, jobs, seconds between two polls. What stands together runs at the same time. The rate is the same at both sizes.
_GROUPS = (
    (("veo", FEW, 4.0), ("floor", FEW, 4.0)),
    (("veo", MANY, 20.0), ("floor", MANY, 20.0)),
    (("veo_frozen", MANY, 20.0),),
    (("httpx", FEW, 4.0), ("openai_provider", 100, 10.0)),
    (("openai_async", FEW, 4.0), ("http_provider", FEW, 4.0), ("empty", FEW, 1.0), ("empty", MANY, 1.0)),
)

_MUST = ("veo", "floor", "empty")
_PATIENCE = 60.0  # seconds for a group. One httpx client with many waiting may collapse, and never come to its end.

Case = tuple[str, int, float]
Round = dict[str, dict[str, Any]]


def run(lab: Lab) -> Section:
    """Measure all peers in turn, round by round."""
    rounds = [_round(lab, number) for number in range(lab.rounds)]
    return Section(_figures(rounds), _lines(rounds))


def _round(lab: Lab, number: int) -> Round:
    results: Round = {}
    for group in _GROUPS:
        cases = [_smaller(case) for case in group] if lab.quick else group
        measured = lab.try_loops([_options(lab, case, number) for case in cases], _PATIENCE)
        for case, result in zip(group, measured, strict=True):
            if isinstance(result, BenchmarkError):
                if case[0] in _MUST:
                    raise result
                progress(f"poll, round {number + 1}: {_name(case)}: given up. {str(result).splitlines()[-1]}")
                continue
            results[_name(case)] = result
            told = f"{result['cpu_us']:.0f} µs a poll, {result['rate']:.0f} a second" if result["polls"] else "done"
            progress(f"poll, round {number + 1}: {_name(case)}: {told}")
    return results


def _name(case: Case) -> str:
    return f"{case[0]} {case[1]}"


def _smaller(case: Case) -> Case:
    """Return the case with fewer jobs that ask as often."""
    peer, jobs, interval = case
    return peer, jobs // 10, interval / 2


def _options(lab: Lab, case: Case, number: int) -> list[str]:
    peer, jobs, interval = case
    window = 3.0 if lab.quick or peer == "empty" else 10.0
    # each job must have asked once before the window; ours spreads its first questions over an interval by itself
    ramp, settle = (0.0, 1.1 * interval + 1.0) if peer.startswith("veo") else (interval, 0.1 * interval + 1.0)
    return [
        *("--peer", peer, "--jobs", str(jobs), "--poll-interval", str(interval), "--window", str(window)),
        *("--ramp", str(ramp), "--settle", str(settle), "--tag", f"poll-{peer}-{jobs}-{number}"),
    ]


def _figures(rounds: Sequence[Round]) -> list[Figure]:
    cpu = [{name: result["cpu_us"] for name, result in one.items()} for one in rounds]
    few, many = f"veo {FEW}", f"veo {MANY}"
    return [
        at_most(f"CPU per poll against the raw socket, {FEW} jobs", CPU_LIMIT, ratios(cpu, few, f"floor {FEW}")),
        at_most(f"CPU per poll against the raw socket, {MANY} jobs", CPU_LIMIT, ratios(cpu, many, f"floor {MANY}")),
        at_most(f"CPU per poll at {MANY} jobs against {FEW} jobs", GROWTH_LIMIT, ratios(cpu, many, few)),
        _lag(rounds, many),
        _block(rounds, many),
        at_most("memory per waiting job on top of an empty trigger", MEMORY_LIMIT, _memory(rounds, MANY), ".1f", " KB"),
        _sockets(rounds, many),
        _lookups(rounds, few),
    ]


def _lag(rounds: Sequence[Round], name: str) -> Figure:
    lags = [one[name]["lag_p99"] for one in rounds]
    return at_most(f"event-loop lag p99, {MANY} jobs", LAG_LIMIT, lags, ".1f", " ms")


def _block(rounds: Sequence[Round], name: str) -> Figure:
    worst = max(one[name]["lag_max"] for one in rounds)
    collection = max(one[name]["collection"] for one in rounds)
    floor = max(one[f"floor {MANY}"]["lag_max"] for one in rounds)
    frozen = [one[f"veo_frozen {MANY}"]["lag_max"] for one in rounds if f"veo_frozen {MANY}" in one]
    with_freeze = f"with gc.freeze(): {max(frozen):.1f} ms; " if frozen else ""
    return Figure(
        f"longest block of the event loop in any round, {MANY} jobs",
        f"at most {BLOCK_LIMIT:g} ms",
        f"{worst:.1f} ms (longest pass of the garbage collector: {collection:.1f} ms; {with_freeze}"
        f"raw socket: {floor:.1f} ms)",
        worst <= BLOCK_LIMIT,
    )


def _memory(rounds: Sequence[Round], jobs: int) -> list[float]:
    return [one[f"veo {jobs}"]["rss_kb"] - one[f"empty {jobs}"]["rss_kb"] for one in rounds]


def _sockets(rounds: Sequence[Round], name: str) -> Figure:
    most = max(one[name]["sockets"] for one in rounds)
    bound = rounds[0][name]["bound"]
    return Figure(f"sockets, {MANY} jobs", f"at most {bound}, the configured bound", str(most), most <= bound)


def _lookups(rounds: Sequence[Round], name: str) -> Figure:
    counts = sorted({one[name]["lookups"] for one in rounds})
    text = ", ".join(map(str, counts))
    return Figure(f"connection look-ups for {FEW} triggers of one connection", "1", text, counts == [1])


def _lines(rounds: Sequence[Round]) -> list[str]:
    head = ["peer", "jobs", "polls a second", "CPU µs a poll", "times the raw socket", "lag p50 ms", "lag p99 ms"]
    head += ["longest block ms", "longest collection ms", "sockets", "look-ups", "failures", "KB a job"]
    rows = [_row(rounds, case) for group in _GROUPS for case in group]
    return [
        "## A poll",
        "",
        *paragraph(
            "All jobs are running, none ends, and what they say never changes, so nothing is logged.",
            f"{FEW} jobs ask every 4 s and {MANY} every 20 s, so that the rate is the same;",
            "the openai provider's trigger, which blocks the event loop, has 100 jobs that ask every 10 s.",
            "Starts are spread over one interval, or the first calls, where a trigger does that by itself.",
            "Ours and the raw socket run at the same time, at each size; the others run in pairs.",
            f"The raw socket has at most {FLOOR_BOUND} connections, and a coroutine for each job that sleeps.",
            "`failures` counts triggers that an error ended, and failed polls of the waits written by hand.",
            "`KB a job` is what the process has grown by, with what all jobs share.",
            "`longest collection` is the longest pass of Python's garbage collector, in CPU time, a part of the block:",
            "a full pass looks at all that Airflow has imported, too, some 150 000 objects.",
            "`veo_frozen` is ours in a process that has called `gc.freeze()` after its imports: then no pass looks at",
            "these. That would be a setting of the whole triggerer, so the provider leaves it to whoever runs it.",
            f"A measurement that has no end after {_PATIENCE:.0f} s is given up: that peer has collapsed.",
        ),
        "",
        *table(head, rows),
        "",
        f"Memory per waiting job on top of an empty trigger: {_memory_text(rounds)}.",
    ]


def _memory_text(rounds: Sequence[Round]) -> str:
    values = {jobs: statistics.median(_memory(rounds, jobs)) for jobs in (FEW, MANY)}
    return " and ".join(f"{value:.1f} KB at {jobs} jobs" for jobs, value in values.items())


def _row(rounds: Sequence[Round], case: Case) -> list[str]:
    peer, jobs, _ = case
    measured = [one for one in rounds if _name(case) in one]
    if not measured:
        return [f"{peer} (collapsed)", str(jobs), *["–"] * 11]
    results = [one[_name(case)] for one in measured]
    if peer == "empty":
        return [peer, str(jobs), *["–"] * 10, column(results, "rss_kb", ".1f")]
    floor = f"floor {MANY if jobs == MANY else FEW}"
    against = statistics.median(one[_name(case)]["cpu_us"] / one[floor]["cpu_us"] for one in measured)
    lags = dict.fromkeys(("lag_p50", "lag_p99", "lag_max", "collection"), ".1f")
    forms = lags | dict.fromkeys(("sockets", "lookups", "failures"), ".0f")
    collapsed = len(rounds) - len(measured)
    return [
        f"{peer} (collapsed in {collapsed} more rounds)" if collapsed else peer,
        str(jobs),
        column(results, "rate"),
        column(results, "cpu_us"),
        f"{against:.1f}",
        *(column(results, name, form) for name, form in forms.items()),
        column(results, "rss_kb", ".1f"),
    ]
