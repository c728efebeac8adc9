"""The rows of the table of clears: which task is cleared, and how; and the charges that are right."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from airflow import __version__

from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS

REST, DIALOG, KEEPING, COMMAND, RUN = (
    "REST API, the task",
    "dialog, the task",
    'dialog, "Keep task state and resume" ticked',
    "`airflow tasks clear`",
    "REST API, the Dag run",
)
CLEARS = (REST, DIALOG, KEEPING, COMMAND, RUN) if AIRFLOW_V_3_4_PLUS else (REST, DIALOG, COMMAND, RUN)
TASKS = (
    ("failed", "its video is paid for, and could not be stored", "veo_failing"),
    ("deferred", "deferred; the server cannot cancel", "veo_held"),
    ("deferred", "deferred; the server can cancel", "veo_cancel"),
    ("waiting", "waits on its worker; the server cannot cancel", "veo_held"),
    ("waiting", "waits on its worker; the server can cancel", "veo_cancel"),
    ("delivered", "has delivered its video", "veo_plain"),
)
BEGIN, END = "<!-- make clears writes from here -->", "<!-- to here -->"


@dataclass(frozen=True)
class Row:
    """A task that is cleared in one way.

    Attributes:
        dag_id: ID of its Dag, which is named after the state of the task.
        task: The state of the task, in words.
        conn_id: ID of its connection.
        clear: The way in which it is cleared.
    """

    dag_id: str
    task: str
    conn_id: str
    clear: str

    def __str__(self) -> str:
        return f"{self.task} - {self.clear}"

    def discards_the_record(self) -> bool:
        """Return whether Airflow deletes the order record, as the dialog and the documentation of the API say."""
        return AIRFLOW_V_3_4_PLUS and self.clear in (REST, DIALOG)

    def charges(self, has_storage: bool) -> int:
        """Return the number of charges that is right.

        Args:
            has_storage: Whether `[veo] storage` is set, where the provider keeps a second record.
        """
        if self.dag_id == "delivered":
            return 2
        return 2 if self.discards_the_record() and not has_storage and self.conn_id != "veo_cancel" else 1


ROWS = tuple(Row(dag_id, task, conn_id, clear) for dag_id, task, conn_id in TASKS for clear in CLEARS)


def write_column(page: Path, name: str, cells: dict[tuple[str, str], str]) -> None:
    """Write a column of the table, and leave all others as they are.

    Args:
        page: The page of the documentation, with the two markers.
        name: Head of the column.
        cells: Texts of the cells, by the task and the clear of their row.
    """
    before, _, rest = page.read_text(encoding="utf-8").partition(f"{BEGIN}\n")
    table, _, after = rest.partition(END)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    heads = lines[0][2:] if lines else []
    old = {(line[0], line[1], head): cell for line in lines[2:] for head, cell in zip(heads, line[2:], strict=True)}
    new = old | {(*key, name): cell for key, cell in cells.items()}
    heads = sorted({*heads, name})
    keys = [(task, clear) for _, task, _ in TASKS for clear in (REST, DIALOG, KEEPING, COMMAND, RUN)]
    shown = [
        ["the task", "the clear", *heads],
        ["---"] * (2 + len(heads)),
        *([*key, *(new.get((*key, head), "–") for head in heads)] for key in keys),
    ]
    text = "".join(f"| {' | '.join(line)} |\n" for line in shown)
    page.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


def page_to_write() -> Path | None:
    """Return the page into which the table is written; None for a run of the tests alone."""
    name = os.environ.get("VEO_CLEARS_PAGE")
    return Path(name) if name else None


def head(storage: str) -> str:
    """Return the head of a column: the version of Airflow, and whether `[veo] storage` is set."""
    return f"{__version__}, {storage} `[veo] storage`"
