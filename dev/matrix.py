"""`make matrix`: test the built wheel on every supported Airflow, and write the table of docs/compatibility.md.

Each row of the table is one version of Airflow on one version of Python. To run a row, this script makes a new virtual
environment with the versions of `dev/pins` and the wheel, runs `pip check`, and runs the unit and integration tests in
a folder that has all of their files except the package. The result of a row replaces its line of the table at once.
The lines of all other rows stay as they are, also if a row could not be run. A pre-release of Airflow may fail: the
command then says which of its tests failed, and ends well.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree as ET

from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "compatibility.md"
PINS = ROOT / "dev" / "pins"
ENVIRONMENTS = ROOT / ".venv" / "matrix"
TESTS = ("tests/unit", "tests/integration")
WHAT_TESTS_READ = ("dev", "example_dags", "tests")

BEGIN, END = "<!-- make matrix writes from here -->", "<!-- to here -->"
HEAD = ("Airflow", "Python", "passed", "failed", "skipped", "`pip check`", "run on")


class MatrixError(Exception):
    """A row cannot be run, or has no result. The message gives the reason."""


@dataclass(frozen=True)
class Row:
    """A version of Airflow on a version of Python.

    Attributes:
        airflow: Version of Airflow.
        python: Version of Python, without the patch level.
        beside: Extras that bring large providers along. Such a row shows that all of them can be installed together and
            that the operators can be imported; it runs no tests.
    """

    airflow: str
    python: str
    beside: str = ""

    @property
    def name(self) -> str:
        """Return the name of the row's environment, log and pins."""
        return f"{self.airflow}-py{self.python}" + ("-beside" if self.beside else "")

    @property
    def key(self) -> tuple[str, str]:
        """Return the cells of the table that identify the row."""
        return self.airflow + (f" with the extras {self.beside}" if self.beside else ""), self.python

    @property
    def may_fail(self) -> bool:
        """Whether the command ends well if the row fails, since a pre-release is not for daily work yet."""
        return Version(self.airflow).is_prerelease

    @property
    def pins(self) -> Path:
        """Return the file of constraints: the row's own, or that of its version of Airflow."""
        own = PINS / f"{self.name}.txt"
        return own if own.exists() else PINS / f"{self.airflow}.txt"


ROWS = (
    Row("2.11.2", "3.10"),
    Row("2.11.2", "3.11"),
    Row("3.0.6", "3.11"),
    Row("3.1.8", "3.11"),
    Row("3.2.2", "3.11"),
    Row("3.3.2", "3.10"),
    Row("3.3.2", "3.11"),
    Row("3.3.2", "3.12"),
    Row("3.3.2", "3.13"),
    Row("3.4.0b2", "3.11"),
    Row("3.3.2", "3.11", beside="s3,gcs,azure"),
)


@dataclass(frozen=True)
class Counts:
    """The results of pytest.

    Attributes:
        passed: Number of tests that passed.
        failed: Names of the tests that failed. They include tests that were skipped for another reason than Airflow's
            version, because such a test lacks something that it needs and shows nothing.
        skipped: Number of skipped tests by reason.
    """

    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Result:
    """The result of a row.

    Attributes:
        tests: Results of pytest; None for a row without tests.
        consistent: Whether `pip check` found no conflict.
    """

    tests: Counts | None
    consistent: bool

    @property
    def good(self) -> bool:
        """Whether no test failed and no versions conflict."""
        return self.consistent and not (self.tests and self.tests.failed)

    def cells(self, today: str) -> tuple[str, ...]:
        """Return the cells of the table after the key."""
        counts = ("imports", "–", "–")
        if self.tests:
            failed = len(self.tests.failed)
            counts = (str(self.tests.passed), f"**{failed}**" if failed else "0", str(self.tests.skipped.total()))
        return *counts, "clean" if self.consistent else "**conflicts**", today


def main() -> int:
    """Run the rows, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="ROW", help=f"rows to run, of {', '.join(row.name for row in ROWS)}"
    )
    parser.add_argument(
        "--pythons",
        nargs="+",
        default=[],
        metavar="COMMAND",
        help="Python commands to use besides python3.10 and so on",
    )
    options = parser.parse_args()
    good = True
    try:
        rows = selected(options.only)
        pythons = found_pythons(rows, options.pythons)
        with tempfile.TemporaryDirectory(prefix="veo-matrix-") as folder:
            wheel = built_wheel(Path(folder))
            for row in rows:
                good = (run(row, pythons[row.python], wheel) or row.may_fail) and good
    except MatrixError as error:
        say(f"FAILED: {error}")
        return 1
    say(
        f"The table is in {PAGE.relative_to(ROOT)}."
        + ("" if len(rows) == len(ROWS) else " The other rows are unchanged.")
    )
    return 0 if good else 1


def selected(names: Sequence[str]) -> list[Row]:
    """Return the rows with these names or versions of Airflow; all rows if there are no names.

    Raises:
        MatrixError: A name belongs to no row.
    """
    for name in names:
        if not any(name in (row.name, row.airflow) for row in ROWS):
            raise MatrixError(f"There is no row {name}. The rows are {', '.join(row.name for row in ROWS)}.")
    return [row for row in ROWS if not names or row.name in names or row.airflow in names]


def found_pythons(rows: Sequence[Row], commands: Sequence[str]) -> dict[str, str]:
    """Return a command for each version of Python that the rows need.

    Raises:
        MatrixError: A version is not installed.
    """
    needed = list(dict.fromkeys(row.python for row in rows))
    found: dict[str, str] = {}
    for command in (*commands, *(f"python{version}" for version in needed), sys.executable):
        if version := read_version(command):
            found.setdefault(version, command)
    if missing := [version for version in needed if version not in found]:
        raise MatrixError(
            f"Python {' and '.join(missing)} is not installed. Install it with its venv module (on Debian and Ubuntu "
            f"the package python{missing[0]}-venv, elsewhere with pyenv or uv), or name its path: "
            f"make matrix PYTHONS='/path/to/python{missing[0]} ...'. To run other rows only, add ONLY='NAME ...'."
        )
    return found


def read_version(command: str) -> str | None:
    """Return the version of a Python command, without the patch level; None if the command does not run."""
    asked = [command, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def built_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout, and return its path.

    Raises:
        MatrixError: The build failed.
    """
    log = folder / "build.log"
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    if call(command, log, cwd=folder):
        raise MatrixError(f"The wheel cannot be built. The output of the build:\n{log.read_text()}")
    return next(folder.glob("*.whl"))


def run(row: Row, python: str, wheel: Path) -> bool:
    """Run a row, write its line, print its result, and return whether the result is good."""
    say(f"{row.name}: installing ...")
    begun = time.monotonic()
    try:
        result = tried(row, python, wheel)
    except MatrixError as error:
        say(f"{row.name}: FAILED. The table is unchanged. {error}")
        return False
    key = dict(zip(HEAD, row.key + result.cells(f"{datetime.now(timezone.utc):%Y-%m-%d}"), strict=True))
    say(f"{row.name}: " + ", ".join(f"{name} {cell}" for name, cell in key.items() if name in HEAD[2:6]))
    say(f"  {time.monotonic() - begun:.0f} s; log: {log_of(row).relative_to(ROOT)}")
    for name in result.tests.failed if result.tests else ():
        say(f"  failed: {name}")
    if row.may_fail and not result.good:
        say("  This is a pre-release of Airflow, so the command does not fail because of it.")
    for reason, count in result.tests.skipped.most_common() if result.tests else ():
        say(f"  skipped: {count} x {reason}")
    PAGE.write_text(with_lines(PAGE.read_text(encoding="utf-8"), {row.key: tuple(key.values())}), encoding="utf-8")
    return result.good


def tried(row: Row, python: str, wheel: Path) -> Result:
    """Install the environment of a row, run its tests or imports there, and return the result.

    Raises:
        MatrixError: The installation failed, the operators cannot be imported, or pytest was interrupted.
    """
    environment, log = ENVIRONMENTS / row.name, log_of(row)
    interpreter = environment / "bin" / "python"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    pip = [sys.executable, "-m", "pip", "--python", interpreter]
    extras = row.beside or "emulator,google,media"
    wanted = [f"apache-airflow=={row.airflow}", f"{wheel}[{extras}]", *([] if row.beside else ["--group", "test"])]
    for step in (
        [python, "-m", "venv", "--without-pip", "--clear", environment],
        [*pip, "install", "--quiet", "--constraint", row.pins, *wanted],
    ):
        if call(step, log, cwd=ROOT):
            raise MatrixError(f"The installation failed. Read the reason in {log.relative_to(ROOT)}.")
    # Airflow needs four seconds more to start without compiled files, and some environments forbid to compile at import
    call([interpreter, "-m", "compileall", "-q", "-j", "0", environment / "lib"], log, cwd=ROOT)
    consistent = call([*pip, "check"], log, cwd=ROOT) == 0
    with tempfile.TemporaryDirectory(prefix="veo-matrix-") as folder:
        if row.beside:
            imports(interpreter, Path(folder), log)
            return Result(None, consistent)
        return Result(tests(interpreter, Path(folder), wheel, log), consistent)


def tests(interpreter: Path, folder: Path, wheel: Path, log: Path) -> Counts:
    """Run the tests in a folder without the package. `installed_wheel.py` refuses every package except the wheel.

    Raises:
        MatrixError: pytest was interrupted.
    """
    for name in WHAT_TESTS_READ:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / "dev" / "installed_wheel.py", folder / "conftest.py")
    report = folder / "junit.xml"
    pytest = [interpreter, "-m", "pytest", "-n", "4", "--dist", "worksteal", f"--junitxml={report}"]
    status = call([*pytest, *TESTS], log, cwd=folder, wheel=wheel)
    if status not in (0, 1):
        raise MatrixError(f"pytest ended with status {status}. Read the reason in {log.relative_to(ROOT)}.")
    return counted(report.read_text(encoding="utf-8"))


def counted(report: str) -> Counts:
    """Return the counts of a JUnit report by pytest."""
    passed, failed, skipped = 0, [], Counter[str]()
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 - our own pytest wrote the report
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif (skip := case.find("skipped")) is None:
            passed += 1
        elif "Airflow" in (reason := _reason(skip)):
            skipped[reason] += 1
        else:
            failed.append(f"{name} (skipped: {reason})")
    return Counts(passed, tuple(failed), skipped)


def _reason(skip: ET.Element) -> str:
    message = skip.get("message", "")
    if message == "collection skipped":  # a whole module: the text is (file, line, reason)
        message = ast.literal_eval(skip.text or "('',)")[-1]
    return message.removeprefix("Skipped: ")


_IMPORTS = """
import importlib, pkgutil, sys
import airflow_provider_veo
assert airflow_provider_veo.__file__.startswith(sys.prefix), airflow_provider_veo.__file__
for part in ("hooks", "operators", "triggers", "storage"):
    package = importlib.import_module(f"airflow_provider_veo.{part}")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        print(importlib.import_module(module.name))
"""


def imports(interpreter: Path, folder: Path, log: Path) -> None:
    """Import the modules that Dag files import.

    Raises:
        MatrixError: An import failed.
    """
    if call([interpreter, "-c", _IMPORTS], log, cwd=folder):
        raise MatrixError(f"The operators cannot be imported. Read the reason in {log.relative_to(ROOT)}.")


def call(command: Sequence[str | Path], log: Path, cwd: Path, wheel: Path | None = None) -> int:
    """Run a command, append its output to a log, and return its exit status."""
    # variables of this shell for another Airflow or Python must not reach the command
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHONPATH"))}
    given = {"PYTHONNOUSERSITE": "1", "AIRFLOW_HOME": str(cwd / "airflow")}
    environment = inherited | given | ({"VEO_WHEEL": str(wheel)} if wheel else {})
    words = [str(word) for word in command]
    with log.open("ab") as output:
        return subprocess.run(words, cwd=cwd, env=environment, stdout=output, stderr=output, check=False).returncode


def log_of(row: Row) -> Path:
    """Return the path of the log of a row."""
    return ENVIRONMENTS / f"{row.name}.log"


def with_lines(page: str, new: Mapping[tuple[str, str], Sequence[str]]) -> str:
    """Return the page with new lines in its table.

    Args:
        page: Text of docs/compatibility.md.
        new: Cells of the new lines, by the key of their row. Old lines stay, except those of rows that no longer exist.

    Raises:
        MatrixError: The page has no table between the markers.
    """
    before, _, rest = page.partition(f"{BEGIN}\n")
    table, marker, after = rest.partition(END)
    if not marker:
        raise MatrixError(
            f"{PAGE.relative_to(ROOT)} has no table between the lines {BEGIN} and {END}. Restore both lines."
        )
    old = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines()]
    lines = {cells[:2]: cells for cells in old} | dict(new)
    shown = [HEAD, ("---",) + ("---:",) * 4 + ("---",) * 2, *(lines[row.key] for row in ROWS if row.key in lines)]
    return f"{before}{BEGIN}\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in shown) + END + after


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
