"""The results of benchmarks: figures with their goals, tables, and the page with all of them."""

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

`python -m benchmarks` writes this page. Do not edit it. The page shows how much CPU time and memory a triggerer needs
to wait for videos, compared with other ways to wait, and how much a worker needs to store a video. One local server
answers every status call after {delay:.0f} ms.

To repeat the measurements, run `make benchmark`. Or install this package and `benchmarks/requirements.txt` into one
environment, and run `python -m benchmarks` there, from the root of the repository. It takes {minutes:.0f} minutes, and
needs the machine for itself. `--only NAME` runs one part, `--quick` runs everything with few jobs.

How the figures are measured:

- Each measurement is a new process. "veo" is this provider. The provider and its peers take turns in {rounds} rounds,
  and values that are compared with each other come from the same round. Tables show the median of the rounds, and the
  minimum to maximum in brackets.
- The cost is the CPU time of the process, not the wall time. It includes everything that the process does: requests,
  JSON, timers, log lines, and a probe that checks 20 times a second how late the event loop is. (The measurements of
  finished videos run without the probe.)
- Triggers are made from their stored form, as in the triggerer. A secrets backend through which every look-up of an
  Airflow connection passes counts the look-ups.
- A ratio is the median of the ratios of the rounds.

| | |
|---|---|
{facts}"""


@dataclass(frozen=True)
class Figure:
    """One line of the table of goals.

    Attributes:
        name: Name of the figure.
        limit_text: The goal.
        value_text: The measured value.
        reached: Whether the goal was reached.
    """

    name: str
    limit_text: str
    value_text: str
    reached: bool


@dataclass(frozen=True)
class Section:
    """The result of one measurement.

    Attributes:
        figures: Figures for the table of goals.
        lines: Section of the page in Markdown, with its heading.
    """

    figures: list[Figure] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table. All columns except the first one hold numbers."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def paragraph(*sentences: str) -> list[str]:
    """Return sentences as a paragraph of lines with at most 120 characters."""
    return textwrap.wrap(" ".join(sentences), 120, break_long_words=False, break_on_hyphens=False)


def spread(values: Sequence[float], form: str = ".0f") -> str:
    """Return the median, and the minimum to maximum in brackets."""
    middle = f"{statistics.median(values):{form}}"
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}}–{max(values):{form}})"


def at_most(name: str, limit: float, values: Sequence[float], form: str = ".2f", unit: str = "") -> Figure:
    """Compare the median of the rounds with a limit."""
    value = statistics.median(values)
    return Figure(name, f"at most {limit:g}{unit}", f"{spread(values, form)}{unit}", value <= limit)


def ratios(rounds: Sequence[dict[str, float]], above: str, below: str) -> list[float]:
    """Return the ratio of two values in each round."""
    return [one[above] / one[below] for one in rounds]


def column(results: Sequence[dict[str, float]], name: str, form: str = ".0f") -> str:
    """Return one value of all rounds as the cell of a table."""
    return spread([result[name] for result in results], form)


def page(sections: Sequence[Section], *, rounds: int, delay: float, minutes: float) -> str:
    """Return the whole page."""
    introduction = _INTRODUCTION.format(rounds=rounds, delay=1000 * delay, minutes=minutes, facts="\n".join(_facts()))
    lines = [introduction, "", "## Goals", "", *figures_table(sections)]
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
    return table(("figure", "goal", "measured", "reached"), rows)


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
