"""Runs all benchmarks and writes docs/performance.md. The exit status is 1 if a figure was missed."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import burst, imports, lives, page, poll, report, schedules, storing, triggerer, video
from benchmarks.processes import ANSWER_DELAY, ROOT, BenchmarkError, Lab, progress, server
from benchmarks.report import Section

PAGE = ROOT / "docs" / "performance.md"


def _schedules(_lab: Lab) -> Section:
    progress("schedules: simulating")
    return Section(schedules.figures(), schedules.section())


PARTS: dict[str, Callable[[Lab], Section]] = {
    "video": video.run,
    "poll": poll.run,
    "burst": burst.run,
    "lives": lives.run,
    "imports": imports.run,
    "triggerer": triggerer.run,
    "storing": storing.run,
    "page": page.run,
    "schedules": _schedules,
}


def main() -> int:
    """Measure, report, and return the exit status."""
    arguments = _arguments()
    # whatever ends this process ends what it has started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    begun = time.monotonic()
    rounds = 1 if arguments.quick else arguments.rounds
    with tempfile.TemporaryDirectory(prefix="veo-benchmarks-") as home, server() as port:
        lab = Lab(Path(home), port, rounds, arguments.quick)
        try:
            sections = [PARTS[name](lab) for name in arguments.only or PARTS]
        except BenchmarkError as error:
            print(f"\n{error}", file=sys.stderr)
            return 2
    minutes = (time.monotonic() - begun) / 60
    text = report.page(sections, rounds=rounds, delay=ANSWER_DELAY, minutes=minutes)
    if arguments.quick or arguments.only:
        print(f"\n{text}")
        if arguments.quick:
            print("This was --quick: with fewer jobs and shorter ones than the text says. The figures mean little.")
            return 0
    else:
        PAGE.write_text(text)
        print("", *report.figures_table(sections), "", f"Written to {PAGE.relative_to(ROOT)}.", sep="\n")
    return 0 if all(figure.reached for section in sections for figure in section.figures) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--only", action="append", choices=tuple(PARTS), help="run this part only, and print it")
    parser.add_argument("--quick", action="store_true", help="try everything out in small, and only print it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
