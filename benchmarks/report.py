"""What a benchmark says: figures with their limits, tables, and the page that holds them all."""

from __future__ import annotations

import os
import platform
import statistics
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version

_DISTRIBUTIONS = (
    "airflow-provider-veo",
    "apache-airflow",
    "apache-airflow-task-sdk",
    "apache-airflow-providers-http",
    "apache-airflow-providers-openai",
    "apache-airflow-providers-common-compat",
    "httpx",
    "httpcore",
    "aiohttp",
    "openai",
    "psutil",
    "uvloop",
)

_INTRODUCTION = """\
# Performance

Written whole by `python -m benchmarks`; do not edit it. What waiting for videos costs a triggerer, beside other ways
to wait, measured against one local server that answers every status call after {delay:.0f} ms; and what storing a video
costs a worker.

To repeat it: `make benchmark`; or install this package and `benchmarks/requirements.txt` into one environment, and run
`python -m benchmarks` there, from the root of the repository. It takes about {minutes:.0f} minutes and should have the
machine for itself. `--only NAME` runs one part, `--quick` tries everything out in small.

How it measures:

- Each measurement is a fresh process; the peers of one measurement take turns, {rounds} rounds of them, and what is
  compared with each other runs in the same round. Tables give the median of the rounds, and minimum to maximum.
- Cost is CPU time of the process, not wall time. It is all that the process does: requests, JSON, timers, log lines,
  and a probe that looks 20 times a second how late the event loop is (not where videos are counted).
- Triggers are made from their stored form, as the triggerer makes them. Look-ups of Airflow connections are counted by
  a secrets backend, which every look-up passes.
- A ratio is the median of the rounds' ratios.

| | |
|---|---|
{facts}"""


@dataclass(frozen=True)
class Figure:
    """One line of what is to be reached.

    Attributes:
        name: of the figure.
        limit_text: what is to be reached.
        value_text: what was measured.
        reached: whether it was.
    """

    name: str
    limit_text: str
    value_text: str
    reached: bool


@dataclass(frozen=True)
class Section:
    """What one measurement has to say.

    Attributes:
        figures: for the first table.
        lines: Markdown, with the heading.
    """

    figures: list[Figure] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table; all but the first column hold numbers."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def paragraph(*sentences: str) -> list[str]:
    """Return sentences as the lines of a paragraph."""
    return textwrap.wrap(" ".join(sentences), 120, break_long_words=False, break_on_hyphens=False)


def spread(values: Sequence[float], form: str = ".0f") -> str:
    """Return the median, and minimum to maximum."""
    middle = f"{statistics.median(values):{form}}"
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}}–{max(values):{form}})"


def at_most(name: str, limit: float, values: Sequence[float], form: str = ".2f", unit: str = "") -> Figure:
    """Judge the median of the rounds."""
    value = statistics.median(values)
    return Figure(name, f"at most {limit:g}{unit}", f"{spread(values, form)}{unit}", value <= limit)


def ratios(rounds: Sequence[dict[str, float]], above: str, below: str) -> list[float]:
    """Return one value divided by the other, round by round."""
    return [one[above] / one[below] for one in rounds]


def column(results: Sequence[dict[str, float]], name: str, form: str = ".0f") -> str:
    """Return one value of all rounds as a table's cell."""
    return spread([result[name] for result in results], form)


def page(sections: Sequence[Section], *, rounds: int, delay: float, minutes: float) -> str:
    """Return the whole page."""
    introduction = _INTRODUCTION.format(rounds=rounds, delay=1000 * delay, minutes=minutes, facts="\n".join(_facts()))
    lines = [introduction, "", "## What is to be reached", "", *figures_table(sections)]
    for section in sections:
        lines += ["", *section.lines]
    return "\n".join(lines).rstrip() + "\n"


def figures_table(sections: Sequence[Section]) -> list[str]:
    """Return the figures of all sections as one table."""
    rows = [
        (figure.name, figure.limit_text, figure.value_text, "yes" if figure.reached else "**no**")
        for section in sections
        for figure in section.figures
    ]
    return table(("figure", "to reach", "measured", "reached"), rows)


def _facts() -> list[str]:
    now = datetime.now(timezone.utc)
    facts = {
        "Date": f"{now:%Y-%m-%d %H:%M} UTC",
        "Machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    return [f"| {name} | {value} |" for name, value in (facts | _versions()).items()]


def _versions() -> dict[str, str]:
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
