"""The modules that an import loads show its cost; its time would depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.airflow_version import AIRFLOW_3

PROBE = """
import json, sys
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, ObjectStoragePath
import airflow.sdk.api.client  # which the parent of every process that parses Dags or runs tasks has loaded
before = set(sys.modules)
import {module}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
HEAVY = (
    "httpx",
    "httpcore",
    "aiohttp",
    "requests",
    "urllib3",
    "av",
    "PIL",
    "starlette",
    "uvicorn",
    "fastapi",
    "openai",
)


def loaded_by(module):
    result = subprocess.run(
        [sys.executable, "-c", PROBE.format(module=module)], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no airflow.sdk to compare with")
@pytest.mark.parametrize(
    "module",
    [
        "airflow_provider_veo.operators.create",
        "airflow_provider_veo.operators.download",
        "airflow_provider_veo.operators.media",
        "airflow_provider_veo.triggers.video",
        "airflow_provider_veo.plugins.veo",
    ],
)
def test_no_http_or_media_library_is_loaded_beyond_airflows_own(module):
    loaded = loaded_by(module)
    assert module in loaded
    assert [name for name in loaded if name.partition(".")[0] in HEAVY] == []
    apart = tuple(f"airflow_provider_veo.{name}" for name in ("emulator", "media", "testing", "ui"))
    assert [name for name in loaded if name.startswith(apart)] == []


@pytest.mark.parametrize("module", ["api.client", "media.concat", "media.still"])
def test_the_api_and_media_packages_do_not_import_airflow(module):
    probe = f"import sys, airflow_provider_veo.{module}; print([n for n in sys.modules if n.startswith('airflow.')])"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout.strip() == "[]"
