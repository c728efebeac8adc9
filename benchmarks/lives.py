"""A hundred thousand triggers, one thousand at a time: nothing may be left of them."""

from __future__ import annotations

from benchmarks.processes import Lab, progress
from benchmarks.report import Figure, Section, paragraph, table

LIVES = 100_000
OBJECTS_LIMIT = 500
MEMORY_LIMIT = 8.0


def run(lab: Lab) -> Section:
    """Measure ours; one round, since it does not depend on the machine's speed."""
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
        f"what {lives} trigger lives leave behind",
        f"at most {OBJECTS_LIMIT} objects and {MEMORY_LIMIT:g} MB, no socket, no failure",
        f"{result['objects']} objects, {result['rss_mb']:.1f} MB, {result['open_sockets']} sockets, "
        f"{result['failures']} failures",
        reached,
    )
    head = ("trigger lives", "objects left", "MB left", "sockets left", "failures", "CPU ms a life")
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
        "## Lives",
        "",
        *paragraph(
            "Triggers that wait for jobs that are finished when they are first asked for, a thousand at a time.",
            "What is left is counted at the end, and is what there is more than after the first tenth.",
        ),
        "",
        *table(head, [row]),
    ]
