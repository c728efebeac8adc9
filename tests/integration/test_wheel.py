"""The built wheel, installed where the checkout cannot be imported: Airflow finds all parts of the provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from airflow_provider_veo.api.backends.profiles import PROFILES
from airflow_provider_veo.api.backends.registry import BACKEND_NAMES
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if built := os.environ.get("VEO_WHEEL"):  # `make matrix` has built it, and has no checkout here
        return Path(built)
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)])
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """Return a Python with the wheel, and with the dependencies of this one but without its editable install."""
    folder = tmp_path_factory.mktemp("venv")
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    python = folder / "bin" / "python"
    site = Path(output_of([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
    # a path file is read in a site folder only, so the editable install's own path file has no effect here
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    found = output_of([python, "-c", "import airflow_provider_veo; print(airflow_provider_veo.__file__)"])
    assert Path(found.strip()).is_relative_to(folder)
    return python


def run(command, **environment):
    result = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd="/",
        env=os.environ | environment,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def output_of(command, **environment):
    return run(command, **environment).stdout


def answer_of(python, *words):
    """Return the JSON output of an Airflow command; some versions print log lines before it."""
    output = output_of([python, "-m", "airflow", *words, "--output", "json"])
    return json.loads(output.splitlines()[-1])


def test_the_wheel_holds_the_package_its_types_its_page_and_its_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "airflow_provider_veo/py.typed" in names
    assert "airflow_provider_veo/ui/static/gallery.html" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    roots = {name.split("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"airflow_provider_veo"}


@pytest.mark.skipif("VEO_WHEEL" in os.environ, reason="`make matrix` has no checkout")
def test_the_source_archive_holds_package_tests_and_docs_without_benchmarks(tmp_path):
    run([sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)])
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        top_level = {name.split("/")[1] for name in archive.getnames()}
    assert {"airflow_provider_veo", "dev", "docs", "example_dags", "tests", "pyproject.toml"} <= top_level
    assert "benchmarks" not in top_level


def test_airflow_lists_the_provider(python):
    providers = answer_of(python, "providers", "list")
    assert [row["version"] for row in providers if row["package_name"] == "airflow-provider-veo"] == ["0.1.0"]


def test_airflow_lists_the_hook(python):
    hooks = answer_of(python, "providers", "hooks")
    ours = [row for row in hooks if row["connection_type"] == "veo"]
    assert [row["class"] for row in ours] == ["airflow_provider_veo.hooks.veo.VeoHook"]


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow shows pages of plugins since 3.1")
def test_airflow_loads_the_plugin(python):
    plugins = answer_of(python, "plugins")
    (ours,) = [plugin for plugin in plugins if plugin["name"] == "veo"]
    assert "veo" in str(ours["external_views"])


def test_airflow_knows_the_configuration(python):
    value = output_of([python, "-m", "airflow", "config", "get-value", "veo", "max_in_flight_polls"])
    assert value.strip().splitlines()[-1] == "32"


FORM = """
import json
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
ours = [meta for meta in HookMetaService.hook_meta_data() if meta.connection_type == "veo"]
print(ours[0].model_dump_json())
"""


@pytest.mark.skipif(
    not AIRFLOW_V_3_1_PLUS,
    reason="before Airflow 3.1 the form has fields only where the provider fab is installed",
)
def test_the_connection_form_has_its_fields(python):
    form = json.loads(output_of([python, "-c", FORM]).splitlines()[-1])
    assert form["hook_name"] == "Veo (video generation)"
    assert form["standard_fields"]["password"]["title"] == "API key"
    assert form["standard_fields"]["host"]["title"] == "Base URL"
    assert form["standard_fields"]["login"]["hidden"]
    fields = form["extra_fields"]
    assert set(fields) == {
        "backend",
        "profile",
        "default_model",
        "auth_scheme",
        "request_format",
        "timeout",
        "verify",
        "allow_private_addresses",
        "headers",
        "project",
        "location",
        "output_uri",
        "google_conn_id",
        "keyfile_dict",
        "key_path",
        "scope",
        "quota_project_id",
        "impersonation_chain",
    }
    assert fields["keyfile_dict"]["schema"]["format"] == "password"
    assert fields["backend"]["schema"]["enum"] == list(BACKEND_NAMES)
    assert fields["auth_scheme"]["schema"]["enum"] == ["bearer", "raw"]
    assert fields["profile"]["schema"]["enum"] == list(PROFILES)


# The API server does the same for the form's button: it puts the typed values into the environment, and calls the hook.
TEST = """
from airflow.models.connection import Connection
print(Connection(conn_id="veo_form", conn_type="veo").test_connection())
"""


def test_the_test_button_works(python, emulator):
    typed = {"conn_type": "veo", "host": emulator.url, "password": emulator.settings.api_key}
    answer = output_of([python, "-c", TEST], AIRFLOW_CONN_VEO_FORM=json.dumps(typed))
    assert answer.splitlines()[-1] == f"(True, '{emulator.url} answers and accepts the key.')"
    assert emulator.jobs.report()["orders"] == 0
