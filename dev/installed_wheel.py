"""Pytest's `conftest.py` of `make matrix`: what is tested is the installed wheel, or nothing is tested."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import airflow_provider_veo

WHERE = Path(airflow_provider_veo.__file__)


def pytest_report_header() -> str:
    """Say which package is tested."""
    return f"airflow_provider_veo: {WHERE}"


def pytest_sessionstart() -> None:
    """Refuse to test any other package than the environment's."""
    if not WHERE.is_relative_to(sys.prefix):
        raise pytest.UsageError(f"{WHERE} is not in {sys.prefix}: this is not the installed wheel.")
