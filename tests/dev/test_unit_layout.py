"""The folder `tests/unit` mirrors the package."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "tests" / "unit"
FILES = [file.relative_to(UNIT) for file in sorted(UNIT.glob("*/**/test_*.py"))]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_unit_test_is_named_after_the_module_that_it_tests(file):
    """An aspect may follow the name of the module. Files directly in `tests/unit` test the whole package."""
    modules = {path.stem for path in (ROOT / "airflow_provider_veo" / file.parent).glob("*.py")}
    name = file.stem.removeprefix("test_")
    assert any(name == module or name.startswith(f"{module}_") for module in modules)
