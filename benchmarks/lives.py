"""The memory and sockets that a hundred thousand triggers leave behind, with a thousand triggers at a time."""

from __future__ import annotations

from benchmarks.processes import Lab, progress
from benchmarks.report import Figure, Section, paragraph, table

LIVES = 100_000
OBJECTS_LIMIT = 500
MEMORY_LIMIT = 8.0


def run(lab: Lab) -> Section:
    """Measure this provider in one round, since the result does not depend on the speed of the machine."""
    lives = LIVES // 10 if lab.quick else LIVES
    progress(f"lives: {lives} triggers, three minutes")
    options = ["--peer", "veo", "--mix", "lives", "--jobs", str(lives), "--poll-interval", "0.05", "--tag", "lives"]
    [result] = lab.loops([options])
    reached = (
        result["objects"] <= OBJECTS_LIMIT
        and result["rss_mb"] <= MEMORY_LIMIT
        and result["open_sockets"] == 0
        and result["failures"] == 0
    )
    figure = Figure(
        f"leftovers of {lives} triggers",
        f"at most {OBJECTS_LIMIT} objects and {MEMORY_LIMIT:g} MB, no socket, no failure",
        f"{result['objects']} objects, {result['rss_mb']:.1f} MB, {result['open_sockets']} sockets, "
        f"{result['failures']} failures",
        reached,
    )
    head = ("triggers", "objects left", "MB left", "sockets left", "failures", "CPU ms a trigger")
    row = (
        str(lives),
        str(result["objects"]),
        f"{result['rss_mb']:.1f}",
        str(result["open_sockets"]),
        str(result["failures"]),
        f"{result['cpu_ms']:.2f}",
    )
    return Section([figure], _lines(head, row))


def _lines(head: tuple[str, ...], row: tuple[str, ...]) -> list[str]:
    return [
        "## Leftovers of triggers",
        "",
        *paragraph(
            "A thousand triggers at a time wait for jobs that are finished at the first status call.",
            "The leftovers are the difference between the end and the moment after the first tenth of all triggers.",
        ),
        "",
        *table(head, [row]),
    ]
