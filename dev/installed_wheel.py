"""Pytest's `conftest.py` of `make matrix`, which makes sure that the tests use the installed wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import airflow_provider_veo

WHERE = Path(airflow_provider_veo.__file__)


def pytest_report_header() -> str:
    """Return a line with the path of the tested package."""
    return f"airflow_provider_veo: {WHERE}"


def pytest_sessionstart() -> None:
    """Stop pytest if the tested package is not that of the environment."""
    if not WHERE.is_relative_to(sys.prefix):
        raise pytest.UsageError(f"{WHERE} is not in {sys.prefix}: this is not the installed wheel.")
