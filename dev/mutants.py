"""`make mutants`: change the pure core in thousands of small ways, and see whether its unit tests notice each.

mutmut makes the changes and runs the tests. This adds a memory: mutants that may survive stand in `mutants.toml` with
their reasons, and any other survivor is a failure. So is one that stands there and does not survive any more.

mutmut leaves constants and decorated functions as they are. And it imports the tests once, unchanged: what a test has
worked out by then, in the arguments of `parametrize`, say, notices nothing.
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
NOTICED = ("killed", "timeout")  # a test that never ends has noticed; or the machine has other things to do


def main() -> int:
    """Run the check and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", nargs="?", default="", help="of the package, for example api.schedule; default: all")
    module = parser.parse_args().module
    os.chdir(ROOT)  # mutmut knows no other place
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
    _list(f"No survivors any more: take them out of {ACCEPTED.relative_to(ROOT)}", gone)
    return int(bool(new or gone))


def _run(patterns: list[str]) -> int:
    """Run mutmut on one core, since others may work here, too. What a pattern names is run again in any case."""
    command = [Path(sys.executable).with_name("mutmut"), "run", "--max-children", "1", *patterns]
    with_plugin = os.environ | {"PYTHONPATH": str(ROOT)}  # `dev.fastest_first`
    return subprocess.run(command, env=with_plugin, check=False).returncode


def _results(module: str) -> Iterator[tuple[str, str, str]]:
    """Yield the module, the status and, unless it was killed, the change of each mutant."""
    for meta in sorted(RESULTS.rglob("*.py.meta")):
        path = meta.relative_to(RESULTS).with_suffix("")
        where = ".".join(path.with_suffix("").parts[1:])
        if where == module or not module:
            for mutant, exit_code in json.loads(meta.read_text())["exit_code_by_key"].items():
                status = status_by_exit_code[exit_code]
                yield where, status, "" if status == "killed" else _change(mutant, path)


def _change(mutant: str, path: Path) -> str:
    """Describe a mutant in a way that stays the same while its function does: function, old lines, new lines."""
    function = mutant.removeprefix(f"{PACKAGE}.").rpartition("__mutmut_")[0].replace("xǁ", "").replace("ǁ", ".")
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
