"""`make mutants`: change the pure core in thousands of small ways, and check that its unit tests notice each change.

mutmut makes the changes and runs the tests. `mutants.toml` lists the mutants that may survive, with reasons. Any other
survivor is a failure, and so is a mutant of the list that does not survive any more.

mutmut does not change constants and decorated functions. It imports the tests once, before any change: values that a
test computes at its import, for example in the arguments of `parametrize`, do not notice a change.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import tomllib
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parent.parent
ACCEPTED = Path(__file__).with_suffix(".toml")
RESULTS = ROOT / "mutants"
PACKAGE = "airflow_provider_veo"
NOTICED = ("killed", "timeout")  # a change may make a test run endlessly


def main() -> int:
    """Run the check and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "module", nargs="?", default="", help="module of the package, for example api.polling.schedule (default: all)"
    )
    module = parser.parse_args().module
    os.chdir(ROOT)  # mutmut works in the current folder
    if not module:
        shutil.rmtree(RESULTS, ignore_errors=True)
    status = _run([f"{PACKAGE}.{module}.*"] if module else [])
    if status:
        return status
    found = list(_results(module))
    for name, mutants in groupby(found, key=lambda mutant: mutant[0]):
        counts = Counter(status for _, status, _ in mutants)
        print(f"{name}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    survivors = {change for _, status, change in found if status not in NOTICED}
    accepted = {change for change in _accepted() if not module or change.startswith(f"{module}.")}
    new = survivors - accepted
    gone = accepted - {change for _, status, change in found if status != "killed"}
    _list("Survivors without a reason", new)
    _list(f"These do not survive any more: remove them from {ACCEPTED.relative_to(ROOT)}", gone)
    return int(bool(new or gone))


def _run(patterns: list[str]) -> int:
    """Run mutmut on one core, since the machine may have other work. Mutants that match a pattern run again."""
    command = [Path(sys.executable).with_name("mutmut"), "run", "--max-children", "1", *patterns]
    with_plugin = os.environ | {"PYTHONPATH": str(ROOT / "dev")}  # `fastest_first`; mutmut takes the root off the path
    return subprocess.run(command, env=with_plugin, check=False).returncode


def _results(module: str) -> Iterator[tuple[str, str, str]]:
    """Yield the module, the status and, unless the mutant was killed, the change of each mutant."""
    for meta in sorted(RESULTS.rglob("*.py.meta")):
        path = meta.relative_to(RESULTS).with_suffix("")
        where = ".".join(path.with_suffix("").parts[1:])
        if where == module or not module:
            for mutant, exit_code in json.loads(meta.read_text())["exit_code_by_key"].items():
                status = status_by_exit_code[exit_code]
                yield where, status, "" if status == "killed" else _change(mutant, path)


def _change(mutant: str, path: Path) -> str:
    """Describe a mutant by its function, its old lines and its new lines, so that its name changes only with these."""
    function = mutant.removeprefix(f"{PACKAGE}.").rpartition("__mutmut_")[0].replace(".xǁ", ".").replace("ǁ", ".")
    lines = get_diff_for_mutant(mutant, path=path).splitlines()[2:]
    old, new = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return f"{function.replace('.x_', '.')}: {old} -> {new}"


def _accepted() -> Iterator[str]:
    for group in tomllib.loads(ACCEPTED.read_text())["accepted"]:
        yield from group["mutants"]


def _list(title: str, changes: set[str]) -> None:
    if changes:
        print(f"\n{title}:", *sorted(changes), sep="\n  ")


if __name__ == "__main__":
    sys.exit(main())
