"""The example Dags, tested offline as a team tests its own Dags: with `dag.test()` and the fixture `veo_emulator`.

The example that an asset starts needs a scheduler, so the system tests run it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS
from dev import examples
from dev.examples import EXAMPLES
from tests.support.airflow_version import AIRFLOW_3
from tests.support.dag_runs import dags_in

FOLDER = Path(__file__).parents[2] / "example_dags"
ALONE = [example for example in EXAMPLES.values() if example.started_by is None]

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Return a folder with the Dags that this Airflow can parse."""
    folder = tmp_path_factory.mktemp("dags")
    for path in FOLDER.glob("*.py"):
        if AIRFLOW_V_3_1_PLUS or path.stem != "example_veo_approval":
            shutil.copy(path, folder)
    return folder


@pytest.fixture
def dags(folder, monkeypatch):
    # Airflow reads this setting only when it is imported, which was before this fixture
    monkeypatch.setattr("airflow.settings.DAGS_FOLDER", str(folder))
    return dags_in(folder)


@pytest.mark.parametrize(
    ("example", "veo_emulator_dialect"), [pytest.param(example, example.dialect, id=example.name) for example in ALONE]
)
def test_each_example_makes_the_expected_videos(dags, veo_emulator, example, tmp_path):
    if example.dialect == "vertex":
        pytest.importorskip("google.auth", reason="the extra google is not installed")
    veo_emulator.connect(example.conn_id, **example.extra)
    if example.dag_id not in dags:
        pytest.skip("Airflow can ask people only since 3.1")
    run = dags[example.dag_id].test(run_conf=example.conf(tmp_path), mark_success_pattern="approve_.*")
    assert str(run.state) == "success"
    examples.check(example, examples.files(example, veo_emulator.storage))
    assert veo_emulator.charged == example.videos


def test_every_task_of_the_examples_has_retries(dags):
    tasks = [
        task for dag in dags.values() for task in dag.tasks if task.task_id != "order"
    ]  # a retry would order again
    assert len(tasks) > len(dags)
    assert {task.retries for task in tasks} == {2}


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no runs without a logical date")
def test_a_run_without_a_logical_date_succeeds(dags, veo_emulator):
    run = dags["example_veo_text_to_video"].test(logical_date=None)
    assert (str(run.state), run.logical_date, veo_emulator.charged) == ("success", None, 1)


def test_a_refused_prompt_fails_the_run_and_costs_nothing(dags, veo_emulator):
    veo_emulator.fail_next("Content policy violation")
    run = dags["example_veo_text_to_video"].test()
    assert str(run.state) == "failed"
    assert (len(veo_emulator.orders), veo_emulator.charged_usd) == (1, 0)


def test_a_task_waits_for_a_busy_gateway(dags, veo_emulator):
    veo_emulator.answer_next("order", "rate_limit", "rate_limit", retry_after=0.1)
    assert str(dags["example_veo_text_to_video"].test().state) == "success"
    assert veo_emulator.charged == 1
