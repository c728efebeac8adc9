"""Processes of the benchmark: the server, and measurements that run at the same time. None outlives the benchmark."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import lookups
from benchmarks.peers import connections

ROOT = Path(__file__).parents[1]
ANSWER_DELAY = 0.05


class BenchmarkError(Exception):
    """A measurement failed. The message names it and quotes its output."""


@dataclass(frozen=True)
class Lab:
    """The things that all measurements share.

    Attributes:
        home: A temporary folder. It is also Airflow's home.
        port: Port of the server.
        rounds: How often each measurement is repeated.
        quick: Whether to run with few jobs only, to try the benchmark out.
    """

    home: Path
    port: int
    rounds: int
    quick: bool

    def environment(self, home: Path | None = None) -> dict[str, str]:
        """Return the environment of a process that counts its look-ups. It contains no settings of another Airflow."""
        return clean_environment() | {
            "AIRFLOW_HOME": str(home or self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__SECRETS__BACKEND": "benchmarks.lookups.CountingBackend",
            "PYTHONPATH": str(ROOT),
        }

    def loops(self, measurements: Sequence[Sequence[str]], timeout: float = 600.0) -> list[dict[str, Any]]:
        """Run measurements of `benchmarks.loop` at the same time, and return their results.

        Raises:
            BenchmarkError: A measurement failed, or did not end in time.
        """
        results = []
        for result in self.try_loops(measurements, timeout):
            if isinstance(result, BenchmarkError):
                raise result
            results.append(result)
        return results

    def try_loops(self, measurements: Sequence[Sequence[str]], timeout: float) -> list[dict[str, Any] | BenchmarkError]:
        """Run measurements as `loops` does, and return the error of a failed one in place of its result."""
        known = self.environment() | {lookups.CONNECTIONS: json.dumps(connections(self.port))}
        with tempfile.TemporaryDirectory(dir=self.home) as folder, contextlib.ExitStack() as stack:
            started = []
            for number, options in enumerate(measurements):
                command = ["-m", "benchmarks.loop", "--port", str(self.port), *options]
                environment = known | {lookups.FILE: f"{folder}/{number}.lookups"}
                output = Path(folder, f"{number}.out")
                started.append((stack.enter_context(running(command, environment, output)), output))
            give_up_at = time.monotonic() + timeout
            return [_result(process, output, give_up_at - time.monotonic()) for process, output in started]


@contextlib.contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python with a command, and end it with the block. Its output goes to a file, as a full pipe would stop it."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *command],
            env=dict(environment),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """End a process: by SIGTERM, and by SIGKILL if it has not ended after 15 seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_python(
    command: Sequence[str], environment: Mapping[str, str], timeout: float = 300.0, python: str = sys.executable
) -> str:
    """Run Python with a command, and return its standard output.

    Raises:
        BenchmarkError: The command failed.
    """
    done = subprocess.run(
        [python, *command],
        env=dict(environment),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    return done.stdout


@contextlib.contextmanager
def server() -> Iterator[int]:
    """Run the server during the block, and yield its port."""
    with serving(["-m", "benchmarks.server", "--delay", str(ANSWER_DELAY)]) as line:
        yield int(line)


@contextlib.contextmanager
def serving(command: Sequence[str]) -> Iterator[str]:
    """Run Python with the command of a server during the block, and yield the first line that it prints."""
    with subprocess.Popen(
        [sys.executable, *command],
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline()
        finally:
            end(process)


def clean_environment() -> dict[str, str]:
    """Return the environment without settings of Airflow and without proxies, because everything here is local.

    The environment allows Python to write compiled files. Otherwise each process would pay for its imports again.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW") and not name.lower().endswith("_proxy") and name != "PYTHONDONTWRITEBYTECODE"
    }


def progress(text: str) -> None:
    """Print a line about the progress, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _result(process: subprocess.Popen[bytes], output: Path, timeout: float) -> dict[str, Any] | BenchmarkError:
    try:
        status = process.wait(max(0.0, timeout))
    except subprocess.TimeoutExpired:
        status = None
    text = output.read_text(errors="replace")
    if status != 0:
        how = "was too slow" if status is None else f"ended with {status}"
        return BenchmarkError(f"{process.args!r} {how}:\n{text[-3000:]}")
    result: dict[str, Any] = json.loads(text.splitlines()[-1])
    return result
