"""Run all benchmarks and write docs/performance.md. The exit status is 1 if a goal was missed."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import burst, imports, lives, million, page, poll, report, schedules, storing, triggerer, video
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
    "million": million.run,
    "schedules": _schedules,
}


def main() -> int:
    """Run the benchmarks, write or print the page, and return the exit status."""
    arguments = _arguments()
    # so that SIGTERM, too, ends the processes that this one has started
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
            print(
                "This was a run with --quick: with fewer and shorter jobs than the text says. Its figures mean little."
            )
            return 0
    else:
        PAGE.write_text(text)
        print("", *report.figures_table(sections), "", f"Written to {PAGE.relative_to(ROOT)}.", sep="\n")
    return 0 if all(figure.reached for section in sections for figure in section.figures) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds of each measurement (default: 5)")
    parser.add_argument(
        "--only", action="append", choices=tuple(PARTS), help="run only this part, and print its figures"
    )
    parser.add_argument("--quick", action="store_true", help="run everything with few jobs, and only print the figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
