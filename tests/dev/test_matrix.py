"""`make matrix`: the selection of rows, the counts in a report of pytest, and the update of the table."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev import matrix
from dev.matrix import ROWS, Counts, MatrixError, Result, Row

PAGE = f"""# Title

{matrix.BEGIN}
| Airflow | Python | passed | failed | skipped | `pip check` | run on |
| --- | ---: | ---: | ---: | ---: | --- | --- |
| 1.10.15 | 3.6 | 1 | 0 | 0 | clean | 2021-03-17 |
| 3.3.2 | 3.13 | 7 | **1** | 0 | clean | 2026-01-01 |
{matrix.END}
The end.
"""


def test_all_rows_run_unless_some_are_named():
    assert matrix.selected([]) == list(ROWS)
    assert matrix.selected(["3.3.2-py3.13"]) == [Row("3.3.2", "3.13")]
    assert {row.airflow for row in matrix.selected(["2.11.2", "3.0.6"])} == {"2.11.2", "3.0.6"}
    assert len({row.name for row in ROWS}) == len({row.key for row in ROWS}) == len(ROWS)


def test_an_unknown_row_is_an_error_that_names_the_known_rows():
    with pytest.raises(MatrixError, match=r"no row 2\.0\. The rows are 2\.11\.2-py3\.10, "):
        matrix.selected(["3.3.2", "2.0"])


def test_a_missing_python_is_an_error_with_advice():
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = matrix.found_pythons([Row("3.3.2", here)], [sys.executable])
    assert found[here] == sys.executable
    with pytest.raises(MatrixError, match=r"Python 9\.9 is not installed.*python9\.9-venv.*make matrix PYTHONS="):
        matrix.found_pythons([Row("3.3.2", here), Row("3.3.2", "9.9")], ["/nosuch/python"])


def test_each_row_has_pins():
    assert [row.name for row in ROWS if not row.pins.exists()] == []


def test_a_line_is_replaced_and_the_others_stay_in_the_order_of_the_rows():
    result = Result(Counts(passed=5, failed=("a", "b")), consistent=False)
    page = matrix.with_lines(PAGE, {("2.11.2", "3.11"): ("2.11.2", "3.11", *result.cells("2026-11-27"))})
    assert page == PAGE.replace(
        "| 1.10.15 | 3.6 | 1 | 0 | 0 | clean | 2021-03-17 |",
        "| 2.11.2 | 3.11 | 5 | **2** | 0 | **conflicts** | 2026-11-27 |",
    )
    again = matrix.with_lines(page, {("3.3.2", "3.13"): ("3.3.2", "3.13", *Result(None, True).cells("2026-11-28"))})
    assert again == page.replace("7 | **1** | 0 | clean | 2026-01-01", "imports | – | – | clean | 2026-11-28")


def test_a_page_without_a_table_is_an_error():
    with pytest.raises(MatrixError, match="has no table"):
        matrix.with_lines("# Title\n", {})


def test_only_a_pre_release_may_fail():
    assert [row.name for row in ROWS if row.may_fail] == ["3.4.0b2-py3.11"]


@pytest.mark.parametrize("airflow", ["3.3.2", "3.4.0b2"])
def test_the_command_fails_because_of_a_release_only(monkeypatch, tmp_path, capsys, airflow):
    row = Row(airflow, f"{sys.version_info.major}.{sys.version_info.minor}")
    page = tmp_path / "page.md"
    page.write_text(f"{matrix.BEGIN}\n{matrix.END}")
    result = Result(Counts(passed=1, failed=("tests.test_clip",)), consistent=True)
    monkeypatch.setattr(matrix, "PAGE", page)
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "ENVIRONMENTS", tmp_path)
    monkeypatch.setattr(matrix, "ROWS", (row,))
    monkeypatch.setattr(matrix, "built_wheel", lambda folder: folder)
    monkeypatch.setattr(matrix, "tried", lambda *_: result)
    monkeypatch.setattr(sys, "argv", ["matrix"])
    assert matrix.main() == (0 if row.may_fail else 1)
    assert "failed: tests.test_clip" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("result", "good"),
    [
        (Result(Counts(1), consistent=True), True),
        (Result(None, consistent=True), True),
        (Result(Counts(1, ("a",)), consistent=True), False),
        (Result(Counts(1), consistent=False), False),
    ],
)
def test_only_a_row_without_failures_and_conflicts_is_good(result, good):
    assert result.good is good


def pytest_of(folder, **environment):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=junit.xml"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=120, env=os.environ | environment
    )


def test_a_real_report_of_pytest_is_counted(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_module.py").write_text(
        "import pytest\npytest.skip('Airflow 2 has none', allow_module_level=True)"
    )
    (tmp_path / "test_all.py").write_text("""
import pytest
def test_passes(): pass
def test_fails(): assert False
@pytest.fixture
def broken(): raise OSError
def test_is_broken(broken): pass
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.skipif(True, reason="since Airflow 3.3")
def test_is_skipped(n): pass
def test_lacks_something(): pytest.importorskip("nosuch", reason="nosuch is missing")
""")
    pytest_of(tmp_path)
    found = matrix.counted((tmp_path / "junit.xml").read_text())
    assert found.passed == 1
    assert sorted(found.failed) == [
        "test_all.test_fails",
        "test_all.test_is_broken",
        "test_all.test_lacks_something (skipped: nosuch is missing)",
    ]
    assert found.skipped == {"since Airflow 3.3": 2, "Airflow 2 has none": 1}


def test_only_the_installed_package_is_tested(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_one.py").write_text("def test_one(): pass")
    shutil.copy(Path(matrix.__file__).with_name("installed_wheel.py"), tmp_path / "conftest.py")
    (tmp_path / "checkout" / "airflow_provider_veo").mkdir(parents=True)
    for name in ("__init__.py", "testing.py"):  # pytest loads the latter, as a plugin
        (tmp_path / "checkout" / "airflow_provider_veo" / name).touch()
    refused = pytest_of(tmp_path, PYTHONPATH=str(tmp_path / "checkout"))
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "this is not the installed wheel" in refused.stdout + refused.stderr
