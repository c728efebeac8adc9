"""How a database would run the statements of the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_XCOM = re.compile(r"\bxcom\w*\b")
_BY_TASK = re.compile(r"\((?:dag_run_id|dag_id|task_instance_id)=\?")
_LARGE = ("dag_run", "task_instance", "xcom", "xcom_v2")


@dataclass(frozen=True)
class Plan:
    """The plan of a statement.

    Attributes:
        sql: The statement.
        lines: Lines of SQLite's plan.
    """

    sql: str
    lines: Sequence[str]


def find_faults(plans: Iterable[Plan]) -> list[str]:
    """Return the lines of SQLite's plans that read more rows than they need.

    A scan of the Dag runs is right where it is in the order of the page: it ends with the page.

    Args:
        plans: The plans of the statements of a request.
    """
    return [f"{line} in {plan.sql}" for plan in plans for line in plan.lines if _is_fault(line, plan.sql)]


def find_faults_of_postgresql(plan: Any) -> list[str]:
    """Return the parts of a plan of PostgreSQL that read more rows than they need.

    Args:
        plan: Plan of a statement, as `EXPLAIN (FORMAT JSON)` returns it.
    """
    found = [fault for part in plan.get("Plans", ()) for fault in find_faults_of_postgresql(part)]
    table, kind = plan.get("Relation Name", ""), plan["Node Type"]
    condition = plan.get("Index Cond", "") + plan.get("Recheck Cond", "")
    if table in _LARGE and kind == "Seq Scan":
        found.append(f"{kind} of {table}")
    if _XCOM.fullmatch(table) and "Index" in kind and not re.search("task_instance_id|dag_run_id|dag_id", condition):
        found.append(f"{kind} of {table} by {condition}")
    return found


def _is_fault(line: str, sql: str) -> bool:
    if line.startswith("SCAN"):
        is_in_order = line == "SCAN dag_run" and "ORDER BY dag_run.id DESC" in sql
        return not is_in_order
    if line.startswith("SEARCH") and _XCOM.search(line.partition(" USING ")[0]):
        is_probe = "LIMIT" in sql and " JOIN " not in sql
        return not (_BY_TASK.search(line) or is_probe)
    # the rows of one step are few, as are the runs in progress and the tries of a task: their sort costs little
    is_large = " JOIN " not in sql and "FROM task_instance" not in sql and "state IN" not in sql
    return is_large and line.startswith("USE TEMP B-TREE FOR ORDER BY")
