"""A reader who follows a page: the reader writes its files and runs its commands in an empty folder."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.pages import Block

_TIMEOUT = 600


class ReaderError(AssertionError):
    """A block of a page has failed."""


class Reader:
    """A reader with an empty folder, a shell, and this package's Python in the PATH.

    Args:
        folder: An empty folder.
        environment: Further environment variables.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "VIRTUAL_ENV"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "PIP_NO_INPUT": "1", "AIRFLOW_HOME": str(folder / ".airflow")}
        self.environment = kept | own | dict(environment)
        self._sessions: list[int] = []

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:  # processes that a page has left in the background
            with contextlib.suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)

    def do(self, block: Block) -> str:
        """Write or run a block, and return its output.

        Raises:
            ReaderError: The block failed.
        """
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            return ""
        if block.language == "python":
            return self.run([sys.executable, "-c", block.text], block)
        return self._shell(block)

    def _shell(self, block: Block) -> str:
        # variables and environments of a block hold for the next one
        state = self.folder / ".shell"
        before = f". {shlex.quote(str(state))}\n" if state.exists() else ""
        script = f"set -eo pipefail\n{before}{block.text}\nexport -p > {shlex.quote(str(state))}\n"
        return self.run(["bash", "-c", script], block)

    def run(self, command: list[str], block: Block) -> str:
        """Run a command of a block, and return its output."""
        output = self.folder / f".output{len(self._sessions)}"
        with output.open("wb") as file:  # a file, since processes in the background would keep a pipe open
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._sessions.append(process.pid)
            code = process.wait(timeout=_TIMEOUT)
        printed = output.read_text(encoding="utf-8", errors="replace")
        if code:
            raise ReaderError(f"The block in line {block.line} ended with {code}:\n{block.text}\n{printed[-4000:]}")
        return printed


RUN_DAGS = """
import json, os
from airflow.dag_processing.dagbag import DagBag
from airflow.utils.db import initdb
initdb()
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
assert bag.import_errors == {}, bag.import_errors
states = {dag_id: str(dag.test(logical_date=None).state) for dag_id, dag in bag.dags.items()}
print()
print(json.dumps(states))
"""


def run_dags(reader: Reader, environment: Mapping[str, str]) -> dict[str, str]:
    """Run each Dag of a page as an asset or a person starts it, and return the states of the runs by Dag."""
    reader.environment |= dict(environment) | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(reader.folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    printed = reader.run([sys.executable, "-c", RUN_DAGS], Block("python", "(its Dags)", 0))
    states: dict[str, str] = json.loads(printed.splitlines()[-1])
    return states
