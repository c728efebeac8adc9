"""The CPU time of a status call, the lag of the event loop, and the memory of a waiting job, while no job ends."""

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

# Peer, number of jobs, seconds between two status calls. The cases of a group run at the same time. FEW and MANY jobs
# send the same number of status calls a second.
_GROUPS = (
    (("veo", FEW, 4.0), ("floor", FEW, 4.0)),
    (("veo", MANY, 20.0), ("floor", MANY, 20.0)),
    (("veo_frozen", MANY, 20.0),),
    (("httpx", FEW, 4.0), ("openai_provider", 100, 10.0)),
    (("openai_async", FEW, 4.0), ("http_provider", FEW, 4.0), ("empty", FEW, 1.0), ("empty", MANY, 1.0)),
)

_MUST = ("veo", "floor", "empty")
_PATIENCE = (
    60.0  # seconds for a group. One httpx client with many waits may collapse, and its measurement would never end.
)

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
                progress(f"poll, round {number + 1}: {_name(case)}: gave up. {str(result).splitlines()[-1]}")
                continue
            results[_name(case)] = result
            line = (
                f"{result['cpu_us']:.0f} µs a status call, {result['rate']:.0f} a second" if result["polls"] else "done"
            )
            progress(f"poll, round {number + 1}: {_name(case)}: {line}")
    return results


def _name(case: Case) -> str:
    return f"{case[0]} {case[1]}"


def _smaller(case: Case) -> Case:
    """Return the case with a tenth of the jobs and half of the interval."""
    peer, jobs, interval = case
    return peer, jobs // 10, interval / 2


def _options(lab: Lab, case: Case, number: int) -> list[str]:
    peer, jobs, interval = case
    window = 3.0 if lab.quick or peer == "empty" else 10.0
    # each job must have sent a status call before the window; veo spreads its first calls over an interval by itself
    ramp, settle = (0.0, 1.1 * interval + 1.0) if peer.startswith("veo") else (interval, 0.1 * interval + 1.0)
    return [
        *("--peer", peer, "--jobs", str(jobs), "--poll-interval", str(interval), "--window", str(window)),
        *("--ramp", str(ramp), "--settle", str(settle), "--tag", f"poll-{peer}-{jobs}-{number}"),
    ]


def _figures(rounds: Sequence[Round]) -> list[Figure]:
    cpu = [{name: result["cpu_us"] for name, result in one.items()} for one in rounds]
    few, many = f"veo {FEW}", f"veo {MANY}"
    return [
        at_most(f"CPU per status call against the raw socket, {FEW} jobs", CPU_LIMIT, ratios(cpu, few, f"floor {FEW}")),
        at_most(
            f"CPU per status call against the raw socket, {MANY} jobs", CPU_LIMIT, ratios(cpu, many, f"floor {MANY}")
        ),
        at_most(f"CPU per status call with {MANY} jobs against {FEW} jobs", GROWTH_LIMIT, ratios(cpu, many, few)),
        _lag(rounds, many),
        _block(rounds, many),
        at_most("memory per waiting job above an empty trigger", MEMORY_LIMIT, _memory(rounds, MANY), ".1f", " KB"),
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
    head = [
        "peer",
        "jobs",
        "status calls a second",
        "CPU µs a status call",
        "times the raw socket",
        "lag p50 ms",
        "lag p99 ms",
    ]
    head += ["longest block ms", "longest collection ms", "sockets", "look-ups", "failures", "KB a job"]
    rows = [_row(rounds, case) for group in _GROUPS for case in group]
    return [
        "## A status call",
        "",
        *paragraph(
            "All jobs keep running, and their progress never changes, so nothing is logged.",
            f"{FEW} jobs send a status call every 4 s, and {MANY} jobs every 20 s, so that the rate is the same.",
            "The openai provider's trigger blocks the event loop; it has 100 jobs with a status call every 10 s.",
            "The starts are spread over one interval, or the first status calls, if a trigger spreads them by itself.",
            "`veo` and `floor` run at the same time, for each number of jobs. `veo_frozen` runs alone, and the other",
            "peers run in groups.",
            f"`floor` is a wait with a raw socket. It has at most {FLOOR_BOUND} connections, and a sleeping coroutine",
            "for",
            "each job.",
        ),
        "",
        *paragraph(
            "`lag` is how late the event loop is, and `longest block` is the longest lag.",
            "`failures` counts triggers that ended with an error, and failed status calls of the waits written by",
            "hand.",
            "`KB a job` is the growth of the process per job, including the memory that all jobs share.",
            "`longest collection` is the CPU time of the longest pass of Python's garbage collector. The probe",
            "counts a block only from the moment at which the probe is due, so `longest block` may be up to 50 ms",
            "shorter than the pass. A full pass also visits the objects that Airflow has imported, some 150 000.",
            "`veo_frozen` is `veo` in a process that has called `gc.freeze()` after its imports: then no pass visits",
            "these objects. This is a setting of the whole triggerer, so the provider leaves it to the administrator.",
            f"A measurement that has not ended after {_PATIENCE:.0f} s is stopped: that peer has collapsed.",
        ),
        "",
        *table(head, rows),
        "",
        f"Memory per waiting job above an empty trigger: {_memory_text(rounds)}.",
    ]


def _memory_text(rounds: Sequence[Round]) -> str:
    values = {jobs: statistics.median(_memory(rounds, jobs)) for jobs in (FEW, MANY)}
    return " and ".join(f"{value:.1f} KB with {jobs} jobs" for jobs, value in values.items())


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
