"""`make clears`: each Airflow writes its own columns of the table, and leaves all others as they are."""

from __future__ import annotations

from tests.clears import rows


def test_a_column_is_added_or_replaced_and_the_others_stay(tmp_path):
    page = tmp_path / "clears.md"
    page.write_text(f"# Title\n\n{rows.BEGIN}\n{rows.END}\nThe end.\n")
    task = rows.TASKS[0][1]
    rows.write_column(page, "3.4", {(task, rows.REST): "2 / 0 / 2", (task, rows.RUN): "1 / 0 / 1"})
    rows.write_column(page, "3.3", {(task, rows.REST): "9 / 9 / 9"})
    rows.write_column(page, "3.3", {(task, rows.REST): "1 / 0 / 1"})
    lines = page.read_text().splitlines()
    assert lines[:2] == ["# Title", ""]
    assert lines[3] == "| the task | the clear | 3.3 | 3.4 |"
    assert lines[5] == f"| {task} | {rows.REST} | 1 / 0 / 1 | 2 / 0 / 2 |"
    assert f"| {task} | {rows.RUN} | – | 1 / 0 / 1 |" in lines
    assert len(lines) == 3 + 2 + len(rows.TASKS) * 5 + 2
    assert lines[-1] == "The end."
