"""Dags on a real Airflow: parsed, run by `dag.test()` and by the command line, with a real database."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.utils.airflow_internals import _read_state_in_database
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS, AIRFLOW_V_3_3_PLUS
from tests.support.airflow_version import AIRFLOW_3
from tests.support.dag_runs import DAGS, dags_in, run
from tests.support.pictures import picture

EXAMPLES = Path(__file__).parents[2] / "example_dags"

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def storage(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path / "videos"))
    return tmp_path / "videos"


def test_the_example_dags_can_be_parsed(tmp_path):
    examples = {path.stem for path in EXAMPLES.glob("*.py")}
    for name in examples if _asks_people() else examples - {"example_veo_approval"}:
        shutil.copy(EXAMPLES / f"{name}.py", tmp_path)
    assert set(dags_in(tmp_path)) == {path.stem for path in tmp_path.glob("*.py")}
    assert len(examples) == 9


def _asks_people():
    """Whether this Airflow can wait for a person, as 3.1 and later can."""
    try:
        from airflow.providers.standard.operators.hitl import ApprovalOperator
    except Exception:  # noqa: BLE001 - the module itself complains, in its own way, or is missing
        return False
    return bool(ApprovalOperator)


def test_one_task_orders_and_another_stores(veo_default, storage):
    state, _, result = run("two_tasks")
    assert state == "success"
    created, stored = result("create"), result("download")
    assert created["estimated_cost_usd"] == 0.25
    assert (created["status"], created["size"], created["seconds"]) == ("completed", "720x1280", 8)
    assert created["completed_at"].endswith("Z")
    assert stored["path"] == str(storage / "two_tasks" / f"{created['id']}.mp4")
    assert Path(stored["path"]).stat().st_size == stored["bytes"]
    assert veo_default.jobs.get(created["id"]).prompt == "画小猫"
    assert veo_default.jobs.report()["charged"] == 1


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_one_task_orders_and_stores(veo_default, storage, mode):
    state, _, result = run(f"one_task_{mode}")
    assert state == "success"
    assert result("create")["bytes"] == (storage / "a.mp4").stat().st_size
    assert veo_default.jobs.report()["charged"] == 1


def test_mapped(veo_default, storage):
    state, states, _ = run("mapped")
    assert state == "success"
    assert len(states) == 6
    assert sorted(path.name for path in storage.iterdir()) == ["0.mp4", "1.mp4", "2.mp4"]
    assert sorted(job.prompt for job in veo_default.jobs.all()) == ["one", "two", "two"]


def test_videos_become_a_film_and_pictures(veo_default, storage):
    state, states, result = run("film")
    assert state == "success"
    assert len(states) == 6
    film, picture = result("concat"), result("last_frame")
    assert film["path"] == str(storage / "film" / "film.mp4")
    assert (film["seconds"], film["clips"], film["reencoded"]) == (16.0, 2, False)
    assert film["sha256"] == hashlib.sha256(Path(film["path"]).read_bytes()).hexdigest()
    assert picture["path"] == str(storage / "film" / "last.png")
    assert (picture["width"], picture["height"], picture["seconds"]) == (720, 1280, round(16 - 1 / 24, 6))
    assert sorted(path.name for path in storage.iterdir() if path.is_file()) == [
        "1.mp4",
        "1.mp4.jpg",
        "2.mp4",
        "2.mp4.jpg",
    ]


def test_the_platform_is_told(veo_default, storage, tmp_path, monkeypatch):
    pytest.importorskip("airflow.sdk", reason="dag.test() of Airflow 2 takes no alias that it has not met before")
    (tmp_path / "frame.png").write_bytes(frame := picture("PNG", 720, 1280))
    monkeypatch.setenv("AIRFLOW_VAR_VEO_FRAME", str(tmp_path / "frame.png"))
    state, _, result = run("told")
    assert state == "success"
    created, copied = result("create"), result("download")
    known = {
        "video_id": created["id"],
        "uri": f"file://{storage}/told/%E7%8C%AB.mp4",
        "bytes": (storage / "told/猫.mp4").stat().st_size,
        "sha256": hashlib.sha256((storage / "told/猫.mp4").read_bytes()).hexdigest(),
        "model": "veo-3.1-fl",
        "prompt_sha256": hashlib.sha256("画小猫".encode()).hexdigest(),
        "size": "720x1280",
        "seconds": 8.0,
        "created_at": created["created_at"],
        "completed_at": created["completed_at"],
        "estimated_cost_usd": 0.25,
    }
    assert created["bytes"] == copied["bytes"] == known["bytes"]
    copy = known | {"uri": f"file://{copied['path']}"}
    assert asset_events() == {"veo_video": known, known["uri"]: known, copy["uri"]: copy}
    sidecar = json.loads((storage / "told/猫.mp4.json").read_text(encoding="utf-8"))
    assert sidecar.pop("task")["task_id"] == "create"
    assert sidecar.pop("provider").startswith("airflow-provider-veo ")
    remembers = AIRFLOW_V_3_3_PLUS
    hashes = {"first_frame": hashlib.sha256(frame).hexdigest()} if remembers else None
    assert sidecar == known | {"prompt": "画小猫", "frames": hashes, "conn_id": "veo_default"}
    assert json.loads(Path(copied["sidecar"]).read_text(encoding="utf-8"))["uri"] == copy["uri"]


def asset_events():
    """Return what Airflow's database holds of the events of the Dag `told`, by the asset's name or address."""
    try:
        from airflow.models.asset import AssetEvent
    except ImportError:  # Airflow 2
        from airflow.models.dataset import DatasetEvent as AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        events = session.query(AssetEvent).filter_by(source_dag_id="told").all()
        return {event.uri: dict(event.extra) for event in events}


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_mapped_tasks_with_one_place_for_all_are_refused_before_they_order(veo_default, storage, caplog, mode):
    caplog.set_level("INFO")
    state, states, _ = run(f"one_place_{mode}")
    assert (state, set(states.values())) == ("failed", {"failed"})
    assert len(states) == 6
    assert caplog.text.count("Summary: failed (reason invalid_input): ") == 6
    assert (veo_default.jobs.report()["orders"], storage.exists()) == (0, False)


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_tasks_of_a_mapped_group_with_one_place_for_all_are_refused(veo_default, storage, caplog, mode):
    """And the operators for frames and films, mapped alone or with their group."""
    caplog.set_level("INFO")
    state, states, _ = run(f"one_place_in_group_{mode}")
    assert (state, set(states.values())) == ("failed", {"failed"})
    assert len(states) == 2 * (5 + 2)
    assert caplog.text.count("is the same for all tasks that this one is mapped to") >= len(states)
    assert (veo_default.jobs.report()["orders"], storage.exists()) == (0, False)


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_tasks_of_a_mapped_group_have_places_of_their_own(veo_default, storage, mode):
    state, _, _ = run(f"own_places_in_group_{mode}")
    assert state == "success"
    names = {"0.mp4", "1.mp4", "0.png", "1.png", "Episode #1.mp4", "Episode #2.mp4"}
    assert {path.name for path in storage.iterdir()} == names


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_a_function_says_what_to_show(veo_default, storage, mode):
    state, _, result = run(f"decorated_{mode}")
    assert state == "success"
    prompts = sorted((job.prompt, job.model.id) for job in veo_default.jobs.all())
    assert prompts == [("scene 1", "veo-3.1-fast"), ("scene 2", "veo-3.1-fast"), ("{{ 猫 }} naps", "veo-3.1")]
    assert result("one")["prompt_sha256"] == hashlib.sha256("{{ 猫 }} naps".encode()).hexdigest()
    assert result("length") == (storage / f"decorated_{mode}" / "one.mp4").stat().st_size
    for number in (1, 2):
        sidecar = json.loads((storage / f"decorated/{number}.mp4.json").read_text(encoding="utf-8"))
        assert (sidecar["prompt"], sidecar["model"]) == (f"scene {number}", "veo-3.1-fast")
    assert veo_default.jobs.report()["charged"] == 3


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_a_sensor_waits_for_a_job_that_another_has_ordered(veo_default, storage, mode):
    ordered = VeoHook().create_video(VideoSpec("a cat", "veo-3.1"))
    state, _, result = run(f"sensor_{mode}", {"video_id": ordered.id})
    assert state == "success"
    assert result("wait")["id"] == ordered.id
    assert result("download")["bytes"] == (storage / "sensed.mp4").stat().st_size


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_a_sensor_fails_with_the_job(veo_default, mode):
    veo_default.jobs.fail_next("Content policy violation")
    ordered = VeoHook().create_video(VideoSpec("a cat", "veo-3.1"))
    state, states, _ = run(f"sensor_{mode}", {"video_id": ordered.id})
    assert (state, states["wait", -1], states["download", -1]) == ("failed", "failed", "upstream_failed")


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_a_refused_prompt_fails_at_once(veo_default, mode):
    veo_default.jobs.fail_next("Content policy violation")
    state, states, _ = run(f"one_task_{mode}")
    assert (state, states["create", -1]) == ("failed", "failed")
    assert veo_default.jobs.report()["orders"] == 1


def test_the_state_that_decides_about_cancelling_is_read_from_the_database(veo_default):
    """So it is before Airflow 3; the system tests do it through Airflow 3's supervisor."""
    dag_run = dags_in(DAGS)["mapped"].test()
    for ti in dag_run.get_task_instances():
        assert _read_state_in_database(ti) == str(ti.state) == "success"
    ti.map_index = 99
    assert _read_state_in_database(ti) is None


def test_a_connection_in_the_database(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__POLL_INTERVAL", "0.1")
    add = ["connections", "add", "veo_stored", "--conn-type", "veo", "--conn-host", emulator.url]
    airflow(*add, "--conn-password", emulator.settings.api_key)
    output = airflow("dags", "test", "stored_connection")
    assert "state=success" in output


def test_airflow_dags_test(veo_default, storage, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(EXAMPLES))
    output = airflow("dags", "test", "example_veo_text_to_video")
    if AIRFLOW_3:  # Airflow 2 prints nothing of its tasks here
        assert "Pausing task as DEFERRED" in output
    assert veo_default.jobs.report()["polls"] > 0
    assert [path.suffix for path in storage.rglob("*") if path.is_file()] == [".mp4"]
    # Airflow 3.0 prints here what it is asked to mask
    lines = [line for line in output.splitlines() if AIRFLOW_V_3_1_PLUS or "MaskSecret(" not in line]
    assert veo_default.settings.api_key not in "\n".join(lines)
    assert veo_default.jobs.report()["charged"] == 1


def airflow(*arguments):
    command = [sys.executable, "-m", "airflow", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    return output
