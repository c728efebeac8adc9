"""The part of the benchmark that compares schedules of status calls, in simulated jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.report import Figure, paragraph
from tests.support.schedule_simulation import (
    HONEST,
    JOBS,
    LONGEST,
    LYING,
    QUEUED,
    SHORTEST,
    Learning,
    Moments,
    Progress,
    cost,
    every,
)

SHAPES = HONEST | LYING

SCHEDULES: dict[str, Callable[[], Moments]] = {
    "veo, first jobs": lambda: Learning(remembers=0),
    "veo, after 20 jobs": lambda: Learning(remembers=20),
    "every 2 s": lambda: every(lambda _n: 2.0),
    "every 5 s": lambda: every(lambda _n: 5.0),
    "every 10 s": lambda: every(lambda _n: 10.0),
    "every 30 s": lambda: every(lambda _n: 30.0),
    "exponential, 2 to 30 s": lambda: every(lambda n: min(30.0, 2 * 1.5**n)),
    "first 45 s, then 5 s": lambda: every(lambda n: 5.0 if n else 45.0),
}


def figures() -> list[Figure]:
    """Return the goals of the schedule, and whether it reaches them."""
    return [
        _figure("honest progress", HONEST, polls=6.0, delay=3.0),
        _figure("lying progress", LYING, polls=14.0, delay=5.5),
    ]


def _figure(name: str, shapes: dict[str, Progress], polls: float, delay: float) -> Figure:
    costs = [cost(SCHEDULES[own](), shape) for own in list(SCHEDULES)[:2] for shape in shapes.values()]
    most_polls, longest_delay = max(one.polls for one in costs), max(one.delay for one in costs)
    return Figure(
        name=f"status calls a job and mean detection delay, {name} (worst kind; simulated)",
        limit_text=f"at most {polls:g}, {delay:g} s",
        value_text=f"{most_polls:.1f}, {longest_delay:.2f} s",
        reached=most_polls <= polls and longest_delay <= delay,
    )


def section() -> list[str]:
    """Return the table as Markdown."""
    head: Sequence[str] = ("progress", *SCHEDULES)
    rows = [
        [
            name,
            *(
                str(cost(make(), shape, jobs=JOBS if schedule.startswith("veo") else 1000))
                for schedule, make in SCHEDULES.items()
            ),
        ]
        for name, shape in SHAPES.items()
    ]
    return [
        "## Schedules",
        "",
        *paragraph(
            "Each cell shows the status calls a job / the mean detection delay in seconds / the 95th percentile of",
            "this",
            f"delay. {JOBS} simulated jobs (1000 for the schedules of others) are queued for {QUEUED:g} s on average,",
            "then",
            f"work for {SHORTEST:g} to {LONGEST:g} s.",
        ),
        "",
        *(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]),
    ]
