"""Every code block of README and docs works: the tests run it, or check its content."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys

import pytest

from airflow_provider_veo.get_provider_info import get_provider_info
from dev.examples import BACKENDS
from tests.docs.pages import PAGES, ROOT, blocks
from tests.docs.reader import Reader, run_dags

RUN = ("python", "sh")
READ = ("ini", "text")
DIRECTIVES = ("{literalinclude}", "{toctree}", "{eval-rst}")  # the build of the site checks them


def named(page):
    return page.relative_to(ROOT).as_posix()


def is_of_make(block):
    """Return whether a block holds `make` commands, one of which runs these tests."""
    return block.language == "sh" and block.text.startswith("make ")


every_page = pytest.mark.parametrize("page", PAGES, ids=named)


@pytest.fixture(scope="session")
def package_index(tmp_path_factory):
    """Return pip settings with which it finds this package, which is not published yet."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return {"PIP_FIND_LINKS": str(folder), "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}


@every_page
def test_every_block_has_a_known_language(page):
    known = RUN + READ + DIRECTIVES
    assert [(block.line, block.language) for block in blocks(page) if block.language not in known] == []


# the Chinese pages have the same code, as test_chinese shows
WITH_CODE = [
    page
    for page in PAGES
    if ".zh-CN" not in page.name and any(block.language in RUN and not is_of_make(block) for block in blocks(page))
]


@pytest.mark.parametrize("page", WITH_CODE, ids=named)
def test_the_code_of_each_page_works(page, tmp_path, package_index, veo_emulator):
    with Reader(tmp_path, package_index) as reader:
        for block in blocks(page):
            if block.language in RUN and not is_of_make(block):
                printed = reader.do(block)
                assert "does not provide the extra" not in printed
        if (tmp_path / "dags").exists():
            states = run_dags(reader, {name: value for name, value in os.environ.items() if "_VEO_" in name})
            assert set(states.values()) == {"success"}
            assert veo_emulator.charged >= len(states) > 0


@pytest.mark.parametrize("veo_emulator_dialect", BACKENDS)
@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_first_dags_run_with_each_backend_by_another_connection_alone(page, tmp_path, veo_emulator):
    with Reader(tmp_path, {}) as reader:
        for block in blocks(ROOT / page):
            if block.file and block.file.startswith("dags/"):
                reader.do(block)
        states = run_dags(reader, {name: value for name, value in os.environ.items() if "_VEO_" in name})
    assert set(states.values()) == {"success"}
    assert veo_emulator.charged >= len(states) > 0


TASK_OF_OURS = re.compile(r"Veo\w+(Operator|Sensor)[.(]|@task\.veo_video")
RETRIES = re.compile(r'retries(=|": )2\b')


@pytest.mark.parametrize("page", WITH_CODE, ids=named)
def test_every_dag_of_a_page_has_retries(page):
    dags = [block for block in blocks(page) if block.file and TASK_OF_OURS.search(block.text)]
    assert [dag.line for dag in dags if not RETRIES.search(dag.text)] == []


TARGETS = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@every_page
def test_make_targets_in_a_page_exist_and_run_in_ci(page):
    in_blocks = "\n".join(block.text for block in blocks(page) if is_of_make(block))
    assert [
        target for target in re.findall(r"^make ([a-z-]+)", in_blocks, re.MULTILINE) if f"make {target}" not in CI
    ] == []
    in_words = re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))
    assert [target for target in in_words if target not in TARGETS] == []


@every_page
def test_configurations_name_options_that_exist(page):
    options = get_provider_info()["config"]["veo"]["options"]
    for block in blocks(page):
        if block.language == "ini":
            parser = configparser.ConfigParser()
            parser.read_string(block.text)
            assert set(parser["veo"]) <= set(options)


@every_page
def test_links_to_files_exist(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_site_is_built_without_a_warning(tmp_path):
    command = ["make", "docs", f"SITE={tmp_path}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "VeoCreateVideoOperator" in (tmp_path / "reference.html").read_text(encoding="utf-8")
