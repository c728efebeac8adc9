"""The proof that a task has had a file is in its page entry, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_veo.observability import page
from airflow_provider_veo.observability.keys import OUTCOME_KEY
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator
from airflow_provider_veo.storage.proof import make_proof
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS
from tests.support import clips
from tests.support.task_driver import TaskDriver

pytestmark = pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="before Airflow 3.1 there is no page")


@pytest.fixture
def outcomes(mocker):
    """Return a list that collects the outcomes of the page entries."""
    written = []
    mocker.patch.object(
        page, "write_xcom_past_backend", lambda _ti, key, record: key == OUTCOME_KEY and written.append(record)
    )
    return written


def test_every_task_that_stores_a_file_writes_a_proof(veo_default, outcomes, tmp_path, caplog):
    clip = str(clips.make(tmp_path / "clip.mp4", range(8)))
    tasks = {
        VeoCreateVideoOperator: {"prompt": "a cat", "destination": str(tmp_path / "a.mp4"), "sidecar": True},
        VeoDownloadOperator: {"video_id": None, "destination": str(tmp_path / "b.mp4"), "sidecar": True},
        VeoExtractFrameOperator: {"source": clip, "destination": str(tmp_path / "c.png")},
        VeoConcatOperator: {"sources": [clip], "destination": str(tmp_path / "d.mp4")},
    }
    results = []
    for operator, arguments in tasks.items():
        if operator is VeoDownloadOperator:
            arguments["video_id"] = results[0]
        driver = TaskDriver(arguments, operator=operator)
        results.append(driver.run())
        outcome = outcomes[-1]
        with Path(outcome["path"]).open("rb") as file:
            assert outcome["proof"] == make_proof(file)
        shown = json.dumps([results, driver.xcoms, driver.store.values]) + caplog.text
        assert outcome["proof"] not in shown + "".join(path.read_text() for path in tmp_path.glob("*.json"))
    # an existing file gets the same proof
    TaskDriver(tasks[VeoDownloadOperator], operator=VeoDownloadOperator).run()
    assert outcomes[-1]["proof"] == outcomes[1]["proof"]


def test_a_proof_depends_on_the_size_and_both_ends_of_a_file(tmp_path):
    def proof(content):
        path = tmp_path / "a"
        path.write_bytes(content)
        with path.open("rb") as file:
            return make_proof(file)

    edge = 2**16
    whole = bytes(3 * edge)
    others = (whole + b"\0", whole[:-1], b"x" + whole[1:], whole[:-1] + b"x", b"", b"x", bytes(edge), bytes(edge + 1))
    changed = [whole[:at] + b"x" + whole[at + 1 :] for at in (edge - 1, 2 * edge)]
    assert len({proof(content) for content in (whole, *others, *changed)}) == 1 + len(others) + len(changed)
