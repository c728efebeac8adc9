"""The CPU time of a video in both processes of the real `airflow triggerer`, with a thousand deferred tasks."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import lookups
from benchmarks.deferred_dag import DAG_FILE
from benchmarks.processes import ROOT, BenchmarkError, Lab, progress, run_python, running
from benchmarks.report import Figure, Section, column, paragraph, table

JOBS = 1000
ROUNDS = 2  # a round takes two minutes
FIRST, LAST = 60.0, 90.0  # seconds until jobs end
PEERS: dict[str, float | None] = {"veo": None, "http_provider": 5.0, "empty": None}

_START_TIMEOUT = 120.0
_END_TIMEOUT = 240.0
_CALM = 5.0  # seconds after the start of the runner, so that the start is not measured

Round = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Triggerer:
    """A running triggerer.

    Attributes:
        supervisor: The process that talks to the database.
        runner: The child of the supervisor. It runs the triggers.
        database: File of the SQLite database.
        lookups: File with one line for each look-up of a connection.
    """

    supervisor: psutil.Process
    runner: psutil.Process
    database: Path
    lookups: Path

    def cpu(self) -> tuple[float, float]:
        """Return the CPU seconds that supervisor and runner have used so far."""
        return _cpu(self.supervisor), _cpu(self.runner)

    def deferred(self) -> int:
        """Return the number of deferred task instances."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            row = connection.execute("SELECT count(*) FROM task_instance WHERE state = 'deferred'").fetchone()
        return int(row[0])


def run(lab: Lab) -> Section:
    """Run the triggerers of all peers at the same time, in each round."""
    template = _template(lab)
    rounds = [_round(lab, template, number) for number in range(min(lab.rounds, ROUNDS))]
    ours = [one["veo"] for one in rounds]
    counts = sorted({result["lookups"] for result in ours})
    failures = sum(result["failures"] for result in ours)
    figures = [
        Figure(
            f"connection look-ups of the real triggerer, {JOBS} tasks", "1", ", ".join(map(str, counts)), counts == [1]
        ),
        Figure(f"failures in the real triggerer, {JOBS} tasks", "0", str(failures), failures == 0),
    ]
    return Section(figures, _lines(rounds))


def _template(lab: Lab) -> Path:
    """Make a home of Airflow whose database contains the Dag, and return its path."""
    home = lab.home / "airflow"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "benchmark.py").write_text(DAG_FILE)
    environment = _environment(lab, home)
    run_python(["-m", "airflow", "db", "migrate"], environment)
    run_python(["-m", "airflow", "dags", "reserialize"], environment)
    return home


def _environment(lab: Lab, home: Path) -> dict[str, str]:
    return lab.environment(home) | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        lookups.FILE: str(home / "lookups"),
    }


def _round(lab: Lab, template: Path, number: int) -> Round:
    progress(f"triggerer, round {number + 1}: starting {', '.join(PEERS)}; two minutes")
    with contextlib.ExitStack() as stack:
        homes = {peer: shutil.copytree(template, lab.home / f"airflow-{peer}-{number}") for peer in PEERS}
        triggerers = {
            peer: stack.enter_context(_triggerer(_environment(lab, home), home)) for peer, home in homes.items()
        }
        return _measure(lab, triggerers, homes, number)


@contextlib.contextmanager
def _triggerer(environment: Mapping[str, str], home: Path) -> Any:
    command = ["-m", "airflow", "triggerer", "--skip-serve-logs"]
    with running(command, environment, home / "triggerer.log") as process:
        yield Triggerer(psutil.Process(process.pid), _runner(process, home), home / "airflow.db", home / "lookups")


def _runner(process: subprocess.Popen[bytes], home: Path) -> psutil.Process:
    give_up_at = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < give_up_at and process.poll() is None:
        if children := psutil.Process(process.pid).children():
            return children[0]
        time.sleep(0.5)
    raise BenchmarkError(
        f"The triggerer has not started. The end of its log:\n{(home / 'triggerer.log').read_text()[-3000:]}"
    )


def _measure(lab: Lab, triggerers: Mapping[str, Triggerer], homes: Mapping[str, Path], number: int) -> Round:
    with contextlib.ExitStack() as stack:
        fillers = {}
        for peer, home in homes.items():
            options = _options(lab, peer, number)
            fillers[peer] = stack.enter_context(_filler(options, _environment(lab, home)))
        time.sleep(_CALM)
        before = {peer: triggerer.cpu() for peer, triggerer in triggerers.items()}
        ends = {peer: _go(filler) for peer, filler in fillers.items()}
    finished = _wait_for_all(triggerers)
    after = {peer: triggerer.cpu() for peer, triggerer in triggerers.items()}
    results: Round = {}
    for peer, home in homes.items():
        jobs = _jobs(lab)
        answer = run_python(["-m", "benchmarks.deferred", "check", "--jobs", str(jobs)], _environment(lab, home))
        cpu = [1000 * (late - early) / jobs for early, late in zip(before[peer], after[peer], strict=True)]
        results[peer] = {
            "supervisor": cpu[0],
            "runner": cpu[1],
            "both": sum(cpu),
            "last": finished[peer] - ends[peer],
            "lookups": lookups.count(triggerers[peer].lookups, triggerers[peer].runner.pid),
            "failures": json.loads(answer.splitlines()[-1])["failures"],
        }
    return results


def _options(lab: Lab, peer: str, number: int) -> list[str]:
    first, last = (10.0, 20.0) if lab.quick else (FIRST, LAST)
    interval = PEERS[peer]
    return [
        *("--peer", peer, "--jobs", str(_jobs(lab)), "--port", str(lab.port), "--tag", f"triggerer-{peer}-{number}"),
        *("--first", str(first), "--last", str(last), "--seed", str(number + 1)),
        *(["--poll-interval", str(interval)] if interval else []),
    ]


def _jobs(lab: Lab) -> int:
    return JOBS // 10 if lab.quick else JOBS


@contextlib.contextmanager
def _filler(options: Sequence[str], environment: Mapping[str, str]) -> Any:
    """Start the process that defers task instances, and wait until it is ready."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.deferred", "insert", *options],
        env=dict(environment),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            _line(process, "ready")
            yield process
        finally:
            process.kill()


def _go(filler: subprocess.Popen[str]) -> float:
    """Let the process defer its task instances, and return the time at which the last job ends."""
    assert filler.stdin is not None
    filler.stdin.write("\n")
    filler.stdin.flush()
    return float(json.loads(_line(filler, "{"))["last_end"])


def _line(process: subprocess.Popen[str], beginning: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return line
    raise BenchmarkError("The process that defers task instances has ended too early.")


def _wait_for_all(triggerers: Mapping[str, Triggerer]) -> dict[str, float]:
    """Return for each triggerer the time at which its last task instance resumed."""
    finished: dict[str, float] = {}
    give_up_at = time.monotonic() + _END_TIMEOUT
    while time.monotonic() < give_up_at:
        time.sleep(1)
        for peer, triggerer in triggerers.items():
            if peer not in finished and not triggerer.deferred():
                finished[peer] = time.time()
        if len(finished) == len(triggerers):
            return finished
    late = ", ".join(f"{peer}: {one.deferred()}" for peer, one in triggerers.items() if peer not in finished)
    raise BenchmarkError(f"Task instances are still deferred after {_END_TIMEOUT:.0f} s: {late}")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _lines(rounds: Sequence[Round]) -> list[str]:
    head = ["peer", "supervisor CPU ms a video", "runner CPU ms a video", "both", "both, above `empty`"]
    head += ["last resumed after s", "failures", "look-ups"]
    rows = []
    for peer in PEERS:
        results = [one[peer] for one in rounds]
        beside = statistics.median(one[peer]["both"] - one["empty"]["both"] for one in rounds)
        rows.append(
            (
                peer,
                *(column(results, name, ".2f") for name in ("supervisor", "runner", "both")),
                f"{beside:.2f}",
                *(column(results, name, form) for name, form in (("last", ".1f"), ("failures", ""), ("lookups", ""))),
            )
        )
    return [
        "## The real triggerer",
        "",
        *paragraph(
            f"`airflow triggerer` in its default configuration, on SQLite, with {JOBS} deferred task instances whose",
            f"jobs end {FIRST:.0f} to {LAST:.0f} s after the deferral. The CPU time is that of the supervisor and of",
            "the",
            "runner, from the deferral until all triggerers have resumed all task instances.",
            "`empty` is a trigger that sleeps until its job ends and sends no request. The difference to `empty` is",
            "the",
            "cost of the wait. Connections come from the database.",
            f"`veo` uses its own schedule; `http_provider` asks every {PEERS['http_provider']:.0f} s.",
            "To save time, the triggerers of a round run at the same time,",
            f"and there are at most {ROUNDS} rounds.",
        ),
        "",
        *table(head, rows),
    ]
